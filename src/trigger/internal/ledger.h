#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "store/catalog.h"
#include "store/ref_db.h"
#include "trigger/internal/records.h"

namespace pfs::trigger {

/// A record and the transaction that wrote it last: what a change of it expects.
template <class Record>
struct Versioned {
  Record record;
  store::Seq version;
};

/// Pipelines and jobs in the RefDb: the only place that knows their keys and what changes together.
///
/// Thread-safe; holds no state of its own.
class Ledger {
 public:
  Ledger(store::RefDb& refs, const store::Catalog& catalog, const Clock& clock)
      : refs_(refs), catalog_(catalog), clock_(clock) {}

  Result<std::optional<Versioned<PipelineRecord>>> pipeline(const RepoName& name) const;
  /// Newest first.
  Result<std::vector<PipelineRecord>> pipelines() const;
  /// The pipelines that read a branch.
  Result<std::vector<RepoName>> readers(const BranchRef& branch) const;

  /// Makes the pipeline, or changes it: `old` is what it was, whose input is read no longer.
  /// Errors: kConflict (somebody else changed it meanwhile; nothing was done).
  Result<void> put_pipeline(const PipelineRecord& record, const std::optional<Versioned<PipelineRecord>>& old);
  /// Erases it with all its jobs. Errors: kConflict.
  Result<void> erase_pipeline(const Versioned<PipelineRecord>& pipeline);

  /// Adds the jobs that a HEAD's move causes to the transaction that moves it.
  Result<void> cause_jobs(const store::HeadMove& move, store::RefTxn& txn) const;
  /// Erases, in the transaction that deletes commits, the jobs that were about them. Errors: kBusy (one has not ended).
  Result<void> erase_jobs_of(std::span<const CommitId> commits, store::RefTxn& txn) const;
  /// The job of the newest move of the input's HEAD, unless it is there: for moves older than the pipeline itself.
  Result<void> cause_newest_job(const PipelineRecord& pipeline);

  Result<std::optional<Versioned<JobRecord>>> job(const JobId& id) const;
  /// Newest first.
  Result<std::vector<JobRecord>> jobs(const RepoName& pipeline, std::size_t limit) const;
  /// The oldest job that has not ended.
  Result<std::optional<Versioned<JobRecord>>> next_job(const RepoName& pipeline) const;

  /// Replaces the record of a job, and takes it off the queue when that says it has ended.
  /// Errors: kConflict (it was changed meanwhile).
  Result<void> put_job(Versioned<JobRecord>& job);
  /// Erases a job that has ended. Errors: kConflict.
  Result<void> erase_job(const Versioned<JobRecord>& job);
  /// put_job() as a part of another transaction.
  void add_put_job(const JobRecord& job, store::Seq expected, store::RefTxn& txn) const;

 private:
  Result<std::vector<RepoName>> readers_expected(const BranchRef& branch, store::RefTxn& txn) const;
  Result<void> leave_input(const PipelineRecord& pipeline, store::RefTxn& txn) const;
  void add_new_job(const PipelineRecord& pipeline, const BranchRef& branch, const CommitId& head,
                   std::uint64_t log_number, store::RefTxn& txn) const;
  store::RefTxn begin() const;

  store::RefDb& refs_;
  const store::Catalog& catalog_;
  const Clock& clock_;
};

}  // namespace pfs::trigger
