// Changes that are carried out together, or not at all.
#include <catch2/catch.hpp>

#include "api/client/files.h"
#include "cli/pfs_session.h"
#include "cli/recorded_pipelines.h"
#include "support/must.h"

namespace pfs::test {
namespace {

std::string started(PfsSession& session) {
  const auto said = session.ok({"start", "transaction"});
  const auto at = said.find('"');
  return said.substr(at + 1, 36);
}

std::string line(std::string text) {
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

TEST_CASE("what is in a transaction happens when it is finished, all at once", "[cli][session]") {
  PfsSession session;
  const auto id = started(session);
  const auto queued = session.pfs({"create", "repo", "data"});
  CHECK(queued.status == 0);
  CHECK(queued.err.find("added to transaction " + id) != queued.err.npos);
  session.ok({"create", "branch", "data@master"});
  const auto commit = line(session.ok({"start", "commit", "data@master"}));
  CHECK(commit.size() == 32);
  session.ok({"finish", "commit", "data@" + commit});
  session.ok({"create", "branch", "data@copy", "--head", "master"});
  CHECK(session.pfs({"inspect", "repo", "data"}).status == 1);
  CHECK(session.ok({"list", "transaction"}).find(id) != std::string::npos);
  const auto shown = session.ok({"inspect", "transaction"});
  CHECK(shown.find("Request 1: create repo data\n") != shown.npos);
  CHECK(shown.find("Request 5: create branch data@copy --head master\n") != shown.npos);

  CHECK(session.ok({"finish", "transaction"}) ==
        "Completed transaction with 5 requests: \"" + id + "\"\n");
  CHECK(session.ok({"inspect", "commit", "data@copy"}).find("Commit: data@" + commit) !=
        std::string::npos);
  CHECK(session.ok({"list", "transaction"}) == "TRANSACTION STARTED OPS\n");
  session.ok({"create", "repo", "after"});
  session.ok({"inspect", "repo", "after"});
}

TEST_CASE("what cannot be is refused when it is said, and is not in the transaction",
          "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  started(session);
  CHECK(session.pfs({"create", "repo", "data"}).status == 1);
  CHECK(session.pfs({"create", "branch", "none@master"}).status == 1);
  session.ok({"start", "commit", "data@master"});
  CHECK(session.pfs({"start", "commit", "data@master"}).status == 1);
  CHECK(session.pfs({"start", "transaction"}).status == 1);
  CHECK(session.ok({"inspect", "transaction"}).find("Request 2") == std::string::npos);
}

TEST_CASE("a transaction that something came in the way of does nothing, and says what",
          "[cli][session]") {
  PfsSession session;
  const auto id = started(session);
  session.ok({"create", "repo", "one"});
  session.ok({"create", "repo", "two"});
  session.ok({"stop", "transaction"});
  session.ok({"create", "repo", "two"});
  session.ok({"resume", "transaction", id});
  const auto said = session.pfs({"finish", "transaction"});
  CHECK(said.status == 1);
  CHECK(said.err.find("two") != said.err.npos);
  CHECK(said.err.find("delete transaction " + id) != said.err.npos);
  CHECK(session.pfs({"inspect", "repo", "one"}).status == 1);
  session.ok({"delete", "transaction"});
  CHECK(session.pfs({"finish", "transaction", id}).status == 1);
  session.ok({"create", "repo", "one"});
}

TEST_CASE("a transaction outlives the server, and the commits that it has promised",
          "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  const auto id = started(session);
  const auto commit = line(session.ok({"start", "commit", "data@master"}));
  session.stop();
  session.open();
  session.ok({"finish", "transaction"});
  session.ok({"put", "file", "data@master:/f"}, "x");
  session.ok({"finish", "commit", "data@master"});
  CHECK(session.ok({"get", "file", "data@" + commit + ":/f"}) == "x");
}

TEST_CASE("files that change in a transaction are seen when it is finished, all at once",
          "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"put", "file", "data@master:/old"}, "o");
  const auto id = started(session);
  const auto said = session.pfs({"put", "file", "data@master:/f"}, "x");
  CHECK(said.status == 0);
  CHECK(said.err.find("added to transaction " + id) != said.err.npos);
  session.ok({"put", "file", "data@new:/g"}, "y");
  session.ok({"copy", "file", "data@master:/old", "data@new:/copied"});
  session.ok({"delete", "file", "data@master:/old"});
  // what is said in the transaction sees what was said before
  session.ok({"delete", "file", "data@new:/copied"});
  CHECK(session.pfs({"delete", "file", "data@new:/copied"}).status == 1);
  CHECK(session.pfs({"delete", "file", "data@master:/old"}).status == 1);
  CHECK(session.pfs({"put", "file", "none@master:/f"}, "x").status == 1);
  CHECK(session.pfs({"put", "file", "data@master:/f/below"}, "x").status == 1);
  const auto shown = session.ok({"inspect", "transaction"});
  CHECK(shown.find("Request 1: put file data@master:/f\n") != shown.npos);
  CHECK(shown.find("Request 4: delete file data@master:/old\n") != shown.npos);
  CHECK(shown.find("Request 6") == shown.npos);

  CHECK(session.ok({"get", "file", "data@master:/old"}) == "o");
  CHECK(session.pfs({"get", "file", "data@master:/f"}).status == 1);
  CHECK(session.pfs({"inspect", "branch", "data@new"}).status == 1);
  session.stop();
  session.open();
  session.ok({"finish", "transaction"});
  CHECK(session.ok({"get", "file", "data@master:/f"}) == "x");
  CHECK(session.pfs({"get", "file", "data@master:/old"}).status == 1);
  CHECK(session.ok({"get", "file", "data@new:/g"}) == "y");
  CHECK(session.pfs({"get", "file", "data@new:/copied"}).status == 1);
  session.stop();
  session.open();
  CHECK(session.ok({"get", "file", "data@new:/g"}) == "y");
}

TEST_CASE("files that are put in a transaction are in the commit that it starts", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"put", "file", "data@master:/log"}, "1");
  started(session);
  const auto commit = line(session.ok({"start", "commit", "data@master"}));
  session.ok({"put", "file", "data@master:/log", "-a"}, "2");
  session.ok({"put", "file", "data@master:/log", "-a"}, "3");
  session.ok({"finish", "commit", "data@" + commit});
  session.ok({"create", "branch", "data@copy", "--head", "master"});
  session.ok({"put", "file", "data@copy:/more"}, "m");
  session.ok({"finish", "transaction"});
  CHECK(session.ok({"get", "file", "data@" + commit + ":/log"}) == "123");
  CHECK(session.ok({"get", "file", "data@master:/log"}) == "123");
  CHECK(session.pfs({"get", "file", "data@master:/more"}).status == 1);
  CHECK(session.ok({"get", "file", "data@copy^:/log"}) == "123");
  CHECK(session.ok({"get", "file", "data@copy:/more"}) == "m");

  started(session);
  const auto open = line(session.ok({"start", "commit", "data@master"}));
  session.ok({"put", "file", "data@master:/open"}, "4");
  session.ok({"finish", "transaction"});
  session.stop();
  session.open();
  CHECK(session.ok({"get", "file", "data@master:/open"}) == "4");
  session.ok({"put", "file", "data@master:/open", "-a"}, "5");
  session.ok({"finish", "commit", "data@master"});
  CHECK(session.ok({"get", "file", "data@" + open + ":/open"}) == "45");
}

TEST_CASE("a transaction that is deleted leaves no file, branch or commit", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  started(session);
  session.ok({"put", "file", "data@master:/f"}, "x");
  session.ok({"delete", "transaction"});
  CHECK(session.pfs({"inspect", "branch", "data@master"}).status == 1);
  CHECK(session.ok({"list", "commit", "data", "--raw"}).empty());
  session.ok({"put", "file", "data@master:/f"}, "y");
  CHECK(session.ok({"get", "file", "data@master:/f"}) == "y");
}

TEST_CASE("files are not put in a transaction where a commit is open since before", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  const auto open = line(session.ok({"start", "commit", "data@master"}));
  started(session);
  const auto said = session.pfs({"put", "file", "data@master:/f"}, "x");
  CHECK(said.status == 1);
  CHECK(said.err.find(open) != said.err.npos);
  session.ok({"finish", "commit", "data@master"});
  session.ok({"put", "file", "data@master:/f"}, "x");
  session.ok({"finish", "transaction"});
  CHECK(session.ok({"get", "file", "data@master:/f"}) == "x");
  started(session);
  CHECK(session.pfs({"sync", "/etc", "data@master:/etc"}).status == 1);
}

TEST_CASE("a commit that a transaction starts takes files by its id until it is finished there", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  const auto id = started(session);
  const auto open = line(session.ok({"start", "commit", "data@master"}));
  const auto connection = must(client::Connection::to_socket(session.socket()));
  connection->set_transaction(id);
  const auto put = [&](const std::string& name) -> Result<std::string> {
    client::Upload upload(*connection, must(CommitRef::parse("data@" + open)), {});
    PFS_TRY(upload.begin_file(must(RepoPath::parse(name)), {}));
    PFS_TRY(upload.data("x"));
    PFS_TRY_ASSIGN(const auto done, upload.finish());
    return done.commit;
  };
  CHECK(must(put("/f")) == open);
  session.ok({"finish", "commit", "data@" + open});
  const auto refused = put("/g");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::kReadOnly);
  session.ok({"finish", "transaction"});
  CHECK(session.ok({"get", "file", "data@" + open + ":/f"}) == "x");
  CHECK(session.pfs({"get", "file", "data@" + open + ":/g"}).status == 1);
}

TEST_CASE("a transaction that makes a branch from another deletes neither that one nor its repo", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"create", "repo", "out"});
  session.ok({"create", "branch", "data@master"});
  started(session);
  session.ok({"create", "branch", "out@master", "-p", "data@master"});
  for (const auto& command : {std::vector<std::string>{"delete", "branch", "data@master"},
                              std::vector<std::string>{"delete", "repo", "data"}}) {
    CAPTURE(command);
    const auto said = session.pfs(command);
    CHECK(said.status == 1);
    CHECK(said.err.find("branch out@master is made from it") != said.err.npos);
  }
  session.ok({"finish", "transaction"});
  session.ok({"inspect", "branch", "data@master"});
}

TEST_CASE("a branch and a commit that it is at are deleted in one transaction", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"put", "file", "data@master:/f"}, "1");
  session.ok({"create", "branch", "data@copy", "--head", "master"});
  started(session);
  session.ok({"delete", "branch", "data@copy"});
  session.ok({"delete", "commit", "data@master"});
  session.ok({"finish", "transaction"});
  CHECK(session.pfs({"inspect", "branch", "data@copy"}).status == 1);
  CHECK(session.ok({"list", "commit", "data", "--raw"}).empty());
}

TEST_CASE("what is no part of transactions is refused while one is active", "[cli][session]") {
  RecordedPipelines pipelines;
  PfsSession session(&pipelines);
  session.ok({"create", "repo", "data"});
  session.ok({"create", "branch", "data@master"});
  const auto id = started(session);
  make_file(session.path("spec.json"), "{}");
  const auto spec = session.path("spec.json");
  const std::vector<std::vector<std::string>> refused = {
      {"create", "pipeline", "-f", spec},
      {"update", "pipeline", "-f", spec},
      {"apply", "-f", spec},
      {"edit", "pipeline", "edges"},
      {"start", "pipeline", "edges"},
      {"stop", "pipeline", "edges"},
      {"run", "pipeline", "edges"},
      {"delete", "pipeline", "edges"},
      {"create", "secret", "-f", spec},
      {"delete", "secret", "access"},
      {"update", "branch", "data@master", "--commit", "manual"}};
  for (const auto& command : refused) {
    CAPTURE(command);
    const auto said = session.pfs(command);
    CHECK(said.status == 1);
    CHECK(said.err.find("cannot be a part of transaction " + id) != said.err.npos);
  }
  CHECK(pipelines.created.empty());
  session.ok({"apply", "--dry-run", "-f", spec});
  session.ok({"stop", "transaction"});
  session.ok({"create", "pipeline", "-f", spec});
}

TEST_CASE("a transaction is shown as YAML", "[cli][session]") {
  PfsSession session;
  const auto id = started(session);
  CHECK(session.ok({"inspect", "transaction", "-o", "yaml"}).starts_with("id: "));
  CHECK(session.ok({"inspect", "transaction", "-o", "yaml"}).find(id) != std::string::npos);
}

TEST_CASE("a second split behind what a transaction has put is refused, as it is not seen yet",
          "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  const std::string target = "data@master:/lines";
  const std::vector<std::string> split = {"put", "file", target, "-a", "--split", "line"};
  session.ok(split, "1\n");
  for (const auto* lines : {"2\n", "2\n3\n"}) {
    started(session);
    session.ok(split, lines);
    const auto said = session.pfs(split, "4\n");
    CHECK(said.status == 1);
    CHECK(said.err.find("finish the transaction first") != said.err.npos);
    session.ok({"put", "file", "data@other:/lines", "-a", "--split", "line"}, "5\n");
    session.ok({"finish", "transaction"});
  }
  session.ok(split, "4\n");
  CHECK(session.ok({"get", "file", target + "/*"}) == "1\n2\n2\n3\n4\n");
}

TEST_CASE("a transaction that is gone can be left", "[cli][session]") {
  PfsSession session;
  const auto id = started(session);
  session.ok({"delete", "transaction", id});
  session.ok({"create", "repo", "data"});
  session.ok({"inspect", "repo", "data"});
  CHECK(session.pfs({"stop", "transaction"}).status == 1);
  CHECK(session.pfs({"finish", "transaction", id}).status == 1);
}

}  // namespace
}  // namespace pfs::test
