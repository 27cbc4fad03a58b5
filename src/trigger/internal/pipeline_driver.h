#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "base/sync.h"
#include "store/store.h"
#include "trigger/internal/ledger.h"
#include "trigger/internal/log_book.h"
#include "trigger/internal/worker_pool.h"
#include "trigger/pipelines.h"

namespace pfs::trigger {

/// What all drivers have in common.
struct DriverHouse {
  store::Store& store;
  Ledger& ledger;
  const LogBook& logs;
  const Clock& clock;
  const WorkerHouse& workers;
  std::function<void(const RepoName& pipeline)> ended;  ///< a job of it has; called without locks
  /// After so long without a job a pipeline's containers are stopped; at once where its spec says standby.
  std::chrono::milliseconds idle_time = std::chrono::minutes(10);
};

/// Runs the jobs of one pipeline, the oldest first and one at a time, on a thread of its own, which owns the pipeline's
/// containers. What is to be done is in the ledger alone: the driver can go at any moment and another go on.
///
/// Thread-safe.
class PipelineDriver {
 public:
  PipelineDriver(const DriverHouse& house, RepoName name);
  PipelineDriver(const PipelineDriver&) = delete;
  PipelineDriver& operator=(const PipelineDriver&) = delete;
  ~PipelineDriver() { stop(); }

  /// There may be a new job, or a new spec.
  void wake() PFS_EXCLUDES(mutex_);
  /// A job of another pipeline has ended: ours may have waited for that.
  void wake_if_waiting() PFS_EXCLUDES(mutex_);
  /// Asks it to stop; stop() waits until it has, and its containers are gone.
  void ask_to_stop() PFS_EXCLUDES(mutex_);
  void stop() PFS_EXCLUDES(mutex_);

  /// The spec is of that version now: what waits for a container with an earlier one begins again.
  void renew(std::uint64_t version) PFS_EXCLUDES(mutex_);
  /// Makes it leave a job: the ledger says that it has ended.
  void leave(const JobId& job) PFS_EXCLUDES(mutex_);
  WorkerPool& workers() { return workers_; }
  const WorkerPool& workers() const { return workers_; }

  struct Health {
    PipelineState state = PipelineState::kStarting;
    std::string reason;
  };
  Health health() const PFS_EXCLUDES(mutex_);
  /// The job that runs, further than its record in the ledger says; `reason` says what it waits for.
  std::optional<JobRecord> running_job() const PFS_EXCLUDES(mutex_);

 private:
  /// How long there is nothing to do: until woken, unless a time is set.
  using Rest = std::optional<std::chrono::milliseconds>;
  /// A job that has run, and where it was to put its output.
  struct Begun {
    JobId job;
    BranchRef output;
  };

  void work_until_stopped();
  /// The next job, if there is one; the rest to take after it otherwise.
  Result<Rest> work();
  Result<Rest> run(const PipelineRecord& pipeline, PipelineSpec spec, Versioned<JobRecord> job);
  /// Nothing to do: containers are made ready for the next job, or stopped.
  Result<Rest> be_idle(const PipelineRecord& pipeline, const PipelineSpec& spec);
  Result<Rest> prepare(const PipelineSpec& spec);
  Result<void> end_unrun(Versioned<JobRecord> job, JobState state, const std::string& why);
  void rest(const Rest& time) PFS_EXCLUDES(mutex_);
  bool keep_going() const PFS_EXCLUDES(mutex_);
  /// Of a job, or of containers for the next one, with a spec of that version.
  bool keep_going(const JobId& job, std::uint64_t version) const PFS_EXCLUDES(mutex_);
  bool keep_preparing(std::uint64_t version) const PFS_EXCLUDES(mutex_);
  void show_progress(const JobRecord& job, const std::string& waiting_for) PFS_EXCLUDES(mutex_);
  /// That it is the next one, with inputs that may not be there; what it waits for is said once that is known.
  void show_waiting(const JobRecord& job) PFS_EXCLUDES(mutex_);
  void show_health(PipelineState state, const std::string& reason) PFS_EXCLUDES(mutex_);

  const DriverHouse& house_;
  const RepoName name_;
  WorkerPool workers_;
  std::optional<Begun> begun_;  ///< the thread's alone: the last one
  /// The thread's alone: since when there was nothing to do, and the version whose containers were then stopped.
  std::optional<std::chrono::steady_clock::time_point> idle_since_;
  std::uint64_t stopped_version_ = 0;
  std::chrono::milliseconds container_pause_{5'000};  ///< before the containers are tried again while there is no job

  mutable Mutex mutex_{LockRank::kLeaf};
  Condition woken_;
  bool wake_ PFS_GUARDED_BY(mutex_) = false;
  bool stop_ PFS_GUARDED_BY(mutex_) = false;
  std::uint64_t version_ PFS_GUARDED_BY(mutex_) = 0;  ///< of the spec, as the last update said
  Health health_ PFS_GUARDED_BY(mutex_);
  std::set<JobId> left_jobs_ PFS_GUARDED_BY(mutex_);
  std::optional<JobRecord> running_job_ PFS_GUARDED_BY(mutex_);

  std::thread thread_;  ///< last: it uses all of the above
};

}  // namespace pfs::trigger
