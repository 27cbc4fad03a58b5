#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "store/store.h"
#include "trigger/internal/datum_execution.h"
#include "trigger/internal/datum_table.h"
#include "trigger/internal/datums.h"
#include "trigger/internal/job_plan.h"
#include "trigger/internal/job_publish.h"
#include "trigger/internal/ledger.h"
#include "trigger/internal/log_book.h"
#include "trigger/internal/spec.h"
#include "trigger/internal/worker_pool.h"

namespace pfs::trigger {

/// Why a job ends whose pipeline was given another output branch after it had begun.
inline constexpr const char* kWritesAnother = "the pipeline was updated, and writes another branch now";

/// What a job needs of the store and of its pipeline.
struct JobSurroundings {
  store::Store& store;
  Ledger& ledger;
  const LogBook& logs;
  const Clock& clock;
  WorkerPool& workers;
  KeepGoing keep_going;
  /// Told of each change of the job that is worth showing; `waiting_for` says what it cannot go on without.
  std::function<void(const JobRecord& job, const std::string& waiting_for)> progress;
};

/// One run of one job whose inputs are there: find its datums, run those that no earlier job has done, join the outputs, publish them and the
/// job's end in one transaction. Run again after a crash it finds the datums that were recorded, and the transaction
/// expects the job as it was, so a job ends once.
///
/// Used by one thread.
class JobRun {
 public:
  JobRun(const JobSurroundings& around, const PipelineRecord& pipeline, PipelineSpec spec, Versioned<JobRecord> job);

  /// Returns when the job has ended, well or not. Errors: kCancelled, kUnavailable (it goes on when run again), kIo, …
  Result<void> run();

 private:
  class Work;

  Result<void> begin();
  Result<void> work();
  /// The datums of a plan, whose outputs it keeps.
  Result<void> process(const JobPlan& plan);
  Result<void> process_each(const std::vector<Datum>& datums);
  /// Whether it was done before, by an earlier job or by this one before a crash.
  Result<bool> find_done(std::size_t number, const Datum& datum);
  /// Counts it and keeps its output, or its failure.
  Result<void> ended(std::size_t number, const Datum& datum, const PoolWork::Attempt& attempt,
                     const DatumExecution::Ended& result);
  DatumPlace place_of(const Datum& datum) const;

  Result<void> succeed(const MergedOutput& output, const std::vector<store::Commit::Cause>& provenance);
  /// Without an output commit.
  Result<void> end(JobState state, const std::string& reason);
  bool timed_out() const;
  bool keep_going() const { return around_.keep_going() && !timed_out(); }
  void note(const std::string& waiting_for = {}) const { around_.progress(job_.record, waiting_for); }

  const JobSurroundings& around_;
  const PipelineRecord& pipeline_;
  const PipelineSpec spec_;
  Versioned<JobRecord> job_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::chrono::nanoseconds ran_before_{0};  ///< since the job first ran; see JobRecord::begun
  std::unique_ptr<LogWriter> log_;
  DatumTable table_;
  const JobPlanner planner_;
  CommitId output_commit_;  ///< that the job's output will have
  std::vector<std::optional<DatumResult>> done_;   ///< by the number of the datum
  std::string first_failure_;
};

}  // namespace pfs::trigger
