#pragma once

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "base/sync.h"

namespace pfs::store {

/// Threads for what takes processor time: hashing, compressing, decoding. As many as the machine has cores; they are started
/// with the first task, so that a store that only ever makes small commits has none, and end with the pool.
///
/// Thread-safe. A task never waits for another one (a pool whose threads all wait would stand still), and whoever waits for
/// a task that nobody has begun does it himself.
class WorkPool {
 public:
  explicit WorkPool(unsigned threads = std::thread::hardware_concurrency());
  /// Does what was submitted, then ends the threads.
  ~WorkPool();
  WorkPool(const WorkPool&) = delete;
  WorkPool& operator=(const WorkPool&) = delete;

  /// Somebody waits for `kSoon`; `kLater` is done when nothing else is. Log lines of a task have the request id of who submits it.
  enum class Turn { kSoon, kLater };
  void submit(Turn turn, std::function<void()> task) PFS_EXCLUDES(mutex_);

  unsigned size() const { return size_; }

 private:
  void start() PFS_REQUIRES(mutex_);
  void run() PFS_EXCLUDES(mutex_);

  const unsigned size_;
  Mutex mutex_{LockRank::kLeaf};
  Condition submitted_;
  std::deque<std::function<void()>> soon_ PFS_GUARDED_BY(mutex_);
  std::deque<std::function<void()>> later_ PFS_GUARDED_BY(mutex_);
  bool ending_ PFS_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_ PFS_GUARDED_BY(mutex_);
};

}  // namespace pfs::store
