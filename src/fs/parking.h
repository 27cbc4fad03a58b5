#pragma once

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "base/sync.h"

namespace pfs::fs {

/// Where requests wait that must not block the thread that read them: for a commit, a retarget, the
/// end of a branch.
///
/// A small pool of threads named `pfs-parked`. The queue has no bound of its own: each entry is a
/// process that waits in the kernel for its answer. What is posted may wait for other requests of
/// the kernel, never for another entry here. Thread-safe.
class Parking {
 public:
  explicit Parking(unsigned threads);
  /// Carries out what is queued, then joins.
  ~Parking();
  Parking(const Parking&) = delete;
  Parking& operator=(const Parking&) = delete;

  void post(std::function<void()> work) PFS_EXCLUDES(mutex_);
  /// Whether the calling thread carries out what was posted here.
  bool is_running_us() const;
  /// Returns when everything posted so far has been carried out.
  void drain() PFS_EXCLUDES(mutex_);

 private:
  void run() PFS_EXCLUDES(mutex_);

  Mutex mutex_{LockRank::kLeaf};
  Condition changed_;
  std::deque<std::function<void()>> queue_ PFS_GUARDED_BY(mutex_);
  std::size_t running_ PFS_GUARDED_BY(mutex_) = 0;
  bool stopping_ PFS_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace pfs::fs
