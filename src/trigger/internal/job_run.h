#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "store/store.h"
#include "trigger/internal/datum_table.h"
#include "trigger/internal/datum_tree.h"
#include "trigger/internal/datums.h"
#include "trigger/internal/job_plan.h"
#include "trigger/internal/job_publish.h"
#include "trigger/internal/ledger.h"
#include "trigger/internal/log_book.h"
#include "trigger/internal/spec.h"
#include "trigger/internal/worker_container.h"

namespace pfs::trigger {

/// What a job needs of the store and of its pipeline.
struct JobSurroundings {
  store::Store& store;
  Ledger& ledger;
  const LogBook& logs;
  const Clock& clock;
  WorkerContainer& container;
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
  /// Why a datum failed; empty when it did not.
  using Failure = std::string;

  Result<void> begin();
  Result<void> work();
  /// The datums of a plan, whose outputs it keeps.
  Result<void> process(const JobPlan& plan);
  Result<void> process_each(const std::vector<Datum>& datums);
  /// Counts it and keeps its output, or its failure.
  Result<void> process_one(const Datum& datum);
  /// Whether it was done before, by an earlier job or by this one before a crash.
  Result<bool> find_done(const Datum& datum);
  /// Up to `datum_tries` attempts.
  Result<Failure> attempt_all(const Datum& datum);
  Result<Failure> attempt(const Datum& datum);
  Result<Failure> keep_output(const Datum& datum, const DatumTree& view);
  /// Waits for what is not there now (the mount, the container runtime). Errors: kNotFound, kInvalid: it never will be.
  Result<void> ensure_container();
  worker::CommandRequest command_for(const Datum& datum) const;
  Failure failure_of(const worker::CommandEnd& end) const;

  Result<void> succeed(const MergedOutput& output, const std::vector<store::Commit::Cause>& provenance);
  Result<void> fail(const std::string& reason);
  void note(const std::string& waiting_for = {}) const { around_.progress(job_.record, waiting_for); }

  const JobSurroundings& around_;
  const PipelineRecord& pipeline_;
  const PipelineSpec spec_;
  Versioned<JobRecord> job_;
  std::optional<LogWriter> log_;
  DatumTable table_;
  const JobPlanner planner_;
  CommitId output_commit_;               ///< that the job's output will have
  std::vector<DatumResult> outputs_;     ///< in the order of the datums
  std::string first_failure_;
  bool command_cannot_start_ = false;    ///< so no other datum's can
};

}  // namespace pfs::trigger
