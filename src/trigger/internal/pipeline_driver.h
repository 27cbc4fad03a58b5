#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "base/sync.h"
#include "store/store.h"
#include "trigger/internal/ledger.h"
#include "trigger/internal/log_book.h"
#include "trigger/internal/worker_container.h"
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
};

/// Runs the jobs of one pipeline, the oldest first and one at a time, on a thread of its own, which owns the pipeline's
/// container. What is to be done is in the ledger alone: the driver can go at any moment and another go on.
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
  /// Asks it to stop; stop() waits until it has, and its container is gone.
  void ask_to_stop() PFS_EXCLUDES(mutex_);
  void stop() PFS_EXCLUDES(mutex_);

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

  void work_until_stopped();
  /// The next job, if there is one; the rest to take after it otherwise.
  Result<Rest> work();
  Result<Rest> prepare(const PipelineSpec& spec);
  Result<void> end_unrun(Versioned<JobRecord> job, JobState state, const std::string& why);
  void rest(const Rest& time) PFS_EXCLUDES(mutex_);
  bool keep_going() const PFS_EXCLUDES(mutex_);
  void show_progress(const JobRecord& job, const std::string& waiting_for) PFS_EXCLUDES(mutex_);
  void show_health(PipelineState state, const std::string& reason) PFS_EXCLUDES(mutex_);

  const DriverHouse& house_;
  const RepoName name_;
  WorkerContainer container_;  ///< the thread's alone

  mutable Mutex mutex_{LockRank::kLeaf};
  Condition woken_;
  bool wake_ PFS_GUARDED_BY(mutex_) = false;
  bool stop_ PFS_GUARDED_BY(mutex_) = false;
  Health health_ PFS_GUARDED_BY(mutex_);
  std::optional<JobRecord> running_job_ PFS_GUARDED_BY(mutex_);

  std::thread thread_;  ///< last: it uses all of the above
};

}  // namespace pfs::trigger
