// Repos that go, branches that are made from others, commits that are deleted and waited for.
#include <thread>

#include <catch2/catch.hpp>

#include "api/client/commits.h"
#include "cli/pfs_session.h"
#include "support/must.h"

namespace pfs::test {
namespace {

std::string head_of(PfsSession& session, const std::string& branch) {
  const auto text = session.ok({"inspect", "branch", branch});
  const auto at = text.find("Head Commit: ");
  return at == text.npos ? "" : text.substr(at + 13, 32);
}

std::string put(PfsSession& session, const std::string& branch, const std::string& text) {
  session.ok({"put", "file", branch + ":/f"}, text);
  return head_of(session, branch);
}

/// The ids of `list commit`, newest first, each shortened to its place in `made`.
std::string listed(PfsSession& session, std::vector<std::string> arguments,
                   const std::vector<std::string>& made) {
  arguments.insert(arguments.begin(), {"list", "commit"});
  std::istringstream lines(session.ok(arguments));
  std::string line;
  std::getline(lines, line);
  std::string places;
  while (std::getline(lines, line)) {
    for (std::size_t i = 0; i < made.size(); ++i) {
      if (line.find(made[i]) != line.npos) places += std::to_string(i);
    }
  }
  return places;
}

TEST_CASE("a repo's description is changed, and the list is narrowed by name", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "images"});
  session.ok({"create", "repo", "edges"});
  session.ok({"update", "repo", "images", "-d", "pictures"});
  CHECK(session.ok({"inspect", "repo", "images"}).find("Description: pictures") !=
        std::string::npos);
  const auto some = session.ok({"list", "repo", "mag"});
  CHECK(some.find("images") != some.npos);
  CHECK(some.find("edges") == some.npos);
  CHECK(session.pfs({"update", "repo", "none", "-d", "x"}).status == 1);
}

TEST_CASE("a deleted repo is gone, and programs are not asked whether they mean it",
          "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"create", "repo", "other"});
  put(session, "data@master", "1");
  CHECK(session.pfs({"delete", "repo"}).status == 2);
  CHECK(session.pfs({"delete", "repo", "none"}).status == 1);
  CHECK(session.ok({"delete", "repo", "data"}).empty());
  CHECK(session.pfs({"list", "commit", "data"}).status == 1);
  session.ok({"create", "repo", "data"});
  CHECK(session.ok({"list", "branch", "data"}) == "BRANCH HEAD TRIGGER\n");
  session.ok({"delete", "repo", "--all", "--split-txn"});
  CHECK(session.ok({"list", "repo"}) == "NAME CREATED SIZE (MASTER) DESCRIPTION\n");
}

TEST_CASE("a branch's provenance is shown, kept by a plain create, and in the way of a deletion",
          "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"create", "repo", "out"});
  session.ok({"create", "branch", "data@master"});
  session.ok({"create", "branch", "data@dev"});
  session.ok({"create", "branch", "out@master", "-p", "data@master", "-p", "data@dev"});
  session.ok({"create", "branch", "out@master"});
  CHECK(
      session.ok({"inspect", "branch", "out@master"}).find("Provenance: data@master data@dev\n") !=
      std::string::npos);
  const auto refused = session.pfs({"delete", "repo", "data"});
  CHECK(refused.status == 1);
  CHECK(refused.err.find("out@master") != refused.err.npos);
  CHECK(session.pfs({"delete", "branch", "data@dev"}).status == 1);
  session.ok({"delete", "branch", "data@dev", "-f"});
  session.ok({"delete", "repo", "data", "-f"});
  CHECK(session.pfs({"create", "branch", "out@x", "-p", "none@master"}).status == 1);
  CHECK(session.pfs({"create", "branch", "out@x", "-p", "no"}).status == 2);
}

TEST_CASE("several branches of a provenance may have commas between them", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  for (const auto* branch : {"data@a", "data@b", "data@c"}) session.ok({"create", "branch", branch});
  session.ok({"create", "repo", "out"});
  session.ok({"create", "branch", "out@m", "-p", "data@a,data@b", "-p", "data@c"});
  CHECK_THAT(session.ok({"inspect", "branch", "out@m"}),
             Catch::Contains("Provenance: data@a data@b data@c\n"));
  CHECK(session.pfs({"create", "branch", "out@m", "-p", "data@a,no"}).status == 2);
}

TEST_CASE("a commit that is badly written is an error of usage in every command", "[cli][session]") {
  PfsSession session;
  session.stop();  // nobody is asked
  const auto refused = [&session](const std::vector<std::string>& arguments) {
    CAPTURE(arguments);
    const auto said = session.pfs(arguments);
    CHECK(said.status == 2);
    CHECK(said.out.empty());
    CHECK_FALSE(said.err.empty());
  };
  for (const auto* commit : {"data@master^x", "data@", "@x"}) {
    for (const auto* verb : {"inspect", "finish", "delete", "squash", "flush", "wait"})
      refused({verb, "commit", commit});
    refused({"flush", "commit", "data@master", commit});
    refused({"start", "commit", "data@master", "-p", commit});
    refused({"list", "commit", "data@master", "--from", commit});
    refused({"subscribe", "commit", "data@master", "--from", commit});
    refused({"create", "branch", "data@master", "--head", commit});
  }
  for (const auto* head : {"staging^x", "^~", "@", ".0"})
    refused({"create", "branch", "data@master", "--head", head});
  refused({"delete", "commit", "data"});
  refused({"flush", "commit", "data@master", "-r", "a,no/name"});
  for (const auto* length : {"--commit-after=-1s", "--commit-max=soon"})
    refused({"update", "branch", "data@master", length});
}

TEST_CASE("who subscribes to a branch that is not there is told so, and waits", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"create", "branch", "data@master"});
  const auto told = [&session](const std::string& branch) {
    return session.pfs({"subscribe", "commit", branch, "--raw", "--timeout", "500ms"}).err;
  };
  CHECK_THAT(told("data@typo"),
             Catch::StartsWith("branch data@typo: is not there yet, and is waited for\n") &&
                 Catch::Contains("has not answered in time"));
  CHECK(told("data@master").find("not there yet") == std::string::npos);
  CHECK(told("none@master").find("not there yet") == std::string::npos);
}

TEST_CASE("a branch's trigger is shown in the list, and conditions need a branch",
          "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"create", "branch", "data@master", "--trigger", "staging", "--trigger-cron", "@daily",
              "--trigger-size", "1MB", "--trigger-commits", "7", "--trigger-all"});
  session.ok({"create", "branch", "data@copy", "--trigger", "master"});
  session.ok({"create", "branch", "data@copy"});
  CHECK(session.ok({"list", "branch", "data"}) ==
        "BRANCH HEAD TRIGGER\n"
        "copy   -    master on Commits(1)\n"
        "master -    staging on Cron(@daily) and Size(1MB) and Commits(7)\n");
  for (const auto* flag : {"--trigger-size=1MB", "--trigger-cron=@daily", "--trigger-commits=1",
                           "--trigger-all", "--trigger=no/good"}) {
    CAPTURE(flag);
    CHECK(session.pfs({"create", "branch", "data@x", flag}).status == 2);
  }
  for (const auto* flag : {"--trigger-size=big", "--trigger-cron=bogus", "--trigger-cron=61 * * * *"}) {
    CAPTURE(flag);
    const auto said = session.pfs({"create", "branch", "data@x", "--trigger", "copy", flag});
    CHECK(said.status == 2);
    CHECK_THAT(said.err, Catch::Contains("branch data@x: trigger-"));
  }
  CHECK(session.pfs({"create", "branch", "data@x", "--trigger", "x"}).status == 1);
  CHECK(session.pfs({"create", "branch", "data@staging", "--trigger", "copy"}).status == 1);
  CHECK(session.pfs({"create", "branch", "data@copy", "-p", "data@master"}).status == 1);
  CHECK(session.pfs({"inspect", "branch", "data@x"}).status == 1);  // nothing was made by half
}

TEST_CASE("old spellings of a branch are understood, with a hint", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  const auto said = session.pfs({"create-branch", "data", "master"});
  CHECK(said.status == 0);
  CHECK(said.err.find("'create branch'") != said.err.npos);
  CHECK(said.err.find("data@master") != said.err.npos);
  CHECK(head_of(session, "data@master").empty());
}

TEST_CASE("commands with addresses in several words do what they did for pachctl",
          "[cli][session]") {
  PfsSession session;
  session.ok({"create-repo", "data"});
  const auto id = session.ok({"start-commit", "data", "master", "-m", "of old"}).substr(0, 32);
  make_file(session.path("source"), "text");
  session.ok({"put-file", "data", "master", "/d/f", "-f", session.path("source")});
  session.ok({"finish-commit", "data", "master"});
  CHECK(session.ok({"get-file", "data", "master", "/d/f"}) == "text");
  CHECK(session.ok({"get-file", "data", id, "d/f"}) == "text");
  CHECK(session.ok({"list-file", "data", "master"}) == "NAME TYPE SIZE\n/d   dir  4B\n");
  CHECK(session.ok({"list-file", "data", "master", "/d"}) == "NAME TYPE SIZE\n/d/f file 4B\n");
  CHECK(session.ok({"glob-file", "data", "master", "/*/f"}) == "NAME TYPE SIZE\n/d/f file 4B\n");
  CHECK(session.ok({"inspect-commit", "data", id}).find("Description: of old\n") !=
        std::string::npos);
  CHECK(session.ok({"inspect-repo", "data"}).find("Name: data\n") != std::string::npos);
  CHECK(listed(session, {"data"}, {id}) == "0");
  session.ok({"create-branch", "data", "dev", "--head", "master"});
  CHECK(head_of(session, "data@dev") == id);
  session.ok({"copy-file", "data", "master", "/d/f", "data", "dev", "/g"});
  CHECK(session.ok({"get-file", "data", "dev", "/g"}) == "text");
  session.ok({"delete-file", "data", "dev", "/g"});
  CHECK(session.pfs({"get-file", "data", "dev", "/g"}).status == 1);
  session.ok({"delete-branch", "data", "dev"});
  CHECK(session.pfs({"inspect", "branch", "data@dev"}).status == 1);
}

TEST_CASE("a commit's address with a slash is understood, with a hint", "[cli][session]") {
  PfsSession session;
  session.ok({"create-repo", "data"});
  const auto id = session.ok({"start-commit", "data/master"}).substr(0, 32);
  session.ok({"put", "file", "data@master:/f"}, "text");
  session.ok({"finish-commit", "data/" + id});
  CHECK(listed(session, {"data/master"}, {id}) == "0");
  const auto shown = session.pfs({"inspect-commit", "--raw", "data/master"});
  CHECK(shown.status == 0);
  CHECK(shown.out == session.ok({"inspect", "commit", "--raw", "data@master"}));
  CHECK_THAT(shown.err, Catch::Contains("'data/master' is an old form of 'data@master'\n"));
  session.ok({"flush-commit", "data/" + id});
  CHECK(session.pfs({"inspect", "commit", "data/no/good"}).status == 2);
}

TEST_CASE("errors of commands with addresses in several words name the object", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  put(session, "data@master", "1");
  const auto told = [&](const std::vector<std::string>& arguments, int status,
                        const std::string& object) {
    CAPTURE(arguments);
    const auto said = session.pfs(arguments);
    CHECK(said.status == status);
    // behind the hints
    CHECK(said.err.find(object, said.err.rfind("\npfs")) != said.err.npos);
  };
  told({"finish-commit", "nothing", "master"}, 1, "nothing");
  told({"inspect-commit", "data", "dev"}, 1, "dev");
  told({"get-file", "data", "master", "/g"}, 1, "/g");
  told({"get-file", "data"}, 2, "'data'");
  told({"start-commit", "data", "no/good"}, 2, "branch 'no/good'");
}

TEST_CASE("commits of all repos are one list, newest first", "[cli][session]") {
  PfsSession session;
  CHECK(listed(session, {}, {}).empty());
  session.ok({"create", "repo", "data"});
  session.ok({"create", "repo", "other"});
  std::vector<std::string> made;
  for (const auto* branch : {"data@master", "other@master", "data@dev", "other@master"})
    made.push_back(put(session, branch, std::to_string(made.size())));
  CHECK(listed(session, {}, made) == "3210");
  CHECK(listed(session, {"-n", "3"}, made) == "321");
  CHECK(session.ok({"list", "commit", "--raw", "-n", "2"}) ==
        session.ok({"inspect", "commit", "other@" + made[3], "--raw"}) +
            session.ok({"inspect", "commit", "data@" + made[2], "--raw"}));

  made.push_back(session.ok({"start", "commit", "data@by-hand"}).substr(0, 32));
  made.push_back(put(session, "other@master", "5"));
  CHECK(listed(session, {}, made) == "453210");
  CHECK(session.pfs({"list", "commit", "-f", made[0]}).status == 2);
}

TEST_CASE("commits are listed from one on, and begun at another", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  std::vector<std::string> made;
  for (const auto* text : {"1", "2", "3", "4"}) made.push_back(put(session, "data@master", text));
  CHECK(listed(session, {"data@master", "--from", "data@master^2"}, made) == "32");
  CHECK(listed(session, {"data@master", "-f", made[0], "-n", "2"}, made) == "32");
  CHECK(session.pfs({"list", "commit", "data", "-f", made[0]}).status == 2);

  session.ok({"start", "commit", "data@master", "-p", "master^2"});
  CHECK(session.ok({"get", "file", "data@master:/f"}) == "2");
  session.ok({"finish", "commit", "data@master"});
  CHECK(session.ok({"inspect", "commit", "data@master"}).find("Parent: " + made[1]) !=
        std::string::npos);
  CHECK(session.pfs({"start", "commit", "data"}).status == 2);
}

TEST_CASE("a commit's history is listed, itself first", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  std::vector<std::string> made;
  for (int i = 0; i < 4; ++i) made.push_back(put(session, "data@master", std::to_string(i)));
  CHECK(listed(session, {"data@" + made[2]}, made) == "210");
  CHECK(listed(session, {"data@master^2"}, made) == "10");
  CHECK(listed(session, {"data@master^1", "-n", "2"}, made) == "21");
  CHECK(session.pfs({"list", "commit", "data@master^9"}).status == 1);
  CHECK(session.pfs({"list", "commit", "data@master^^2~1"}).status == 2);
  CHECK(session.pfs({"list", "commit", "data@" + made[2], "-f", made[0]}).status == 2);
}

TEST_CASE("a deleted commit's place is taken by its parent, a squashed one's content stays",
          "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  std::vector<std::string> made;
  for (const auto* text : {"1", "2", "3"}) made.push_back(put(session, "data@master", text));
  CHECK(session.pfs({"squash", "commit", "data@master"}).status == 1);
  session.ok({"squash", "commit", made[1]});
  CHECK(listed(session, {"data@master"}, made) == "20");
  CHECK(session.ok({"get", "file", "data@master:/f"}) == "3");
  session.ok({"delete", "commit", "data@master"});
  CHECK(listed(session, {"data"}, made) == "0");
  CHECK(session.ok({"get", "file", "data@master:/f"}) == "1");
  CHECK(session.pfs({"inspect", "commit", "data@" + made[2]}).status == 1);
  CHECK(session.pfs({"delete", "commit", "data@" + made[2]}).status == 1);
}

TEST_CASE("a commit that was started by hand is dropped by deleting it", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  const auto first = put(session, "data@master", "1");
  session.ok({"start", "commit", "data@master"});
  session.ok({"put", "file", "data@master:/f"}, "2");
  session.ok({"delete", "commit", "data@master"});
  CHECK(session.ok({"get", "file", "data@master:/f"}) == "1");
  CHECK(head_of(session, "data@master") == first);
  session.ok({"start", "commit", "data@master"});
}

TEST_CASE(
    "finishing twice is refused, and a branch that has been committed by itself can be finished",
    "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"start", "commit", "data@master"});
  session.ok({"finish", "commit", "data@master"});
  const auto said = session.pfs({"finish", "commit", "data@master"});
  CHECK(said.status == 1);
  CHECK(said.err.find("is finished already") != said.err.npos);
  put(session, "data@master", "1");
  session.ok({"finish", "commit", "data@master"});
}

TEST_CASE("a commit with nothing downstream is flushed at once", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  put(session, "data@master", "1");
  for (const auto* verb : {"flush", "wait"}) {
    CHECK(session.ok({verb, "commit", "data@master"}) ==
          "REPO BRANCH COMMIT FINISHED SIZE PROGRESS DESCRIPTION\n");
  }
  CHECK(session.pfs({"flush", "commit", "data@none"}).status == 1);
}

TEST_CASE("a subscription tells of commits that are there, and of those that come",
          "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  std::vector<std::string> made;
  for (const auto* text : {"1", "2"}) made.push_back(put(session, "data@master", text));
  const auto connection = must(client::Connection::to_socket(session.socket()));
  const auto ref = *BranchRef::parse("data@master");
  const auto until = [&](std::size_t count, const std::optional<CommitRef>& from, bool new_only) {
    std::vector<std::string> seen;
    const auto ended =
        client::Commits(*connection)
            .subscribe(ref, from, new_only, [&](const client::Commit& commit) -> Result<void> {
              seen.push_back(commit.id);
              if (seen.size() == count) return Error{Code::kCancelled, "enough"};
              return {};
            });
    CHECK(ended.error().code == Code::kCancelled);
    return seen;
  };
  CHECK(until(2, {}, false) == made);
  CHECK(until(1, *CommitRef::parse("data@" + made[0]), false) == std::vector{made[1]});

  std::vector<std::string> seen;
  std::thread subscriber([&] { seen = until(4, {}, false); });
  made.push_back(put(session, "data@master", "3"));
  made.push_back(put(session, "data@master", "4"));
  subscriber.join();
  CHECK(seen == made);
  CHECK(session.pfs({"subscribe", "commit", "data@master", "--new", "--from", made[0]}).status ==
        2);
  CHECK(session.pfs({"subscribe", "commit", "none@master"}).status == 1);
}

}  // namespace
}  // namespace pfs::test
