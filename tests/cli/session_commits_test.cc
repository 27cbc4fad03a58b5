// Branches and commits through the real `pfs`.
#include <catch2/catch.hpp>

#include "api/client/files.h"
#include "cli/pfs_session.h"
#include "support/must.h"

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

TEST_CASE("an open commit takes files by its id, and no more once it is finished", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"put", "file", "data@master:/old"}, "o");
  const auto id = session.ok({"start", "commit", "data@master"}).substr(0, 32);
  const auto connection = must(client::Connection::to_socket(session.socket()));
  const client::Files files(*connection);
  const auto named = [](const std::string& path) { return must(RepoPath::parse(path)); };
  const auto put = [&](const CommitRef& ref) -> Result<std::string> {
    client::Upload upload(*connection, ref, {});
    PFS_TRY(upload.begin_file(named("/f"), {}));
    PFS_TRY(upload.data("x"));
    PFS_TRY_ASSIGN(const auto done, upload.finish());
    return done.commit;
  };
  const auto copy = [&](const CommitRef& ref) {
    return files.copy({must(CommitRef::parse("data@master")), named("/old")}, ref, named("/g"), false);
  };
  const auto remove = [&](const CommitRef& ref) { return files.remove(ref, {named("/old")}); };

  const auto open = must(CommitRef::parse("data@" + id));
  CHECK(must(put(open)) == id);
  CHECK(must(copy(open)) == id);
  CHECK(must(remove(open)) == id);
  session.ok({"finish", "commit", "data@" + id});
  CHECK(session.ok({"get", "file", "data@" + id + ":/f"}) == "x");
  CHECK(session.ok({"get", "file", "data@" + id + ":/g"}) == "o");
  CHECK(session.pfs({"get", "file", "data@" + id + ":/old"}).status == 1);

  session.ok({"put", "file", "data@master:/old"}, "o");
  const auto head = head_of(session, "data@master");
  const auto refused = [&](const CommitRef& ref, Code code) {
    for (const auto& done : {put(ref), copy(ref), remove(ref)}) {
      REQUIRE_FALSE(done);
      CHECK(done.error().code == code);
    }
  };
  refused(open, Code::kReadOnly);
  refused(must(CommitRef::parse("data@master^")), Code::kReadOnly);
  refused(must(CommitRef::parse("data@" + std::string(32, '7'))), Code::kNotFound);
  CHECK(head_of(session, "data@master") == head);
}

TEST_CASE("of an open commit it is said that it is open, where a finished one is meant", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"put", "file", "data@master:/f"}, "1");
  const auto id = session.ok({"start", "commit", "data@master"}).substr(0, 32);
  const auto open = "data@" + id;
  const std::vector<std::vector<std::string>> meant = {
      {"flush", "commit", open},
      {"list", "commit", open},
      {"list", "commit", "data@master", "--from", id},
      {"subscribe", "commit", "data@master", "--from", id},
      {"diff", "file", open + ":/"},
      {"squash", "commit", open},
      {"squash", "commit", id},
      {"start", "commit", "data@dev", "-p", id},
      {"create", "branch", "data@dev", "--head", id},
      {"inspect", "commit", open + "^"}};
  for (const auto& command : meant) {
    CAPTURE(command);
    const auto said = session.pfs(command);
    CHECK(said.status == 1);
    CHECK(said.err.find("is open; finish it first: pfs finish commit data@master") != said.err.npos);
  }

  const auto unknown = session.pfs({"finish", "commit", "data@" + std::string(32, '7')});
  CHECK(unknown.status == 1);
  CHECK(unknown.err.find("no such commit") != unknown.err.npos);
}

TEST_CASE("of a repo that is not there no command speaks as of a branch", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  const auto told = [&](const std::vector<std::string>& command, const std::string& words) {
    CAPTURE(command);
    const auto said = session.pfs(command);
    CHECK(said.status == 1);
    CHECK(said.err.find(words) != said.err.npos);
  };
  for (const auto* ref : {"nope@master", "nope@77777777777777777777777777777777"}) {
    told({"list", "file", std::string(ref) + ":/"}, "repo nope: no such repo");
    told({"get", "file", std::string(ref) + ":/f"}, "repo nope: no such repo");
    told({"inspect", "commit", ref}, "repo nope: no such repo");
  }
  told({"delete", "file", "nope@master:/f"}, "repo nope: no such repo");
  told({"inspect", "branch", "nope@master"}, "repo nope: no such repo");
  told({"delete", "branch", "nope@master"}, "repo nope: no such repo");
  told({"inspect", "branch", "data@none"}, "branch data@none: no such branch");
}

}  // namespace
}  // namespace pfs::test
