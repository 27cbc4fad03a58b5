#include "base/sync.h"

#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace pfs {

namespace {

#ifndef NDEBUG
// Ranks of the mutexes that this thread holds, in the order taken.
thread_local std::vector<LockRank> held_ranks;

void check_rises(LockRank rank) {
  if (!held_ranks.empty() && held_ranks.back() >= rank) {
    std::fprintf(stderr, "lock of rank %d taken while rank %d is held: see docs/locks.md\n", static_cast<int>(rank),
                 static_cast<int>(held_ranks.back()));
    std::abort();
  }
}

void note_taken(LockRank rank) { held_ranks.push_back(rank); }

void note_released(LockRank rank) {
  for (auto it = held_ranks.rbegin(); it != held_ranks.rend(); ++it) {
    if (*it == rank) {
      held_ranks.erase(std::next(it).base());
      return;
    }
  }
}
#else
void check_rises(LockRank) {}
void note_taken(LockRank) {}
void note_released(LockRank) {}
#endif

}  // namespace

void Mutex::lock() PFS_NO_ANALYSIS {
  check_rises(rank_);
  mutex_.lock();
  note_taken(rank_);
}

void Mutex::unlock() PFS_NO_ANALYSIS {
  note_released(rank_);
  mutex_.unlock();
}

void Condition::wait(Mutex& mutex) PFS_NO_ANALYSIS {
  std::unique_lock<std::mutex> guard(mutex.mutex_, std::adopt_lock);
  condition_.wait(guard);
  guard.release();
}

bool Condition::wait_for(Mutex& mutex, std::chrono::milliseconds timeout) PFS_NO_ANALYSIS {
  std::unique_lock<std::mutex> guard(mutex.mutex_, std::adopt_lock);
  // system_clock: tsan of GCC 12 does not know pthread_cond_clockwait, which steady_clock would use
  const bool in_time = condition_.wait_until(guard, std::chrono::system_clock::now() + timeout) == std::cv_status::no_timeout;
  guard.release();
  return in_time;
}

}  // namespace pfs
