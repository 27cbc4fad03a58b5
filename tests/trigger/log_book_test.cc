#include "trigger/internal/log_book.h"

#include <catch2/catch.hpp>

#include <fstream>

#include "support/temporary_directory.h"

using namespace pfs;
using namespace pfs::trigger;

namespace {

struct Book {
  test::TemporaryDirectory directory;
  SystemClock clock;
  LogBook book{directory.path(), clock};
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
  for (const char* piece : {"one\ntw", "o\n", "\n", "bad \xff byte\n", "rest"}) log->output("d", piece);
  log->end_of_output("d");
  log->system("", "done");
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
  log->output("", std::string(LogWriter::kMaxLine * 2 + 5, 'x') + "\n");
  const auto lines = test.lines();
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].text.size() == LogWriter::kMaxLine);
  CHECK(lines[2].text.size() == 5);
}

TEST_CASE("a line that a crash cut off is passed over, and the next is whole", "[trigger]") {
  Book test;
  { REQUIRE(test.book.job(test.pipeline, test.job)); }
  std::ofstream(test.directory / "edges/" + test.job.hex() + ".log") << R"({"ts":1,"tex)";
  auto log = test.book.job(test.pipeline, test.job);
  REQUIRE(log);
  log->system("", "whole");
  const auto lines = test.lines();
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].text == "whole");
}
