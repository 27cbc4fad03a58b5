#include "cli/split.h"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "cli/progress.h"
#include "cli/url_source.h"

namespace pfs::cli {
namespace {

/// The files that a text is split into, cut into pieces of every size on its way.
std::vector<std::string> split(const SplitOptions& options, const std::string& text,
                               std::size_t piece) {
  std::vector<std::string> files;
  Splitter splitter(
      options,
      [&] {
        files.emplace_back();
        return Result<void>();
      },
      [&](std::string_view bytes) {
        files.back() += bytes;
        return Result<void>();
      });
  for (std::size_t at = 0; at < text.size(); at += piece)
    REQUIRE(splitter.add(std::string_view(text).substr(at, piece)));
  REQUIRE(splitter.finish());
  return files;
}

using Files = std::vector<std::string>;

TEST_CASE("lines are dealt out by number or by bytes, wherever the reads were cut", "[cli]") {
  const std::string text = "one\ntwo\nthree\nfour";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    CHECK(split({}, text, piece) == Files{"one\n", "two\n", "three\n", "four"});
    CHECK(split({RecordFormat::kLine, 3, 0, 0}, text, piece) == Files{"one\ntwo\nthree\n", "four"});
    CHECK(split({RecordFormat::kLine, 0, 5, 0}, text, piece) ==
          Files{"one\ntwo\n", "three\n", "four"});
  }
  CHECK(split({}, "", 1).empty());
}

TEST_CASE("header records begin each file", "[cli]") {
  const std::string text = "name,text\na,\"1\n2\"\nb,\"say \"\"x\"\"\"\n";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    CHECK(split({RecordFormat::kCsv, 1, 0, 1}, text, piece) ==
          Files{"name,text\na,\"1\n2\"\n", "name,text\nb,\"say \"\"x\"\"\"\n"});
  }
}

TEST_CASE("JSON values are records, however they are laid out", "[cli]") {
  const std::string text = "{\"a\": [1, 2],\n \"b\": \"} \\\" {\"}{}\n\n[3]\n4 \"x y\"";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    CHECK(split({RecordFormat::kJson, 1, 0, 0}, text, piece) ==
          Files{"{\"a\": [1, 2],\n \"b\": \"} \\\" {\"}\n", "{}\n", "[3]\n", "4\n", "\"x y\"\n"});
  }
}

TEST_CASE("a text that ends within a record is refused", "[cli]") {
  const auto finish = [](RecordFormat format, std::string_view text) {
    Splitter splitter(
        {format, 0, 0, 0}, [] { return Result<void>(); },
        [](std::string_view) { return Result<void>(); });
    if (auto added = splitter.add(text); !added) return added;
    return splitter.finish();
  };
  CHECK_FALSE(finish(RecordFormat::kCsv, "a,\"b\n"));
  CHECK_FALSE(finish(RecordFormat::kJson, "{\"a\": 1"));
  CHECK_FALSE(finish(RecordFormat::kJson, "}"));
  CHECK(finish(RecordFormat::kLine, "no newline"));
}

TEST_CASE("the files of a split are numbered in 16 hex digits", "[cli]") {
  CHECK(split_name(0) == "0000000000000000");
  CHECK(split_name(255) == "00000000000000ff");
}

TEST_CASE("a URL's file is called by its path", "[cli]") {
  CHECK(url_path("http://imgur.com/46Q8nDz.jpg?x=1#y") == "/46Q8nDz.jpg");
  CHECK(url_path("http://host").empty());
  CHECK(is_url("s3://bucket/key"));
  CHECK_FALSE(is_url("dir/a://b"));
  CHECK_FALSE(is_url("://b"));
}

TEST_CASE("progress is told in bytes, rate and time left", "[cli]") {
  using std::chrono::seconds;
  CHECK(progress_line("put", 1024, 4096, seconds(1)) ==
        "put  1KiB of 4KiB  1KiB/s  3 seconds left");
  CHECK(progress_line("get", 2048, 0, seconds(1)) == "get  2KiB  2KiB/s");
  CHECK(progress_line("get", 0, 100, seconds(0)) == "get  0B of 100B  0B/s");
}

}  // namespace
}  // namespace pfs::cli
