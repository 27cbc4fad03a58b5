#include "trigger/internal/leftover_sweep.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include <spdlog/spdlog.h>

namespace pfs::trigger {

namespace {

constexpr std::chrono::milliseconds kLongestLookPause = std::chrono::minutes(5);

}  // namespace

LeftoverSweep::LeftoverSweep(const StartRecords& records, Engine engine, SweepPace pace)
    : records_(records), engine_(std::move(engine)), pace_(pace), starts_(records.earlier()) {
  if (starts_.empty()) return;
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "pfs-leftovers");
    work();
  });
}

LeftoverSweep::~LeftoverSweep() {
  {
    Lock lock(mutex_);
    end_ = true;
    ended_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void LeftoverSweep::work() {
  auto last_asked = std::chrono::steady_clock::now();
  std::chrono::milliseconds pause = pace_.look;
  bool complained = false;
  while (rest(pause)) {
    pause = std::min(2 * pause, kLongestLookPause);
    // before the sweep: a process that is gone by now has made its container, and the sweep finds it
    if (some_are_asked()) {
      last_asked = std::chrono::steady_clock::now();
      continue;
    }
    const bool settled = std::chrono::steady_clock::now() - last_asked >= pace_.settle;
    if (auto removed = remove_all(); !removed) {
      if (!std::exchange(complained, true)) {
        spdlog::warn("containers of an earlier start of pfsd may be left, and are looked for again: {}",
                     removed.error().message);
      }
      continue;
    }
    if (settled) {
      for (const std::string& start : starts_) records_.remove(start);
      return;
    }
    pause = pace_.settle;
  }
}

bool LeftoverSweep::some_are_asked() const { return std::any_of(starts_.begin(), starts_.end(), engine_.is_asked); }

Result<void> LeftoverSweep::remove_all() const {
  for (const std::string& start : starts_) PFS_TRY(engine_.remove(start));
  return {};
}

bool LeftoverSweep::rest(std::chrono::milliseconds time) {
  const auto until = std::chrono::steady_clock::now() + time;
  Lock lock(mutex_);
  while (!end_) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    if (left.count() <= 0) return true;
    ended_.wait_for(mutex_, left);
  }
  return false;
}

}  // namespace pfs::trigger
