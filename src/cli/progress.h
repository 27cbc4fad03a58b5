#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

#include "base/sync.h"

namespace pfs::cli {

/// The line that Progress draws: `put  1.5GiB of 3GiB  210MiB/s  About a minute left`. `total` 0:
/// not known.
std::string progress_line(const std::string& what, std::uint64_t moved, std::uint64_t total,
                          std::chrono::nanoseconds elapsed);

/// A line on stderr about bytes that are on their way. A thread of its own draws it from a counter,
/// so who moves the bytes never waits for the terminal; where stderr is none, nothing is drawn.
class Progress {
 public:
  Progress(std::string what, bool wanted);
  ~Progress();  ///< takes the line away, where there is one
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Whether anybody sees it.
  bool is_shown() const { return thread_.joinable(); }
  void expect(std::uint64_t bytes) { total_.fetch_add(bytes, std::memory_order_relaxed); }
  void add(std::uint64_t bytes) { moved_.fetch_add(bytes, std::memory_order_relaxed); }

 private:
  void run();

  const std::string what_;
  const std::chrono::steady_clock::time_point begin_;
  // atomics: counters that order nothing, added to for every megabyte
  std::atomic<std::uint64_t> moved_{0};
  std::atomic<std::uint64_t> total_{0};
  Mutex mutex_{LockRank::kLeaf};
  Condition stopped_;
  bool stopping_ PFS_GUARDED_BY(mutex_) = false;
  bool drawn_ = false;  // the thread's own while it runs
  std::thread thread_;
};

}  // namespace pfs::cli
