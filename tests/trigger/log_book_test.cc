#include "trigger/internal/log_book.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <fstream>

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
  std::ofstream(test.directory / "edges/" + test.job.hex() + ".log") << R"({"ts":1,"tex)";
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
  const auto said = std::find_if(lines.begin(), lines.end(), [](const LogLine& line) { return !line.user; });
  REQUIRE(said != lines.end());
  CHECK(said->text.find("1950435 bytes") == 0);

  // and a job's log as a whole does not grow without end
  PrintedOutput second(**log, "e");
  for (int i = 0; i < 3000; ++i) second.add(much);
  second.finish();
  PrintedOutput third(**log, "f");
  for (int i = 0; i < 3000; ++i) third.add(much);
  third.finish();
  std::size_t of_third = 0;
  for (const LogLine& line : test.lines()) of_third += line.datum == "f" ? line.text.size() : 0;
  CHECK(of_third < 2000);
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
  std::ofstream(test.directory / "edges/" + test.job.hex() + ".log", std::ios::app) << R"({"ts":1,"text":"half)";
  CHECK(read().empty());
  std::ofstream(test.directory / "edges/" + test.job.hex() + ".log", std::ios::app) << "\"}\n";
  CHECK(read() == std::vector<std::string>{"half"});
}
