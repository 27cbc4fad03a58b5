#include "store/repo/auto_commit.h"

#include <pthread.h>

#include <algorithm>

#include <spdlog/spdlog.h>

namespace pfs::store {

namespace {

constexpr int kThreads = 2;

}  // namespace

void AutoCommit::start() {
  {
    Lock lock(mutex_);
    stopping_ = false;
  }
  for (int i = 0; i < kThreads; ++i) threads_.emplace_back([this] { run(); });
}

void AutoCommit::stop() {
  {
    Lock lock(mutex_);
    stopping_ = true;
  }
  stopping_changed_.notify_all();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

void AutoCommit::run() {
  pthread_setname_np(pthread_self(), "pfs-auto-commit");
  const auto step = std::clamp(options_.commit_after / 5, std::chrono::milliseconds(10), std::chrono::milliseconds(100));
  for (;;) {
    {
      Lock lock(mutex_);
      if (!stopping_) stopping_changed_.wait_for(mutex_, step);
      if (stopping_) return;
    }
    commit_quiet_branches();
  }
}

void AutoCommit::commit_quiet_branches() {
  for (const auto& ref : trees_.changed_branches()) {
    const auto activity = trees_.activity(ref, options_.idle_after);
    if (!activity.changed || !activity.being_written.empty()) continue;
    if (clock_.steady() - activity.last_change < options_.commit_after) continue;
    if (!begin(ref)) continue;
    FinishOptions automatic;
    automatic.automatic = true;
    if (auto finished = catalog_.finish(ref, automatic); !finished && finished.error().code != Code::kNotFound) {
      spdlog::error("branch {}: not committed: {}", ref.str(), finished.error().message);
    }
    end(ref);
  }
}

bool AutoCommit::begin(const BranchRef& ref) {
  Lock lock(mutex_);
  return !stopping_ && under_way_.insert(ref).second;
}

void AutoCommit::end(const BranchRef& ref) {
  Lock lock(mutex_);
  under_way_.erase(ref);
}

Result<void> AutoCommit::commit_all() {
  for (const auto& ref : trees_.changed_branches()) {
    FinishOptions automatic;
    automatic.automatic = true;
    PFS_TRY(catalog_.finish(ref, automatic));
  }
  return {};
}

}  // namespace pfs::store
