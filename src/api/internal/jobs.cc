#include "api/internal/jobs.h"

namespace pfs::api {

v1::JobState wire_state(trigger::JobState state) {
  switch (state) {
    case trigger::JobState::kStarting: return v1::JOB_STATE_STARTING;
    case trigger::JobState::kRunning: return v1::JOB_STATE_RUNNING;
    case trigger::JobState::kMerging: return v1::JOB_STATE_MERGING;
    case trigger::JobState::kSuccess: return v1::JOB_STATE_SUCCESS;
    case trigger::JobState::kFailure: return v1::JOB_STATE_FAILURE;
    case trigger::JobState::kKilled: return v1::JOB_STATE_KILLED;
  }
  return v1::JOB_STATE_UNSPECIFIED;
}

Result<void> require(const trigger::Pipelines* pipelines) {
  if (pipelines == nullptr) return Error{Code::kUnavailable, "this daemon runs no pipelines"};
  return {};
}

}  // namespace pfs::api
