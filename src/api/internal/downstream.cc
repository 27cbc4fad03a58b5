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
  PFS_TRY_ASSIGN(downstream.jobs_, pipelines->jobs(std::nullopt, limit));
  for (std::size_t i = 0; i < downstream.jobs_.size(); ++i) {
    for (const auto& input : downstream.jobs_[i].inputs) {
      if (input.commit) downstream.by_input_[*input.commit].push_back(i);
      if (input.from) downstream.by_source_[*input.from].push_back(i);
    }
  }
  return downstream;
}

std::vector<trigger::JobInfo> Downstream::jobs(const CommitId& commit) const {
  std::vector<trigger::JobInfo> all;
  std::unordered_set<std::size_t> seen;  // a job may have several inputs that come of the commit
  const auto add = [&](const auto& index, const auto& key) {
    const auto found = index.find(key);
    if (found == index.end()) return;
    for (const std::size_t i : found->second) {
      if (seen.insert(i).second) all.push_back(jobs_[i]);
    }
  };
  add(by_input_, commit);
  for (std::size_t next = 0; next < all.size(); ++next) {
    const JobId id = all[next].id;
    const auto output = all[next].output_commit;
    if (output) add(by_input_, *output);
    add(by_source_, id);
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
