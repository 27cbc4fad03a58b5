#include "store/repo/auto_commit.h"

#include <pthread.h>

#include <algorithm>

#include <spdlog/spdlog.h>

namespace pfs::store {

namespace {

constexpr int kThreads = 2;
constexpr auto kLookEvery = std::chrono::milliseconds(100);

// Until a commit that could not be made is tried again.
std::chrono::seconds pause_after(Code trouble) {
  switch (trouble) {
    case Code::kNotFound:
    case Code::kBusy:
    case Code::kConflict: return std::chrono::seconds(0);  // somebody was faster
    case Code::kNoSpace: return std::chrono::seconds(1);
    default: return std::chrono::seconds(30);  // a damaged store, which says so each time
  }
}

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
  changed_.notify_all();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

void AutoCommit::run() {
  pthread_setname_np(pthread_self(), "pfs-auto-commit");
  const auto step = std::clamp(catalog_.default_policy().after / 5, std::chrono::milliseconds(10), kLookEvery);
  auto next_look = clock_.steady();
  for (;;) {
    std::set<BranchRef> closed;
    {
      Lock lock(mutex_);
      closed = take_closed();
      if (closed.empty() && !stopping_) {
        changed_.wait_for(mutex_, step);
        closed = take_closed();
      }
      if (stopping_) return;
    }
    for (const auto& ref : closed) commit(ref, Due::kClosed);
    if (clock_.steady() < next_look) continue;
    commit_due_branches();
    trees_.clear_when_quiet();  // what goes without a commit
    next_look = clock_.steady() + step;
  }
}

void AutoCommit::closed(const BranchRef& ref) {
  {
    Lock lock(mutex_);
    if (stopping_ || !closed_.insert(ref).second) return;
  }
  changed_.notify_all();
}

// Closes that come while a commit is being made share the next one: end() looks at them again.
std::set<BranchRef> AutoCommit::take_closed() {
  std::set<BranchRef> taken;
  for (auto it = closed_.begin(); it != closed_.end();) {
    if (under_way_.contains(*it)) {
      ++it;
      continue;
    }
    taken.insert(*it);
    it = closed_.erase(it);
  }
  return taken;
}

void AutoCommit::commit_due_branches() {
  for (const auto& ref : trees_.changed_branches()) {
    const auto activity = trees_.activity(ref, options_.idle_after);
    if (activity.frozen) {  // it found no room before, or is being finished right now; it waits for nobody
      if (catalog_.is_claimed(ref) || !begin(ref)) continue;
      end(ref, catalog_.finish_frozen(ref));
      continue;
    }
    if (const auto why = due(ref, activity); why != Due::kNo) commit(ref, why);
  }
}

AutoCommit::Due AutoCommit::due(const BranchRef& ref, const DeltaTrees::Activity& activity) const {
  if (!activity.changed) return Due::kNo;
  const auto branch = catalog_.branch(ref);
  if (!branch || catalog_.ends_on_request(*branch)) return Due::kNo;
  const auto policy = branch->policy.over(catalog_.default_policy());
  const auto now = clock_.steady();
  if (activity.being_written.empty() && now - activity.last_change >= policy.after) return Due::kQuiet;
  const bool old = policy.max.count() > 0 && now - activity.first_change >= policy.max;
  return old ? Due::kOld : Due::kNo;
}

void AutoCommit::commit(const BranchRef& ref, Due why) {
  if (!begin(ref)) return;
  // what programs have stored through shared mappings shows which files are being written
  if (why == Due::kOld) catalog_.write_back(ref);
  FinishOptions automatic;
  automatic.automatic = true;
  automatic.leave_out_written = why != Due::kQuiet;  // a quiet branch has none
  const auto finished = catalog_.finish(ref, automatic);
  end(ref, finished ? Result<void>{} : Result<void>(finished.error()));
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
  bool closed = false;
  {
    Lock lock(mutex_);
    under_way_.erase(ref);
    not_before_.erase(ref);
    if (!finished) not_before_[ref] = clock_.steady() + pause_after(finished.error().code);
    closed = closed_.contains(ref);
  }
  if (closed) changed_.notify_all();
}

Result<void> AutoCommit::commit_all() {
  Result<void> all;
  for (const auto& ref : trees_.changed_branches()) {
    FinishOptions automatic;
    automatic.automatic = true;
    auto finished = catalog_.finish(ref, automatic);
    if (finished) continue;
    spdlog::error("branch {}: not committed: {}; its changes stay for the next start", ref.str(), finished.error().message);
    if (all) all = std::move(finished).error();
  }
  return all;
}

}  // namespace pfs::store
