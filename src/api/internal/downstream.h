#pragma once

#include <cstdint>
#include <functional>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "trigger/pipelines.h"

namespace pfs::api {

/// How the jobs went that a commit caused, and those that their outputs caused in turn.
///
/// Made for one call; not thread-safe.
class Downstream {
 public:
  struct Progress {
    std::uint64_t succeeded = 0;
    std::uint64_t pending = 0;
    std::uint64_t failed = 0;
  };

  /// From the newest thousand jobs of each pipeline. nullptr: nothing is downstream of anything.
  static Result<Downstream> of(const trigger::Pipelines* pipelines);
  /// As of(), from all jobs that there are.
  static Result<Downstream> of_all(const trigger::Pipelines* pipelines);

  /// Of newest_jobs().
  Progress progress(const CommitId& commit) const;
  /// Causes before what they caused.
  std::vector<trigger::JobInfo> jobs(const CommitId& commit) const;
  /// The newest of these of each pipeline, which alone tells how it went: what failed may have been
  /// done again since. `regards`: of those alone that it says yes to; not set: of all.
  std::vector<trigger::JobInfo> newest_jobs(
      const CommitId& commit,
      const std::function<bool(const trigger::JobInfo&)>& regards = {}) const;

 private:
  static Result<Downstream> of_newest(const trigger::Pipelines* pipelines, std::size_t limit);
  /// Shape: indices of `jobs_`, in the order of jobs().
  std::vector<std::size_t> below(const CommitId& commit) const;

  std::vector<trigger::JobInfo> jobs_;  ///< newest first
  std::unordered_map<CommitId, std::vector<std::size_t>> by_input_;  ///< indices of `jobs_`
  std::unordered_map<JobId, std::vector<std::size_t>> by_source_;    ///< those that wait, or waited, for a job
};

}  // namespace pfs::api
