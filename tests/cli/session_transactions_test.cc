// Changes that are carried out together, or not at all.
#include <catch2/catch.hpp>

#include "cli/pfs_session.h"

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

TEST_CASE("what cannot be is refused when it is said, and is not in the transaction", "[cli][session]") {
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

TEST_CASE("a transaction that something came in the way of does nothing, and says what", "[cli][session]") {
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

TEST_CASE("a transaction outlives the server, and the commits that it has promised", "[cli][session]") {
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

TEST_CASE("files are not changed beside a transaction by somebody who believes to be in it", "[cli][session]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  const auto id = started(session);
  const auto said = session.pfs({"put", "file", "data@master:/f"}, "x");
  CHECK(said.status == 1);
  CHECK(said.err.find("stop transaction") != said.err.npos);
  CHECK(session.pfs({"copy", "file", "data@master:/f", "data@master:/g"}).status == 1);
  CHECK(session.pfs({"delete", "file", "data@master:/f"}).status == 1);
  session.ok({"stop", "transaction"});
  session.ok({"put", "file", "data@master:/f"}, "x");
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
