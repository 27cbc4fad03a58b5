#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "trigger/runner.h"

namespace pfs::trigger {

/// What follows `podman run` for a pod: its name, labels, mounts, environment, image and command.
/// Shape: the part of core/v1 PodSpec that this room writes; any other field is refused, not passed over.
/// Errors: kUnsupported, kInvalid (name the field).
Result<std::vector<std::string>> podman_run_arguments(const PodRequest& request);

}  // namespace pfs::trigger
