#include "trigger/internal/job_inputs.h"

#include <algorithm>

#include <fmt/format.h>

namespace pfs::trigger {

namespace {

InputsState failed(const JobInput& input, std::string_view how) {
  return {InputsState::What::kFailed, fmt::format("not run: input {}: job {} {}", input.branch.str(), input.from->hex(), how)};
}

Error elsewhere(const JobInput& input, const store::Commit& commit) {
  return Error{Code::kNotFound, fmt::format("not run: input {}: job {} has written branch {}, as its pipeline writes another "
                                            "branch now", input.branch.str(), input.from->hex(), commit.branch.str())};
}

}  // namespace

Result<InputsState> settle_inputs(const Ledger& ledger, JobRecord& job) {
  InputsState state;
  for (JobInput& input : job.inputs) {
    if (!input.from || input.commit) continue;
    PFS_TRY_ASSIGN(const auto from, ledger.job(*input.from));
    if (!from) return failed(input, "was deleted");
    if (!from->record.ended()) {
      state = {InputsState::What::kWaiting, fmt::format("input {}: job {} of pipeline {}", input.branch.str(),
                                                        input.from->hex(), from->record.pipeline.str())};
      continue;
    }
    if (!from->record.output_commit) {
      return failed(input, fmt::format("of pipeline {} ended with {}", from->record.pipeline.str(), name_of(from->record.state)));
    }
    input.commit = from->record.output_commit;
  }
  return state;
}

Result<LoadedInputs> load_inputs(const store::Catalog& catalog, const std::vector<JobInput>& inputs) {
  LoadedInputs loaded;
  const auto add = [&](const store::Commit::Cause& cause) {
    auto& all = loaded.provenance;
    if (std::find(all.begin(), all.end(), cause) == all.end()) all.push_back(cause);
  };
  std::vector<store::Commit::Cause> indirect;
  for (const JobInput& input : inputs) {
    if (!input.commit) {
      loaded.roots[input.branch] = std::nullopt;
      continue;
    }
    PFS_TRY_ASSIGN(const store::Commit commit, catalog.commit(*input.commit));
    // a job runs with the spec that its pipeline has by then, whose output branch may be another than when we were caused
    if (input.from && commit.branch != input.branch.branch) return elsewhere(input, commit);
    loaded.roots[input.branch] = commit.root;
    add({input.branch, commit.id});
    indirect.insert(indirect.end(), commit.provenance.begin(), commit.provenance.end());
  }
  for (const auto& cause : indirect) add(cause);
  return loaded;
}

}  // namespace pfs::trigger
