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

/// Makes the commits that nobody asks for, by each branch's policy: when it is quiet (semantics S41), when it has been
/// changing for long (S49), when a file of it is closed (S50).
///
/// Owns two threads, "pfs-auto-commit", from start() to stop(): a commit that takes long keeps no other branch waiting.
class AutoCommit {
 public:
  struct Options {
    std::chrono::milliseconds idle_after{10000};
  };
  AutoCommit(RefCatalog& catalog, DeltaTrees& trees, const Clock& clock, Options options)
      : catalog_(catalog), trees_(trees), clock_(clock), options_(options) {}
  ~AutoCommit() { stop(); }

  void start();
  void stop();
  /// A file of the branch, whose policy is `close`, has been closed by its last writer.
  void closed(const BranchRef& ref);
  /// One look at every branch that no other thread is committing; what the threads do again and again.
  void commit_due_branches();
  /// Commits every branch that has changes, quiet or not, but for those that end on request only.
  Result<void> commit_all();

 private:
  enum class Due { kNo, kQuiet, kOld, kClosed };

  void run();
  /// Branches with a close since their last commit began, that no other thread is committing.
  std::set<BranchRef> take_closed() PFS_REQUIRES(mutex_);
  Due due(const BranchRef& ref, const DeltaTrees::Activity& activity) const;
  void commit(const BranchRef& ref, Due why);
  bool begin(const BranchRef& ref);
  void end(const BranchRef& ref, const Result<void>& finished);

  RefCatalog& catalog_;
  DeltaTrees& trees_;
  const Clock& clock_;
  const Options options_;
  Mutex mutex_{LockRank::kLeaf};
  Condition changed_;  // stopping_, closed_
  bool stopping_ PFS_GUARDED_BY(mutex_) = true;
  std::set<BranchRef> closed_ PFS_GUARDED_BY(mutex_);
  std::set<BranchRef> under_way_ PFS_GUARDED_BY(mutex_);
  std::map<BranchRef, std::chrono::steady_clock::time_point> not_before_ PFS_GUARDED_BY(mutex_);  // those that failed
  std::vector<std::thread> threads_;
};

}  // namespace pfs::store
