// What a client had queued in an archived store is there, and is carried out.
#include <algorithm>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "api/client/transactions.h"
#include "api/server.h"
#include "format/archive.h"
#include "format/whole_archive.h"
#include "pfs/v1/transaction.pb.h"
#include "support/must.h"
#include "support/temporary_directory.h"

namespace pfs::test {
namespace {

/// The ids that the calls were told whose commits it makes.
std::vector<std::string> promised(store::Store& store, const std::string& id) {
  v1::StoredTransaction transaction;
  REQUIRE(transaction.ParseFromString(must(store.refs().get("transaction/" + id)).value().value));
  std::vector<std::string> ids;
  for (const auto& request : transaction.requests()) {
    if (request.has_start_commit() || request.has_files()) ids.push_back(request.promised_id());
  }
  return ids;
}

}  // namespace

TEST_CASE("a transaction that a client has queued in an archived store is carried out", "[api][format]") {
  const std::string version = GENERATE(as<std::string>(), PFS_WHOLE_ARCHIVES);
  const TemporaryDirectory directory;
  unpack_archive(PFS_ARCHIVES "/" + version + ".tar.zst", directory.path());
  const ArchiveClock clock(kArchiveRead, true);
  store::StoreOptions options;
  options.path = directory / "store";
  options.clock = &clock;
  options.automatic_commits = false;
  options.packing.automatic = false;
  const auto store = must(store::Store::open(options));
  must(store->resume());
  store::FinishOptions automatic;
  automatic.automatic = true;
  must(store->catalog().finish(must(BranchRef::parse("whole@queue")), automatic));  // as a second later: whether it has changed since its commit
  api::ServerOptions served;
  served.socket_path = directory / "socket";
  served.store = store.get();
  served.version = "9.9.9";
  const auto server = must(api::Server::start(served));
  const auto connection = must(client::Connection::to_socket(served.socket_path));
  const client::Transactions transactions(*connection);

  const auto queued = must(transactions.list());
  REQUIRE(queued.size() == 1);
  CHECK(queued.front().requests.size() == whole::kQueuedRequests);
  CHECK(queued.front().requests.front().find("create repo queued") == 0);
  const auto ids = promised(*store, queued.front().id);
  must(transactions.finish(queued.front().id));
  CHECK(must(transactions.list()).empty());

  const std::vector<std::string> nothing;
  CHECK(whole::missing_files(*store, whole::queued_files()) == nothing);
  auto& trees = store->trees();
  for (const auto* name : {"queued@master", "whole@queue"}) {
    const auto head = must(store->catalog().resolve(must(CommitRef::parse(name))));
    CHECK(std::find(ids.begin(), ids.end(), head.id.hex()) != ids.end());
    CHECK_FALSE(trees.walk(trees.root(must(trees.commit(head))), must(RepoPath::parse("/gone.txt"))));
  }
  CHECK(whole::missing_in(*store).size() == 2);  // what it removes, and what it makes longer
}

}  // namespace pfs::test
