#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "store/store.h"
#include "trigger/internal/job_plan.h"
#include "trigger/internal/ledger.h"
#include "trigger/runner.h"

namespace pfs::trigger {

/// What a datum of a job has put out.
struct DatumResult {
  store::Subtree output;
  bool has_empty_directories = false;
};

/// What a job puts out.
struct MergedOutput {
  store::Subtree tree;
  bool separable = false;  ///< see JobRecord
};

/// Joins the outputs of a plan's datums, in their order, to its base. nullopt where it has one and must be planned again
/// without. Errors: kCancelled, and those of OutputMerge.
Result<std::optional<MergedOutput>> merge_outputs(store::Store& store, const JobPlan& plan,
                                                  const std::vector<DatumResult>& outputs, SamePath same_path,
                                                  const KeepGoing& keep_going);

/// Ends a job well: its output is a commit, and both are one transaction. Errors: kConflict (the job is another's now),
/// kReadOnly (the branch is its pipeline's no more).
Result<void> publish_output(store::Store& store, const Ledger& ledger, const BranchRef& branch, Versioned<JobRecord>& job,
                            const store::Subtree& output, const std::vector<store::Commit::Cause>& provenance);

}  // namespace pfs::trigger
