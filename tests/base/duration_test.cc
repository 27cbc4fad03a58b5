#include <catch2/catch.hpp>

#include "base/duration.h"

namespace pfs::test {
namespace {

using std::chrono::milliseconds;

TEST_CASE("a length of time is a number and a unit, and seconds without one", "[base]") {
  CHECK(*parse_duration("500ms") == milliseconds(500));
  CHECK(*parse_duration("5s") == milliseconds(5000));
  CHECK(*parse_duration("5") == milliseconds(5000));
  CHECK(*parse_duration("2m") == milliseconds(120'000));
  CHECK(*parse_duration("1h") == milliseconds(3'600'000));
  CHECK(*parse_duration("1d") == milliseconds(86'400'000));
  CHECK(*parse_duration("0") == milliseconds(0));
}

TEST_CASE("what is no length of time is refused", "[base]") {
  for (const auto* text : {"", "s", "-1s", "1.5s", "5 s", "5sec", "1y", "99999999999999999999s", "18446744073709551615", "4000d"}) {
    INFO(text);
    const auto parsed = parse_duration(text);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == Code::kInvalid);
  }
}

TEST_CASE("a length of time is written in the largest unit that it is whole in", "[base]") {
  for (const auto* text : {"0s", "1ms", "1500ms", "1s", "90s", "2m", "61m", "1h", "2d"}) {
    CHECK(format_short_duration(*parse_duration(text)) == text);
  }
}

}  // namespace
}  // namespace pfs::test
