#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "store/catalog.h"
#include "trigger/internal/datums.h"
#include "trigger/internal/ledger.h"

namespace pfs::trigger {

/// Whether what a job reads is there.
struct InputsState {
  enum class What { kReady, kWaiting, kFailed };
  What what = What::kReady;
  std::string why;  ///< which job is waited for, or has failed
};

/// Fills in the commits of the inputs that other jobs make, of those that have ended.
Result<InputsState> settle_inputs(const Ledger& ledger, JobRecord& job);

/// The commits that a job reads, loaded.
struct LoadedInputs {
  InputRoots roots;
  /// Those commits and what they were made from, each once: the provenance of what the job puts out.
  std::vector<store::Commit::Cause> provenance;
};
/// Errors: kNotFound (a commit was deleted; what a job was to put into a branch is in another one).
Result<LoadedInputs> load_inputs(const store::Catalog& catalog, const std::vector<JobInput>& inputs);

}  // namespace pfs::trigger
