#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

// Clang's thread-safety analysis; empty on other compilers.
// Source: https://clang.llvm.org/docs/ThreadSafetyAnalysis.html
#if defined(__clang__)
#define PFS_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define PFS_THREAD_ANNOTATION(x)
#endif
#define PFS_CAPABILITY(x) PFS_THREAD_ANNOTATION(capability(x))
#define PFS_SCOPED_CAPABILITY PFS_THREAD_ANNOTATION(scoped_lockable)
#define PFS_GUARDED_BY(x) PFS_THREAD_ANNOTATION(guarded_by(x))
#define PFS_REQUIRES(...) PFS_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define PFS_ACQUIRE(...) PFS_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define PFS_RELEASE(...) PFS_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define PFS_EXCLUDES(...) PFS_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define PFS_NO_ANALYSIS PFS_THREAD_ANNOTATION(no_thread_safety_analysis)

namespace pfs {

/// The order in which locks are taken, outermost first; debug builds assert that ranks rise.
/// docs/locks.md says what each one protects and for how long it may be held.
enum class LockRank : int {
  kPublish = 0,     ///< which branches are claimed by a finish, a move or a deletion; a put that appends
  kRename = 1,      ///< one per mount: a rename between two directories
  kBranch = 2,      ///< the live trees: names, rows, epochs
  kDirectory = 3,   ///< a directory's entries
  kFile = 4,        ///< a file's layers and staged bytes
  kInodeTable = 5,  ///< number to inode: a map operation, never a load
  kStorage = 6,     ///< the tail of a pack, a segment or the log: one unsynced write
  kLeaf = 7,        ///< caches, queues, counters: takes nothing else, does no I/O
};

/// A mutex that knows its rank. Not recursive. One plain Mutex per class.
class PFS_CAPABILITY("mutex") Mutex {
 public:
  explicit Mutex(LockRank rank) : rank_(rank) {}
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() PFS_ACQUIRE();
  void unlock() PFS_RELEASE();
  LockRank rank() const { return rank_; }

 private:
  friend class Condition;
  std::mutex mutex_;
  const LockRank rank_;
};

/// Holds a Mutex for a scope.
class PFS_SCOPED_CAPABILITY Lock {
 public:
  explicit Lock(Mutex& mutex) PFS_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~Lock() PFS_RELEASE() { mutex_.unlock(); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  Mutex& mutex_;
};

/// Waits for a change of what a Mutex guards. `mutex` is the one held by the caller's Lock.
class Condition {
 public:
  void wait(Mutex& mutex) PFS_REQUIRES(mutex);
  /// Returns false when `timeout` passed first. Real time: a wait is never part of what a test controls.
  bool wait_for(Mutex& mutex, std::chrono::milliseconds timeout) PFS_REQUIRES(mutex);
  void notify_one() { condition_.notify_one(); }
  void notify_all() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace pfs
