#pragma once

#include <string>
#include <vector>

#include "trigger/internal/spec.h"
#include "trigger/internal/worker_secrets.h"
#include "trigger/runner.h"

namespace pfs::trigger {

/// What a worker's pod is made of beside the spec.
struct WorkerPlace {
  std::string store_id;
  std::string worker_path;     ///< the static worker on the host
  std::string view_path;       ///< the host's path of the view
  std::string link_directory;  ///< holds the socket
  std::string suffix;          ///< makes the pod's name unique
  std::vector<SecretMount> secrets = {};
};

inline constexpr const char* kStoreLabel = "pfs.store";
inline constexpr const char* kPipelineLabel = "pfs.pipeline";

/// The pod that a pipeline's worker runs in.
PodRequest worker_pod(const PipelineSpec& spec, const PodUser& user, const WorkerPlace& place);

}  // namespace pfs::trigger
