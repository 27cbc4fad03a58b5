#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "base/result.h"
#include "base/sync.h"

namespace pfs {

/// One sync for all who have asked for it before it begins; who asks later may have written later, and waits for the next.
///
/// A failure is for good: the kernel tells it once, may have dropped what it could not write, and says "good" to the next who
/// asks. Source: fsync(2), "Errors". Thread-safe.
class SharedSync {
 public:
  /// Returns when a sync that began after the call has ended; `sync` is what all callers mean by it. It is carried out by one of
  /// them at a time (of two at once the one that is told "good" could be gone before the other has noted that its own was not),
  /// without a lock of ours. Errors: those of `sync`, also of an earlier one that has failed.
  Result<void> run(const std::function<Result<void>()>& sync) PFS_EXCLUDES(mutex_);

  std::optional<Error> failure() const PFS_EXCLUDES(mutex_);
  /// Another way was found to make all that was written durable.
  void forget_failure() PFS_EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_{LockRank::kLeaf};
  Condition synced_;
  // Calls are numbered. A sync that starts when `calls_` is n serves calls 1 to n.
  std::uint64_t calls_ PFS_GUARDED_BY(mutex_) = 0;
  std::uint64_t served_ PFS_GUARDED_BY(mutex_) = 0;
  bool syncing_ PFS_GUARDED_BY(mutex_) = false;
  std::optional<Error> failure_ PFS_GUARDED_BY(mutex_);
};

}  // namespace pfs
