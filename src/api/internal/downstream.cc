#include "api/internal/downstream.h"

#include <algorithm>
#include <limits>
#include <map>
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

std::vector<std::size_t> Downstream::below(const CommitId& commit) const {
  std::vector<std::size_t> all;
  std::unordered_set<std::size_t> seen;  // a job may have several inputs that come of the commit
  const auto add = [&](const auto& index, const auto& key) {
    const auto found = index.find(key);
    if (found == index.end()) return;
    for (const std::size_t i : found->second) {
      if (seen.insert(i).second) all.push_back(i);
    }
  };
  add(by_input_, commit);
  for (std::size_t next = 0; next < all.size(); ++next) {
    const auto& job = jobs_[all[next]];
    if (job.output_commit) add(by_input_, *job.output_commit);
    add(by_source_, job.id);
  }
  return all;
}

std::vector<trigger::JobInfo> Downstream::jobs(const CommitId& commit) const {
  const auto indices = below(commit);
  std::vector<trigger::JobInfo> all;
  all.reserve(indices.size());
  for (const std::size_t i : indices) all.push_back(jobs_[i]);
  return all;
}

std::vector<trigger::JobInfo> Downstream::newest_jobs(
    const CommitId& commit,
    const std::function<bool(const trigger::JobInfo&)>& regards) const {
  auto indices = below(commit);
  if (regards) std::erase_if(indices, [&](std::size_t i) { return !regards(jobs_[i]); });
  std::map<RepoName, std::size_t> newest;  // of each pipeline
  for (const std::size_t i : indices) {
    const auto [found, added] = newest.try_emplace(jobs_[i].pipeline, i);
    if (!added) found->second = std::min(found->second, i);
  }
  std::vector<trigger::JobInfo> all;
  for (const std::size_t i : indices) {
    if (newest.at(jobs_[i].pipeline) == i) all.push_back(jobs_[i]);
  }
  return all;
}

Downstream::Progress Downstream::progress(const CommitId& commit) const {
  Progress progress;
  for (const auto& job : newest_jobs(commit)) {
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
