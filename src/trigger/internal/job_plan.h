#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "store/store.h"
#include "trigger/internal/datum_table.h"
#include "trigger/internal/datums.h"
#include "trigger/internal/job_inputs.h"
#include "trigger/internal/ledger.h"
#include "trigger/internal/output_merge.h"
#include "trigger/internal/spec.h"

namespace pfs::trigger {

/// What a job has to do.
struct JobPlan {
  /// An earlier job's output, of which this one's is made by taking out and putting in.
  struct Base {
    store::Subtree output;
    std::vector<store::Subtree> removed;  ///< what datums have put out that are no more
  };

  std::vector<Datum> datums;  ///< to be processed, unless they are done: all of the job's, or those that `base` has not
  std::uint64_t kept = 0;     ///< the others, whose output is in `base`
  std::optional<Base> base;

  std::uint64_t total() const { return kept + datums.size(); }
};

/// Decides what a job has to do: where an earlier job's inputs can be compared with this one's, what has changed between them;
/// else everything. `spec` must outlive the plans.
///
/// Used by one thread.
class JobPlanner {
 public:
  JobPlanner(store::Store& store, const Ledger& ledger, const DatumTable& table, const PipelineRecord& pipeline,
             const PipelineSpec& spec);

  Result<JobPlan> plan(const JobRecord& job, const InputRoots& roots) const;
  /// With every datum and no base.
  Result<JobPlan> plan_whole(const InputRoots& roots) const;
  /// SHA-256 over what decides about datums and their outputs beside the inputs' content. A job builds on an earlier one of
  /// the same shape only.
  Digest shape() const;

 private:
  Result<std::optional<JobRecord>> base_of(const JobRecord& job) const;
  Result<std::optional<JobPlan>> plan_change(const JobRecord& base, const InputRoots& roots) const;

  store::Store& store_;
  const Ledger& ledger_;
  const DatumTable& table_;
  const PipelineSpec& spec_;
  const std::string salt_;
  const DatumMaker maker_;
};

}  // namespace pfs::trigger
