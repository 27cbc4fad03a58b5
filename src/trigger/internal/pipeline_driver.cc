#include "trigger/internal/pipeline_driver.h"

#include <pthread.h>

#include <algorithm>

#include <spdlog/spdlog.h>

#include "trigger/internal/job_inputs.h"
#include "trigger/internal/job_run.h"
#include "trigger/internal/trouble.h"

namespace pfs::trigger {

namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kCancelledPause = 100ms;
constexpr std::chrono::milliseconds kShortestPause = 1s;
constexpr std::chrono::milliseconds kLongestPause = 30s;
constexpr std::chrono::milliseconds kTryContainerEvery = 5s;
constexpr std::chrono::milliseconds kLongestContainerPause = 5min;
constexpr std::chrono::milliseconds kLookAtContainersEvery = 5s;
constexpr std::size_t kThreadNameBytes = 15;

/// Whether a job was caused for the branches that the spec has; an update causes another.
bool reads_the_same(const JobRecord& job, const PipelineSpec& spec) {
  const auto branches = branches_of(spec.input);
  return std::equal(branches.begin(), branches.end(), job.inputs.begin(), job.inputs.end(),
                    [](const BranchRef& branch, const JobInput& input) { return branch == input.branch; });
}

}  // namespace

PipelineDriver::PipelineDriver(const DriverHouse& house, RepoName name)
    : house_(house), name_(std::move(name)), workers_(house.workers, house.clock, name_.str()) {
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), ("pfs-" + name_.str()).substr(0, kThreadNameBytes).c_str());
    work_until_stopped();
  });
}

void PipelineDriver::wake() {
  Lock lock(mutex_);
  wake_ = true;
  woken_.notify_one();
}

void PipelineDriver::wake_if_waiting() {
  Lock lock(mutex_);
  if (!running_job_ || !running_job_->waits()) return;
  wake_ = true;
  woken_.notify_one();
}

void PipelineDriver::renew(std::uint64_t version) {
  Lock lock(mutex_);
  version_ = std::max(version_, version);
  wake_ = true;
  woken_.notify_one();
}

void PipelineDriver::ask_to_stop() {
  Lock lock(mutex_);
  stop_ = true;
  woken_.notify_one();
}

void PipelineDriver::stop() {
  ask_to_stop();
  if (thread_.joinable()) thread_.join();
}

PipelineDriver::Health PipelineDriver::health() const {
  Lock lock(mutex_);
  return health_;
}

std::optional<JobRecord> PipelineDriver::running_job() const {
  Lock lock(mutex_);
  return running_job_;
}

bool PipelineDriver::keep_going() const {
  Lock lock(mutex_);
  return !stop_;
}

bool PipelineDriver::keep_going(const JobId& job, std::uint64_t version) const {
  {
    Lock lock(mutex_);
    if (stop_ || left_jobs_.contains(job)) return false;
    if (version_ <= version) return true;
  }
  // as long as containers run, a job ends with the spec that it began with
  return workers_.trouble().empty();
}

bool PipelineDriver::keep_preparing(std::uint64_t version) const {
  Lock lock(mutex_);
  return !stop_ && version_ <= version;
}

void PipelineDriver::leave(const JobId& job) {
  Lock lock(mutex_);
  left_jobs_.insert(job);
}

void PipelineDriver::show_progress(const JobRecord& job, const std::string& waiting_for) {
  {
    Lock lock(mutex_);
    running_job_ = job;
    if (!waiting_for.empty()) running_job_->reason = "waiting: " + waiting_for;
  }
  if (job.ended()) house_.ended(job.pipeline);
}

void PipelineDriver::show_waiting(const JobRecord& job) {
  Lock lock(mutex_);
  if (!running_job_ || running_job_->id != job.id) running_job_ = job;
}

void PipelineDriver::show_health(PipelineState state, const std::string& reason) {
  Lock lock(mutex_);
  health_ = {state, reason};
}

void PipelineDriver::work_until_stopped() {
  std::chrono::milliseconds pause = kShortestPause;
  while (keep_going()) {
    auto worked = work();
    if (worked) {
      pause = kShortestPause;
      if (*worked != Rest(0ms)) rest(*worked);
      continue;
    }
    if (worked.error().code == Code::kCancelled) {
      rest(kCancelledPause);  // by whom may not be seen yet; a newer spec, or being asked to stop, wakes
      continue;
    }
    spdlog::error("pipeline {}: {}", name_.str(), worked.error().message);
    show_health(PipelineState::kFailure, worked.error().message);
    rest(pause);
    pause = std::min(2 * pause, kLongestPause);
  }
  workers_.stop();
}

Result<PipelineDriver::Rest> PipelineDriver::work() {
  {
    Lock lock(mutex_);
    left_jobs_.clear();  // none runs, and what is looked at from here on says that they have ended
  }
  PFS_TRY_ASSIGN(const auto pipeline, house_.ledger.pipeline(name_));
  if (!pipeline) return Rest();
  if (pipeline->record.stopped) {
    workers_.stop();
    idle_since_.reset();
    stopped_version_ = 0;
    show_health(PipelineState::kPaused, "");
    return Rest();
  }
  PFS_TRY_ASSIGN(PipelineSpec spec, spec_of(pipeline->record));
  PFS_TRY_ASSIGN(auto job, house_.ledger.next_job(name_));
  if (!job) return be_idle(pipeline->record, spec);
  idle_since_.reset();
  stopped_version_ = 0;
  if (!reads_the_same(job->record, spec)) {
    PFS_TRY(end_unrun(std::move(*job), JobState::kKilled, "not run: the pipeline was updated, and reads other branches now"));
    return Rest(0ms);
  }
  if (begun_ && begun_->job == job->record.id && begun_->output != spec.output()) {
    PFS_TRY(end_unrun(std::move(*job), JobState::kKilled, kWritesAnother));
    return Rest(0ms);
  }
  // before the look: an end that comes after it finds us waiting
  if (job->record.waits()) show_waiting(job->record);
  PFS_TRY_ASSIGN(const InputsState inputs, settle_inputs(house_.ledger, job->record));
  if (inputs.what == InputsState::What::kWaiting) {
    show_progress(job->record, inputs.why);
    return Rest();  // the end of that job wakes us
  }
  if (inputs.what == InputsState::What::kFailed) {
    PFS_TRY(end_unrun(std::move(*job), JobState::kFailure, inputs.why));
    return Rest(0ms);
  }
  return run(pipeline->record, std::move(spec), *std::move(job));
}

Result<PipelineDriver::Rest> PipelineDriver::run(const PipelineRecord& pipeline, PipelineSpec spec,
                                                 Versioned<JobRecord> job) {
  const JobId id = job.record.id;
  begun_ = Begun{id, spec.output()};
  const JobSurroundings around{
      house_.store,
      house_.ledger,
      house_.logs,
      house_.clock,
      workers_,
      [this, id, version = pipeline.version] { return keep_going(id, version); },
      [this](const JobRecord& record, const std::string& waiting_for) {
        const std::string trouble = workers_.trouble();
        show_health(trouble.empty() ? PipelineState::kRunning : PipelineState::kFailure, trouble);
        show_progress(record, waiting_for);
      }};
  auto done = JobRun(around, pipeline, std::move(spec), std::move(job)).run();
  {
    Lock lock(mutex_);
    running_job_.reset();
  }
  PFS_TRY_ASSIGN(const auto now, house_.ledger.job(id));
  // what it has left in its containers, outside of /pfs, goes with it, and so does the room that this takes
  if (now && now->record.ended() && now->record.state != JobState::kSuccess) workers_.stop();
  if (!done && (done.error().code == Code::kCancelled || done.error().code == Code::kConflict)) {
    // somebody has ended it, or deleted it: there is nothing left to do for it
    if (!now || now->record.ended()) {
      house_.ended(name_);
      return Rest(0ms);
    }
  }
  PFS_TRY(done);
  return Rest(0ms);
}

/// A job whose input will never be there, or that nobody wants any more: it has ended, and those that wait for it fail.
Result<void> PipelineDriver::end_unrun(Versioned<JobRecord> job, JobState state, const std::string& why) {
  job.record.state = state;
  job.record.reason = why;
  job.record.finished = house_.clock.now();
  PFS_TRY_ASSIGN(const auto log, house_.logs.job(name_, job.record.id));
  log->system({}, why);
  PFS_TRY(house_.ledger.put_job(job));
  {
    Lock lock(mutex_);
    running_job_.reset();
  }
  house_.ended(name_);
  return {};
}

Result<PipelineDriver::Rest> PipelineDriver::be_idle(const PipelineRecord& pipeline, const PipelineSpec& spec) {
  const auto now = std::chrono::steady_clock::now();
  if (!idle_since_) idle_since_ = now;
  const auto idle = std::chrono::duration_cast<std::chrono::milliseconds>(now - *idle_since_);
  const std::chrono::milliseconds allowed = (spec.pods.standby || spec.pods.autoscaling) ? 0ms : house_.idle_time;
  if (stopped_version_ == pipeline.version) return Rest();
  if (idle < allowed) {
    PFS_TRY_ASSIGN(const Rest rest, prepare(spec));
    // one that has ended meanwhile is replaced before the next job comes
    return rest ? rest : Rest(std::min(allowed - idle, kLookAtContainersEvery));
  }
  workers_.stop();
  stopped_version_ = pipeline.version;
  if (spec.pods.standby || spec.pods.autoscaling) show_health(PipelineState::kStandby, {});
  return Rest();
}

/// The containers are made ready, so that the next job need not wait for them.
Result<PipelineDriver::Rest> PipelineDriver::prepare(const PipelineSpec& spec) {
  const std::string before = workers_.trouble();
  auto ready = workers_.prepare(spec, [this, &spec] { return keep_preparing(spec.version); });
  if (!ready && ready.error().code == Code::kCancelled) return std::move(ready).error();
  const std::string trouble = workers_.trouble();
  show_health(ready ? PipelineState::kRunning : PipelineState::kFailure, trouble);
  const bool is_new = gist_of(trouble) != gist_of(before);
  if (ready || is_new) container_pause_ = kTryContainerEvery;
  if (ready) return Rest();
  if (is_new) {
    spdlog::warn("pipeline {}: {}", name_.str(), trouble);
    if (auto log = house_.logs.pipeline(name_)) (*log)->system({}, trouble);
  }
  const Rest rest(container_pause_);
  // to look for an image asks its registry, which need not be asked all the time; a job tries at once
  if (ready.error().code == Code::kNotFound) container_pause_ = std::min(2 * container_pause_, kLongestContainerPause);
  return rest;
}

void PipelineDriver::rest(const Rest& time) {
  Lock lock(mutex_);
  if (!time) {
    while (!wake_ && !stop_) woken_.wait(mutex_);
  } else if (!wake_ && !stop_) {
    woken_.wait_for(mutex_, *time);
  }
  wake_ = false;
}

}  // namespace pfs::trigger
