#pragma once

#include <chrono>
#include <map>
#include <set>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/sync.h"
#include "store/repo/ref_catalog.h"

namespace pfs::store {

/// The quiet rule (semantics S41): a branch on which nothing was changed for a while and no file is being written is
/// committed.
///
/// Owns two threads, "pfs-auto-commit", from start() to stop(): a commit that takes long keeps no other branch waiting.
class AutoCommit {
 public:
  struct Options {
    std::chrono::milliseconds commit_after{1000};
    std::chrono::milliseconds idle_after{10000};
  };
  AutoCommit(RefCatalog& catalog, DeltaTrees& trees, const Clock& clock, Options options)
      : catalog_(catalog), trees_(trees), clock_(clock), options_(options) {}
  ~AutoCommit() { stop(); }

  void start();
  void stop();
  /// One look at every branch that no other thread is committing; what the threads do again and again.
  void commit_quiet_branches();
  /// Commits every branch that has changes, quiet or not.
  Result<void> commit_all();

 private:
  void run();
  bool begin(const BranchRef& ref);
  void end(const BranchRef& ref, const Result<void>& finished);

  RefCatalog& catalog_;
  DeltaTrees& trees_;
  const Clock& clock_;
  const Options options_;
  Mutex mutex_{LockRank::kLeaf};
  Condition stopping_changed_;
  bool stopping_ PFS_GUARDED_BY(mutex_) = false;
  std::set<BranchRef> under_way_ PFS_GUARDED_BY(mutex_);
  std::map<BranchRef, std::chrono::steady_clock::time_point> not_before_ PFS_GUARDED_BY(mutex_);  // those that found no room
  std::vector<std::thread> threads_;
};

}  // namespace pfs::store
