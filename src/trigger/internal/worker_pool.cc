#include "trigger/internal/worker_pool.h"

#include <pthread.h>

#include <algorithm>
#include <system_error>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "trigger/internal/again.h"
#include "trigger/internal/trouble.h"

namespace pfs::trigger {

namespace {

constexpr std::chrono::milliseconds kTryContainerEvery{2000};
constexpr std::size_t kThreadNameBytes = 15;

Error cancelled() { return Error{Code::kCancelled, "asked to stop"}; }

}  // namespace

void WorkerPool::make_room(std::size_t workers) {
  std::vector<std::unique_ptr<WorkerContainer>> superfluous;  // stopped after the lock
  Lock lock(mutex_);
  while (containers_.size() < workers) {
    const auto show = [this, worker = containers_.size()](const std::string& what) { show_preparing(worker, what); };
    containers_.push_back(std::make_unique<WorkerContainer>(house_, show));
  }
  while (containers_.size() > workers) {
    superfluous.push_back(std::move(containers_.back()));
    containers_.pop_back();
  }
  places_.resize(workers);
}

Result<void> WorkerPool::ensure(std::size_t worker, const PipelineSpec& spec, const KeepGoing& keep_going) {
  auto ready = containers_[worker]->ensure(spec, keep_going);
  Lock lock(mutex_);
  Place& place = places_[worker];
  place.runs = ready.has_value();
  // a start that we have left ourselves says nothing about the next one
  const bool left = !ready && ready.error().code == Code::kCancelled;
  place.trouble = left ? "" : containers_[worker]->trouble();
  return ready;
}

void WorkerPool::show_preparing(std::size_t worker, const std::string& what) {
  Lock lock(mutex_);
  if (worker < places_.size()) places_[worker].preparing = what;
  changed_.notify_all();
}

std::string WorkerPool::preparing() const {
  Lock lock(mutex_);
  for (const Place& place : places_) {
    if (!place.preparing.empty()) return place.preparing;
  }
  return {};
}

Result<void> WorkerPool::with_threads(std::size_t workers, const std::function<void(std::size_t worker)>& body,
                                      const std::function<void()>& meanwhile) {
  std::vector<std::thread> threads;
  try {
    for (std::size_t worker = 0; worker < workers; ++worker) {
      threads.emplace_back([this, worker, &body] {
        ::pthread_setname_np(::pthread_self(),
                             ("pfs-" + std::to_string(worker) + "-" + pipeline_).substr(0, kThreadNameBytes).c_str());
        body(worker);
      });
    }
  } catch (const std::system_error& refused) {
    const std::string why = fmt::format("pipeline {}: {} of {} workers have a thread: {}", pipeline_, threads.size(), workers,
                                        refused.what());
    if (threads.empty()) return Error{Code::kUnavailable, why + "; allow pfsd more, or ask for fewer in parallelism_spec"};
    spdlog::warn("{}; these do the work", why);
  }
  meanwhile();
  for (std::thread& thread : threads) thread.join();
  return {};
}

Result<void> WorkerPool::prepare(const PipelineSpec& spec, const KeepGoing& keep_going) {
  const std::size_t workers = spec.pods.workers();
  make_room(workers);
  // the first alone: what is wrong with its image is wrong with the others', too
  PFS_TRY(ensure(0, spec, keep_going));
  if (workers == 1) return {};
  std::vector<Result<void>> ready(workers);
  PFS_TRY(with_threads(
      workers - 1, [&](std::size_t worker) { ready[worker + 1] = ensure(worker + 1, spec, keep_going); }, [] {}));
  for (auto& one : ready) PFS_TRY(one);
  return {};
}

Result<void> WorkerPool::run(const PipelineSpec& spec, PoolWork& work, const KeepGoing& keep_going) {
  const std::size_t count = work.count();
  if (count == 0) return {};
  make_room(spec.pods.workers());
  {
    Lock lock(mutex_);
    work_ = &work;
    left_ = count;
    halt_ = false;
    error_.reset();
    ended_.clear();
    queue_.clear();
    for (std::size_t datum = 0; datum < count; ++datum) queue_.push_back({datum, 1});
  }
  const KeepGoing go_on = [this, &keep_going] { return !halted() && keep_going(); };
  const auto worked = with_threads(
      std::min(containers_.size(), count), [&](std::size_t worker) { this->work(worker, spec, work, go_on); },
      [&] { tell(work, keep_going); });
  std::deque<Ended> untold;
  {
    Lock lock(mutex_);
    work_ = nullptr;
    queue_.clear();
    untold.swap(ended_);
  }
  // what was done when the work was halted need not be done again
  for (const Ended& one : untold) PFS_TRY(work.ended(one.datum, one.attempt));
  PFS_TRY(worked);
  Lock lock(mutex_);
  if (error_) return *std::exchange(error_, std::nullopt);
  return {};
}

void WorkerPool::work(std::size_t worker, const PipelineSpec& spec, PoolWork& work, const KeepGoing& keep_going) {
  while (wait_for_item()) {
    // before one is taken: who has no container must not keep it from those who have
    auto ready = ensure(worker, spec, keep_going);
    if (!ready && ready.error().code == Code::kUnavailable) {
      if (!pause(kTryContainerEvery)) return;
      continue;
    }
    if (!ready && ready.error().code == Code::kCancelled) return halt(std::move(ready).error());
    const auto item = take(worker);
    if (!item) continue;
    if (!ready) {
      if (ready.error().code == Code::kNotFound || ready.error().code == Code::kInvalid) {
        put_back(worker, *item, PoolWork::Attempt{AttemptHow::kCannotStart, ready.error().message});
      } else {
        put_back(worker, *item, std::move(ready).error());
      }
      continue;
    }
    const KeepGoing unless_restarted = [this, worker, &keep_going] {
      {
        Lock lock(mutex_);
        if (places_[worker].restart) return false;
      }
      return keep_going();
    };
    const bool go_on =
        put_back(worker, *item, work.attempt(*containers_[worker], item->datum, item->number, unless_restarted));
    containers_[worker]->show(nullptr);
    if (!go_on && !pause(kTryContainerEvery)) return;
  }
}

bool WorkerPool::wait_for_item() {
  Lock lock(mutex_);
  while (queue_.empty() && left_ > 0 && !halt_) changed_.wait(mutex_);
  return left_ > 0 && !halt_;
}

std::optional<WorkerPool::Item> WorkerPool::take(std::size_t worker) {
  Lock lock(mutex_);
  if (queue_.empty() || halt_) return std::nullopt;
  const Item item = queue_.front();
  queue_.pop_front();
  places_[worker].item = item;
  places_[worker].since = clock_.now();
  places_[worker].restart = false;
  return item;
}

bool WorkerPool::put_back(std::size_t worker, const Item& item, Result<PoolWork::Attempt> attempt) {
  Lock lock(mutex_);
  Place& place = places_[worker];
  place.runs = containers_[worker]->runs();
  place.item.reset();
  const bool restart = std::exchange(place.restart, false);
  bool go_on = true;
  if (!attempt && attempt.error().code == Code::kCancelled && restart && !halt_) {
    queue_.push_front(item);
  } else if (!attempt) {
    // what the halt itself has ended is no reason for it
    const bool cancelled = attempt.error().code == Code::kCancelled;
    if (cancelled) ended_.push_back({item.datum, {AttemptHow::kCutOff, attempt.error().message}});
    if (!error_ && !(halt_ && cancelled)) error_ = std::move(attempt).error();
    halt_ = true;
  } else if (attempt->how == AttemptHow::kAgain) {
    queue_.push_front({item.datum, item.number + 1});
  } else if (attempt->how == AttemptHow::kNotBegun) {
    // without a pause, containers that end as soon as they are made would follow each other for ever
    queue_.push_front(item);
    place.trouble = std::move(attempt->why);
    go_on = false;
  } else {
    --left_;
    if (attempt->how == AttemptHow::kCannotStart) halt_ = true;  // nor can the next one's: none is taken
    ended_.push_back({item.datum, *std::move(attempt)});
  }
  changed_.notify_all();
  return go_on;
}

bool WorkerPool::pause(std::chrono::milliseconds time) {
  const auto until = std::chrono::steady_clock::now() + time;
  Lock lock(mutex_);
  while (!halt_ && left_ > 0) {
    const auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    if (rest.count() <= 0) return true;
    changed_.wait_for(mutex_, rest);
  }
  return false;
}

void WorkerPool::halt(Error why) {
  Lock lock(mutex_);
  // what the halt itself has ended is no reason for it
  if (!error_ && !(halt_ && why.code == Code::kCancelled)) error_ = std::move(why);
  halt_ = true;
  changed_.notify_all();
}

bool WorkerPool::halted() const {
  Lock lock(mutex_);
  return halt_;
}

void WorkerPool::tell(PoolWork& work, const KeepGoing& keep_going) {
  std::string waiting_for;
  while (true) {
    std::deque<Ended> ended;
    std::string now_waiting_for;
    bool all = false;
    {
      Lock lock(mutex_);
      if (ended_.empty() && left_ > 0 && !halt_) changed_.wait_for(mutex_, kAskEvery);
      if (halt_) return;
      ended.swap(ended_);
      all = left_ == 0;
      const bool some_run = std::any_of(places_.begin(), places_.end(), [](const Place& place) { return place.runs; });
      for (const Place& place : places_) {
        if (!some_run && now_waiting_for.empty()) now_waiting_for = place.preparing.empty() ? place.trouble : place.preparing;
      }
    }
    if (gist_of(now_waiting_for) != gist_of(waiting_for)) work.waiting(waiting_for = now_waiting_for);
    for (const Ended& one : ended) {
      if (auto told = work.ended(one.datum, one.attempt); !told) return halt(std::move(told).error());
    }
    if (all) return;
    if (!keep_going()) return halt(cancelled());
  }
}

void WorkerPool::stop() {
  for (const auto& container : containers_) container->stop();
  Lock lock(mutex_);
  for (Place& place : places_) place.runs = false;
}

bool WorkerPool::warm() const {
  Lock lock(mutex_);
  return std::any_of(places_.begin(), places_.end(), [](const Place& place) { return place.runs; });
}

std::string WorkerPool::trouble() const {
  Lock lock(mutex_);
  std::string first;
  for (const Place& place : places_) {
    if (place.runs) return {};
    if (first.empty()) first = place.trouble;
  }
  return first;
}

std::vector<WorkerInfo> WorkerPool::workers() const {
  Lock lock(mutex_);
  std::vector<WorkerInfo> infos;
  for (const Place& place : places_) {
    WorkerInfo info;
    info.runs = place.runs;
    if (place.item && work_ != nullptr) {
      info.datum = work_->hash(place.item->datum);
      info.path = work_->path(place.item->datum);
      info.since = place.since;
    }
    infos.push_back(std::move(info));
  }
  return infos;
}

std::size_t WorkerPool::restart(const std::vector<std::string>& filter) {
  Lock lock(mutex_);
  if (work_ == nullptr) return 0;
  const PoolWork& work = *work_;
  std::size_t restarted = 0;
  for (Place& place : places_) {
    if (!place.item) continue;
    const bool named = std::all_of(filter.begin(), filter.end(),
                                   [&](const std::string& one) { return work.is_named(place.item->datum, one); });
    if (!named) continue;
    place.restart = true;
    ++restarted;
  }
  return restarted;
}

}  // namespace pfs::trigger
