#include "api/internal/downstream.h"

#include <limits>
#include <unordered_set>

namespace pfs::api {
namespace {

constexpr std::size_t kNewestJobs = 1000;

}  // namespace

Result<Downstream> Downstream::of(const trigger::Pipelines* pipelines) {
  return of_newest(pipelines, kNewestJobs);
}

Result<Downstream> Downstream::of_all(const trigger::Pipelines* pipelines) {
  return of_newest(pipelines, std::numeric_limits<std::size_t>::max());
}

Result<Downstream> Downstream::of_newest(const trigger::Pipelines* pipelines, std::size_t limit) {
  Downstream downstream;
  if (pipelines == nullptr) return downstream;
  PFS_TRY_ASSIGN(auto jobs, pipelines->jobs(std::nullopt, limit));
  for (auto& job : jobs) downstream.by_input_[job.input_commit].push_back(std::move(job));
  return downstream;
}

std::vector<trigger::JobInfo> Downstream::jobs(const CommitId& commit) const {
  std::vector<trigger::JobInfo> all;
  std::vector<CommitId> waiting{commit};
  std::unordered_set<CommitId> seen{commit};  // two jobs may put out the same commit
  for (std::size_t next = 0; next < waiting.size(); ++next) {
    const auto found = by_input_.find(waiting[next]);
    if (found == by_input_.end()) continue;
    for (const auto& job : found->second) {
      all.push_back(job);
      if (job.output_commit && seen.insert(*job.output_commit).second)
        waiting.push_back(*job.output_commit);
    }
  }
  return all;
}

Downstream::Progress Downstream::progress(const CommitId& commit) const {
  Progress progress;
  for (const auto& job : jobs(commit)) {
    switch (job.state) {
      case trigger::JobState::kStarting:
      case trigger::JobState::kRunning:
      case trigger::JobState::kMerging: ++progress.pending; break;
      case trigger::JobState::kSuccess: ++progress.succeeded; break;
      case trigger::JobState::kFailure:
      case trigger::JobState::kKilled: ++progress.failed; break;
    }
  }
  return progress;
}

}  // namespace pfs::api
