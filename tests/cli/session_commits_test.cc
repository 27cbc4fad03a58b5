// Branches and commits through the real `pfs`.
#include <catch2/catch.hpp>

#include "cli/pfs_session.h"

namespace pfs::test {
namespace {

/// The words of a table's rows, without its header.
std::vector<std::vector<std::string>> rows(const std::string& table) {
  std::vector<std::vector<std::string>> result;
  std::istringstream lines(table);
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    auto& row = result.emplace_back();
    for (std::string word; words >> word;) row.push_back(word);
  }
  return result;
}

std::string head_of(PfsSession& session, const std::string& branch) {
  const auto text = session.ok({"inspect", "branch", branch});
  const auto at = text.find("Head Commit: ");
  return at == text.npos ? "" : text.substr(at + 13, 32);
}

TEST_CASE("branches are listed newest first with their HEADs", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"create", "branch", "data@empty"});
  session.ok({"put", "file", "data@master:/a"}, "text");
  const auto head = head_of(session, "data@master");
  REQUIRE(head.size() == 32);
  CHECK(session.ok({"list", "branch", "data"}) ==
        "BRANCH HEAD                             TRIGGER\n"
        "master " +
            head +
            " -\n"
            "empty  -                                -\n");
  CHECK(rows(session.ok({"list", "branch"}))[0][0] == "data@master");
  CHECK(session.pfs({"list", "branch", "nothing"}).status == 1);
}

TEST_CASE("a head is set by branch, commit, and both kinds of ancestry", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  std::vector<std::string> made;
  for (const auto* text : {"1", "2", "3"}) {
    session.ok({"put", "file", "data@staging:/n"}, text);
    made.push_back(head_of(session, "data@staging"));
  }
  session.ok({"create", "branch", "data@master", "--head", "staging"});
  CHECK(head_of(session, "data@master") == made[2]);
  session.ok({"create", "branch", "data@master", "--head", "staging^"});
  CHECK(head_of(session, "data@master") == made[1]);
  session.ok({"create", "branch", "data@master", "--head", "staging.1"});
  CHECK(head_of(session, "data@master") == made[0]);
  CHECK(session.ok({"get", "file", "data@master:/n"}) == "1");
  session.ok({"create", "branch", "data@master", "--head", made[2]});
  CHECK(head_of(session, "data@master") == made[2]);
  session.ok({"create", "branch", "data@master", "--head", "^2"});
  CHECK(head_of(session, "data@master") == made[0]);
  session.ok({"create", "branch", "data@other", "--head", "data@staging^2"});
  CHECK(head_of(session, "data@other") == made[0]);

  CHECK(session.pfs({"create", "branch", "data@master", "--head", "staging^3"}).status == 1);
  CHECK(session.pfs({"create", "branch", "data@master", "--head", "nothing"}).status == 1);
  session.ok({"create", "repo", "others"});
  CHECK(session.pfs({"create", "branch", "others@master", "--head", made[0]}).status == 1);
}

TEST_CASE("commits are listed newest first, with who made them", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"put", "file", "data@master:/a"}, "1");
  session.ok({"put", "file", "data@master:/a"}, "22");
  const auto commits = rows(session.ok({"list", "commit", "data@master", "--full-timestamps"}));
  REQUIRE(commits.size() == 2);
  CHECK(commits[0][2] == head_of(session, "data@master"));
  CHECK(commits[0][4] == "2B");
  CHECK(commits[1][4] == "1B");
  CHECK(commits[0][5] == "-");
  CHECK(rows(session.ok({"list", "commit", "data", "-n", "1"})).size() == 1);
  const auto shown = session.ok({"inspect", "commit", "data@master"});
  CHECK(shown.find("Author: ") != shown.npos);
  CHECK(shown.find("Parent: " + commits[1][2]) != shown.npos);
}

TEST_CASE("a commit that was started by hand holds what is put until it is finished",
          "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  auto id = session.ok({"start", "commit", "data@master", "-m", "by hand"});
  id.pop_back();
  REQUIRE(id.size() == 32);
  CHECK(session.pfs({"start", "commit", "data@master"}).status == 1);
  session.ok({"put", "file", "data@master:/a"}, "1");
  session.ok({"put", "file", "data@master:/b"}, "2");
  CHECK(head_of(session, "data@master").empty());
  const auto open = rows(session.ok({"list", "commit", "data@master"}));
  REQUIRE(open.size() == 1);
  CHECK(open[0][2] == id);
  CHECK(open[0][3] == "-");
  CHECK(session.ok({"get", "file", "data@master:/a"}) == "1");
  CHECK(session.ok({"get", "file", "data@" + id + ":/b"}) == "2");
  CHECK(session.ok({"status"}).find("finish commit data@master") != std::string::npos);
  CHECK(session.pfs({"delete", "branch", "data@master"}).status == 1);

  session.ok({"finish", "commit", "data@" + id});
  CHECK(head_of(session, "data@master") == id);
  CHECK(session.ok({"inspect", "commit", "data@" + id}).find("Description: by hand\n") !=
        std::string::npos);
  CHECK(rows(session.ok({"list", "commit", "data@master"})).size() == 1);
  CHECK(session.pfs({"finish", "commit", "data@" + id}).status == 1);
}

TEST_CASE("a deleted branch is gone and its commits are not", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"put", "file", "data@master:/a"}, "1");
  const auto head = head_of(session, "data@master");
  session.ok({"delete", "branch", "data@master"});
  CHECK(session.pfs({"inspect", "branch", "data@master"}).status == 1);
  CHECK(session.ok({"get", "file", "data@" + head + ":/a"}) == "1");
}

}  // namespace
}  // namespace pfs::test
