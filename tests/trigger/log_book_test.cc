#include "trigger/internal/log_book.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdint>
#include <fstream>

#include <boost/filesystem.hpp>

#include "support/temporary_directory.h"

using namespace pfs;
using namespace pfs::trigger;

namespace {

struct Book {
  test::TemporaryDirectory directory;
  SystemClock clock;
  LogBook book{directory.path(), clock, {.datum_bytes = 1 << 20, .job_bytes = 2 << 20, .end_bytes = 1000}};
  RepoName pipeline = *RepoName::parse("edges");
  JobId job;

  std::string path() const { return directory / "edges/" + job.hex() + ".log"; }
  std::vector<LogLine> lines() {
    std::vector<LogLine> found;
    REQUIRE(book.read(pipeline, job.hex(), [&](const LogLine& line) {
      found.push_back(line);
      return true;
    }));
    return found;
  }
};

}  // namespace

TEST_CASE("output in pieces is kept as lines, the unfinished last one too", "[trigger]") {
  Book test;
  auto log = test.book.job(test.pipeline, test.job);
  REQUIRE(log);
  PrintedOutput output(**log, "d");
  for (const char* piece : {"one\ntw", "o\n", "\n", "bad \xff byte\n", "rest"}) output.add(piece);
  output.finish();
  (*log)->system("", "done");
  const auto lines = test.lines();
  REQUIRE(lines.size() == 6);
  CHECK(lines[0].text == "one");
  CHECK(lines[1].text == "two");
  CHECK(lines[2].text.empty());
  CHECK(lines[3].text == "bad \xef\xbf\xbd byte");
  CHECK(lines[4].text == "rest");
  CHECK(lines[4].datum == "d");
  CHECK(lines[4].user);
  CHECK(lines[5].text == "done");
  CHECK_FALSE(lines[5].user);
}

TEST_CASE("a line longer than any is cut into lines", "[trigger]") {
  Book test;
  auto log = test.book.job(test.pipeline, test.job);
  REQUIRE(log);
  PrintedOutput(**log, "").add(std::string(PrintedOutput::kMaxLine * 2 + 5, 'x') + "\n");
  const auto lines = test.lines();
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].text.size() == PrintedOutput::kMaxLine);
  CHECK(lines[2].text.size() == 5);
}

TEST_CASE("a line that a crash cut off is passed over, and the next is whole", "[trigger]") {
  Book test;
  { REQUIRE(test.book.job(test.pipeline, test.job)); }
  std::ofstream(test.path()) << R"({"ts":1,"tex)";
  auto log = test.book.job(test.pipeline, test.job);
  REQUIRE(log);
  (*log)->system("", "whole");
  const auto lines = test.lines();
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].text == "whole");
}

TEST_CASE("of what a datum prints the beginning and the end are kept, and a line says how much is not", "[trigger]") {
  Book test;
  auto log = test.book.job(test.pipeline, test.job);
  REQUIRE(log);
  PrintedOutput output(**log, "d");
  output.add("first\n");
  const std::string much = std::string(999, 'x') + "\n";
  for (int i = 0; i < 3000; ++i) output.add(much);
  output.add("last\n");
  output.finish();
  const auto lines = test.lines();
  CHECK(lines.front().text == "first");
  CHECK(lines.back().text == "last");
  CHECK(lines.size() < 1100);
  CHECK(lines.size() > 900);
  std::size_t kept = 0;
  for (const LogLine& line : lines) kept += line.user ? line.text.size() + 1 : 0;
  const auto said = std::find_if(lines.begin(), lines.end(), [](const LogLine& line) { return !line.user; });
  REQUIRE(said != lines.end());
  CHECK(said->text.find(std::to_string(6 + 3000 * 1000 + 5 - kept) + " bytes") == 0);

  // and a job's log as a whole does not grow without end
  for (const char* datum : {"e", "f", "g"}) {
    PrintedOutput more(**log, datum);
    for (int i = 0; i < 3000; ++i) more.add(much);
    more.finish();
  }
  std::size_t of_last = 0;
  for (const LogLine& line : test.lines()) of_last += line.datum == "g" ? line.text.size() : 0;
  CHECK(of_last < 2000);
}

TEST_CASE("what is kept of a datum's output is counted as it is stored", "[trigger]") {
  Book test;
  auto log = test.book.job(test.pipeline, test.job);
  REQUIRE(log);
  // within the bound as printed, and many times over it as stored
  std::string much;
  SECTION("lines of one byte") {
    for (int i = 0; i < 100'000; ++i) much += "x\n";
  }
  SECTION("empty lines") { much.assign(100'000, '\n'); }
  SECTION("bytes that are escaped") {
    for (int i = 0; i < 900; ++i) much += std::string(999, '\0') + "\n";
  }
  PrintedOutput output(**log, "d");
  for (std::size_t at = 0; at < much.size(); at += 4096) output.add(std::string_view(much).substr(at, 4096));
  output.add("last");
  output.finish();
  const auto lines = test.lines();
  CHECK(lines.back().text == "last");
  CHECK(std::count_if(lines.begin(), lines.end(), [](const LogLine& line) { return !line.user; }) == 1);
  constexpr std::uintmax_t kBeginning = 1 << 20;
  constexpr std::uintmax_t kEnd = 1000;
  constexpr std::uintmax_t kLineBetween = 1000;
  const auto stored = boost::filesystem::file_size(test.path());
  CHECK(stored <= kBeginning + kLineBetween + kEnd);
  CHECK(stored > kBeginning - 10'000);
}

TEST_CASE("what just fits is all there, and nothing is said to be missing", "[trigger]") {
  Book test;
  auto log = test.book.job(test.pipeline, test.job);
  REQUIRE(log);
  // the end takes up what the beginning has no room for
  const std::string line(999, 'x');
  PrintedOutput output(**log, "d");
  int added = 0;
  for (; boost::filesystem::file_size(test.path()) + 2000 < 1 << 20; ++added) output.add(line + "\n");
  for (int i = 0; i < 14; ++i, ++added) output.add("short\n");
  output.finish();
  const auto lines = test.lines();
  CHECK(lines.size() == static_cast<std::size_t>(added));
  CHECK(lines.back().text == "short");
}

TEST_CASE("a reader goes on where it was, with whole lines only", "[trigger]") {
  Book test;
  auto log = test.book.job(test.pipeline, test.job);
  REQUIRE(log);
  LogReader reader = test.book.reader(test.pipeline, test.job.hex());
  std::vector<std::string> found;
  const auto read = [&] {
    found.clear();
    REQUIRE(reader.read([&](const LogLine& line) {
      found.push_back(line.text);
      return true;
    }));
    return found;
  };
  CHECK(read().empty());
  const auto rung = test.book.bell().rung();
  (*log)->system("", "one");
  CHECK(test.book.bell().rung() > rung);
  CHECK(read() == std::vector<std::string>{"one"});
  std::ofstream(test.path(), std::ios::app) << R"({"ts":1,"text":"half)";
  CHECK(read().empty());
  std::ofstream(test.path(), std::ios::app) << "\"}\n";
  CHECK(read() == std::vector<std::string>{"half"});
}

TEST_CASE("a reader skips to the last lines, and looks at nothing before them", "[trigger]") {
  Book test;
  std::size_t looked_at = 0;
  const auto skip = [&](LogReader& reader, std::size_t count, bool user_only = false) {
    looked_at = 0;
    const auto found = reader.skip_to_last(count, [&](const LogLine& line) {
      ++looked_at;
      return line.user || !user_only;
    });
    REQUIRE(found);
    return *found;
  };
  const auto read = [](LogReader& reader) {
    std::vector<std::string> found;
    REQUIRE(reader.read([&](const LogLine& line) {
      found.push_back(line.text);
      return true;
    }));
    return found;
  };
  const auto reader = [&] { return test.book.reader(test.pipeline, test.job.hex()); };
  LogReader early = reader();
  CHECK(skip(early, 3) == 0);  // nobody has begun it

  auto log = test.book.job(test.pipeline, test.job);
  REQUIRE(log);
  CHECK(skip(early, 3) == 0);
  constexpr std::size_t kLines = 4000;  // of several pieces
  PrintedOutput output(**log, "d");
  for (std::size_t i = 0; i < kLines; ++i) output.add(std::to_string(i) + std::string(100, '.') + "\n");
  (*log)->system("", "the end");
  const auto text = [](std::size_t i) { return std::to_string(i) + std::string(100, '.'); };

  LogReader last = reader();
  CHECK(skip(last, 2) == 2);
  CHECK(looked_at == 2);
  CHECK(read(last) == std::vector<std::string>{text(kLines - 1), "the end"});

  LogReader of_user = reader();
  CHECK(skip(of_user, 2, /*user_only=*/true) == 2);
  CHECK(looked_at == 3);
  CHECK(read(of_user) == std::vector<std::string>{text(kLines - 2), text(kLines - 1), "the end"});

  LogReader many = reader();
  CHECK(skip(many, kLines) == kLines);
  const auto found = read(many);
  REQUIRE(found.size() == kLines);
  CHECK(found.front() == text(1));
  for (std::size_t i = 1; i < kLines; ++i) REQUIRE(found[i - 1] == text(i));

  LogReader all = reader();
  CHECK(skip(all, kLines + 2) == kLines + 1);
  CHECK(read(all).size() == kLines + 1);

  // the end of a line that is being written is told when it is there
  std::ofstream(test.path(), std::ios::app) << R"({"ts":1,"text":"half)";
  LogReader none = reader();
  CHECK(skip(none, 0) == 0);
  CHECK(looked_at == 0);
  CHECK(read(none).empty());
  std::ofstream(test.path(), std::ios::app) << "\"}\n";
  CHECK(read(none) == std::vector<std::string>{"half"});
}

TEST_CASE("a log is being written until everybody who writes it has left it, which rings", "[trigger]") {
  Book test;
  CHECK_FALSE(test.book.is_written(test.pipeline, test.job));
  auto first = test.book.job(test.pipeline, test.job);
  REQUIRE(first);
  {
    const auto second = test.book.job(test.pipeline, test.job);
    REQUIRE(second);
  }
  CHECK(test.book.is_written(test.pipeline, test.job));
  const auto rung = test.book.bell().rung();
  first->reset();
  CHECK_FALSE(test.book.is_written(test.pipeline, test.job));
  CHECK(test.book.bell().rung() > rung);
}
