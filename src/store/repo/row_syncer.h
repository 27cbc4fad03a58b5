#pragma once

#include <cstdint>
#include <thread>

#include "base/sync.h"
#include "store/local_db.h"

namespace pfs::store {

/// Syncs the database's log in a thread of its own, while its caller syncs staged bytes. Whoever asks meanwhile shares.
///
/// Thread-safe.
class RowSyncer {
 public:
  explicit RowSyncer(LocalDb& local);
  ~RowSyncer();
  RowSyncer(const RowSyncer&) = delete;
  RowSyncer& operator=(const RowSyncer&) = delete;

  /// Asks for a sync of everything that was written before; what to wait for.
  std::uint64_t begin();
  /// Returns when it is done. Errors: as LocalDb::sync().
  Result<void> wait(std::uint64_t asked);

 private:
  void run();

  LocalDb& local_;
  Mutex mutex_{LockRank::kLeaf};
  Condition changed_;
  std::uint64_t asked_ PFS_GUARDED_BY(mutex_) = 0;
  std::uint64_t done_ PFS_GUARDED_BY(mutex_) = 0;
  // of the last sync; a failed one stays failed until the database was resumed, so the newest answer is right for all
  Result<void> outcome_ PFS_GUARDED_BY(mutex_);
  bool stopping_ PFS_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace pfs::store
