#pragma once

#include <map>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "store/catalog.h"
#include "trigger/internal/ledger.h"

namespace pfs::trigger {

/// Which jobs come of HEADs that move: one for each pipeline that reads what has changed, and, in the same transaction, one
/// for each that reads what those will put out, and so on. A job's inputs are the HEADs of its branches as they will be once
/// all that is caused is done: a branch that an unfinished job is to write is that job's output. So a pipeline that a change
/// reaches on two ways gets one job, which waits for both.
///
/// No job comes of content that is what the pipeline's newest job was caused with, nor while a commit that was opened by
/// hand is open on one of its branches, or on one that those are made from: the end of that commit causes it. A job that has put out nothing leaves its branch
/// as it was, so who was to read its output gets no job of the other half of the change.
///
/// Thread-safe; holds no state of its own. Source: Pachyderm 1.13 "Provenance"; docs/pipelines.md "Jobs".
class JobCauses {
 public:
  JobCauses(store::RefDb& refs, const Ledger& ledger, const store::Catalog& catalog, const Clock& clock)
      : refs_(refs), ledger_(ledger), catalog_(catalog), clock_(clock) {}

  /// Adds the jobs to the transaction that moves the HEADs.
  Result<void> add_jobs(std::span<const store::HeadMove> moves, const store::BranchAfter& branch, store::RefTxn& txn) const;

  /// Causes the jobs that these pipelines lack for their branches as they are, and those that come of them.
  Result<void> cause_due(std::span<const RepoName> pipelines);
  /// Causes what has waited for a branch that waits for no commit any more.
  Result<void> cause_held(const BranchRef& branch);

  /// Causes a job of a pipeline's inputs as they are, whatever its newest was caused with; of some, `commits` instead. What
  /// reads its output gets its jobs with it.
  /// Errors: kNotFound, kBusy (it is stopped), kInvalid (a branch that it does not read; nothing to read).
  Result<JobId> cause_by_hand(const RepoName& name, const std::map<BranchRef, CommitId>& commits);

  /// The pipelines that read a branch, and those that read what they write, and so on; upstream first.
  Result<std::vector<RepoName>> downstream(const BranchRef& branch) const;

 private:
  store::BranchAfter branches_now() const;
  Result<void> cause_all(std::span<const RepoName> pipelines, bool settle);

  store::RefDb& refs_;
  const Ledger& ledger_;
  const store::Catalog& catalog_;
  const Clock& clock_;
};

}  // namespace pfs::trigger
