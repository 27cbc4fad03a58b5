#include "cli/format.h"

#include <catch2/catch.hpp>

namespace pfs::cli {
namespace {

using namespace std::chrono_literals;

constexpr Timestamp seconds_after_epoch(std::int64_t seconds) {
  return Timestamp{seconds * 1'000'000'000};
}

TEST_CASE("a size has four significant digits and a binary unit", "[cli][format]") {
  CHECK(format_size(0) == "0B");
  CHECK(format_size(1023) == "1023B");
  CHECK(format_size(1024) == "1KiB");
  CHECK(format_size(58644) == "57.27KiB");
  CHECK(format_size(1536 * 1024) == "1.5MiB");
  CHECK(format_size(std::uint64_t{5} << 40) == "5TiB");
  CHECK(format_size(UINT64_MAX) == "16EiB");
}

TEST_CASE("a duration is said in words", "[cli][format]") {
  CHECK(format_duration(0ns) == "Less than a second");
  CHECK(format_duration(999ms) == "Less than a second");
  CHECK(format_duration(1s) == "1 second");
  CHECK(format_duration(59s) == "59 seconds");
  CHECK(format_duration(60s) == "About a minute");
  CHECK(format_duration(119s) == "About a minute");
  CHECK(format_duration(120s) == "2 minutes");
  CHECK(format_duration(60min) == "About an hour");
  CHECK(format_duration(47h) == "47 hours");
  CHECK(format_duration(48h) == "2 days");
  CHECK(format_duration(24h * 14) == "2 weeks");
  CHECK(format_duration(24h * 60) == "2 months");
  CHECK(format_duration(24h * 365 * 2) == "2 years");
}

TEST_CASE("a time in the future is a moment ago", "[cli][format]") {
  CHECK(format_ago(seconds_after_epoch(100), seconds_after_epoch(50)) == "Less than a second ago");
  CHECK(format_ago(seconds_after_epoch(50), seconds_after_epoch(100)) == "50 seconds ago");
}

TEST_CASE("a time in full is RFC 3339 in UTC", "[cli][format]") {
  CHECK(format_time(seconds_after_epoch(0)) == "1970-01-01T00:00:00Z");
  CHECK(format_time(seconds_after_epoch(1769851800)) == "2026-01-31T09:30:00Z");
}

TEST_CASE("a line is cut to what has room, and says that it goes on", "[cli][format]") {
  CHECK(cut_to_columns("abcdef", 6) == "abcdef");
  CHECK(cut_to_columns("abcdef", 5) == "abcd…");
  CHECK(cut_to_columns("abcdef", 1) == "…");
  CHECK(cut_to_columns("abcdef", 0) == "abcdef");
  CHECK(cut_to_columns("äöüäöü", 6) == "äöüäöü");
  CHECK(cut_to_columns("äöüäöü", 3) == "äö…");
  CHECK(cut_to_columns("日本語", 6) == "日本語");
  CHECK(cut_to_columns("日本語", 5) == "日本…");
  CHECK(cut_to_columns("日本語", 4) == "日…");
  CHECK(cut_to_columns("a\xe2", 2) == "a\xe2");
  CHECK(cut_to_columns("", 3).empty());
}

}  // namespace
}  // namespace pfs::cli
