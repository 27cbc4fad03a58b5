#pragma once

#include "base/result.h"
#include "pfs/v1/job.pb.h"
#include "trigger/pipelines.h"

namespace pfs::api {

v1::JobState wire_state(trigger::JobState state);

/// What a daemon without a scheduler answers to calls about pipelines and jobs (kUnavailable);
/// success with one.
Result<void> require(const trigger::Pipelines* pipelines);

}  // namespace pfs::api
