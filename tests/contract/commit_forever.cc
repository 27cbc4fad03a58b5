// Usage: commit_forever DIRECTORY: commits ref and local rows 1, 2, 3, ... and prints each number once it was
// acknowledged, until it is killed. Part of the tests that say that a killed process loses nothing.

#include <cstdio>
#include <string>

#include "store/refs/rocks_db.h"
#include "store/refs/rocks_local_db.h"
#include "store/refs/rocks_ref_db.h"

namespace pfs::store {

static Result<void> commit_forever(const std::string& directory) {
  PFS_TRY_ASSIGN(const auto database, RocksDatabase::open(directory));
  PFS_TRY_ASSIGN(const auto refs, RocksRefDb::open(*database));
  RocksLocalDb local(*database);
  for (int number = 1;; ++number) {
    const auto name = std::to_string(number);
    LocalBatch batch;
    batch.put(Family::kDelta, name, name);
    PFS_TRY(local.write(batch));
    RefTxn txn;
    txn.id = name;
    txn.expect.push_back({"ref/" + name, std::nullopt});
    txn.put.push_back({"ref/" + name, name});
    txn.events.push_back({Seq(), "made", name, ""});
    PFS_TRY(refs->commit(std::move(txn)));
    std::printf("%s\n", name.c_str());
    std::fflush(stdout);
  }
}

}  // namespace pfs::store

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto ended = pfs::store::commit_forever(argv[1]);
  std::fprintf(stderr, "commit_forever: %s\n", ended.error().message.c_str());
  return 1;
}
