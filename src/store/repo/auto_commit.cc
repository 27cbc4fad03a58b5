#include "store/repo/auto_commit.h"

#include <pthread.h>

#include <algorithm>

#include <spdlog/spdlog.h>

namespace pfs::store {

namespace {

constexpr int kThreads = 2;
constexpr auto kWithoutRoom = std::chrono::seconds(1);  // until it is tried again on a full disk

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
    if (activity.frozen) {  // it found no room before, or is being finished right now; it waits for nobody
      if (catalog_.is_claimed(ref) || !begin(ref)) continue;
      end(ref, catalog_.finish_frozen(ref));
      continue;
    }
    if (!activity.changed || !activity.being_written.empty()) continue;
    if (clock_.steady() - activity.last_change < options_.commit_after) continue;
    if (!begin(ref)) continue;
    FinishOptions automatic;
    automatic.automatic = true;
    const auto finished = catalog_.finish(ref, automatic);
    end(ref, finished ? Result<void>{} : Result<void>(finished.error()));
  }
}

bool AutoCommit::begin(const BranchRef& ref) {
  Lock lock(mutex_);
  const auto later = not_before_.find(ref);
  if (later != not_before_.end() && clock_.steady() < later->second) return false;
  return !stopping_ && under_way_.insert(ref).second;
}

void AutoCommit::end(const BranchRef& ref, const Result<void>& finished) {
  if (!finished && finished.error().code != Code::kNotFound) {
    spdlog::error("branch {}: not committed: {}", ref.str(), finished.error().message);
  }
  Lock lock(mutex_);
  under_way_.erase(ref);
  not_before_.erase(ref);
  if (!finished && finished.error().code == Code::kNoSpace) not_before_[ref] = clock_.steady() + kWithoutRoom;
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
