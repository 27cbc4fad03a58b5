#include "api/internal/downstream.h"

#include <unordered_set>

namespace pfs::api {
namespace {

constexpr std::size_t kNewestJobs = 1000;

}  // namespace

Result<Downstream> Downstream::of(const trigger::Pipelines* pipelines) {
  Downstream downstream;
  if (pipelines == nullptr) return downstream;
  PFS_TRY_ASSIGN(auto jobs, pipelines->jobs(std::nullopt, kNewestJobs));
  for (auto& job : jobs) downstream.by_input_[job.input_commit].push_back(std::move(job));
  return downstream;
}

Downstream::Progress Downstream::progress(const CommitId& commit) const {
  Progress progress;
  std::vector<CommitId> waiting{commit};
  std::unordered_set<CommitId> seen{commit};  // two jobs may put out the same commit
  while (!waiting.empty()) {
    const auto found = by_input_.find(waiting.back());
    waiting.pop_back();
    if (found == by_input_.end()) continue;
    for (const auto& job : found->second) {
      switch (job.state) {
        case trigger::JobState::kStarting:
        case trigger::JobState::kRunning:
        case trigger::JobState::kMerging: ++progress.pending; break;
        case trigger::JobState::kSuccess: ++progress.succeeded; break;
        case trigger::JobState::kFailure:
        case trigger::JobState::kKilled: ++progress.failed; break;
      }
      if (job.output_commit && seen.insert(*job.output_commit).second)
        waiting.push_back(*job.output_commit);
    }
  }
  return progress;
}

}  // namespace pfs::api
