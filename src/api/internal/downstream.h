#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "trigger/pipelines.h"

namespace pfs::api {

/// How the jobs went that a commit caused, and those that their outputs caused in turn.
///
/// Made for one call, from the newest jobs there are; not thread-safe.
class Downstream {
 public:
  struct Progress {
    std::uint64_t succeeded = 0;
    std::uint64_t pending = 0;
    std::uint64_t failed = 0;
  };

  /// nullptr: nothing is downstream of anything.
  static Result<Downstream> of(const trigger::Pipelines* pipelines);

  Progress progress(const CommitId& commit) const;

 private:
  std::unordered_map<CommitId, std::vector<trigger::JobInfo>> by_input_;
};

}  // namespace pfs::api
