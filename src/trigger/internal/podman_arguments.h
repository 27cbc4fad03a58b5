#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "trigger/container_engine.h"
#include "trigger/runner.h"

namespace pfs::trigger {

/// What follows `podman run` (or `docker run`) for a pod: see ContainerEngine::pod_arguments().
Result<std::vector<std::string>> podman_run_arguments(const PodRequest& request,
                                                      ContainerEngine::Kind engine = ContainerEngine::Kind::kPodman);

}  // namespace pfs::trigger
