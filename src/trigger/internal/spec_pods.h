#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"
#include "trigger/runner.h"

namespace pfs::trigger {

/// How many workers a pipeline has; at most one of the two is set.
struct Parallelism {
  std::uint64_t constant = 0;
  double coefficient = 0;  ///< so many for each machine
};

/// What a container may use, or wants to be there; 0: nothing said.
struct Resources {
  std::uint64_t cpu_thousandths = 0;  ///< of a core
  std::uint64_t memory_bytes = 0;
  std::uint64_t disk_bytes = 0;
  std::string gpu_type;  ///< `nvidia.com/gpu`
  std::uint64_t gpus = 0;

  bool operator==(const Resources&) const = default;
};

/// How the pods of a pipeline are run: everything about them that is not the command.
struct PodTerms {
  Parallelism parallelism;
  bool standby = false;      ///< no container while there is nothing to do
  bool autoscaling = false;  ///< the same, and as many as a job has work for
  std::optional<std::chrono::nanoseconds> datum_timeout;  ///< of an attempt
  std::optional<std::chrono::nanoseconds> job_timeout;
  Resources resource_requests;
  Resources resource_limits;
  PodNetwork network = PodNetwork::kNone;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;
  std::map<std::string, std::string> node_selector;
  std::string priority_class_name;
  std::string pod_spec;   ///< a JSON Merge Patch (RFC 7386) of the pod's specification, or empty
  std::string pod_patch;  ///< a JSON Patch (RFC 6902) of it, or empty
  std::uint64_t chunk_datums = 0;  ///< chunk_spec: datums that a worker takes at a time; 0: not said
  std::uint64_t chunk_bytes = 0;
  std::uint64_t max_queue_size = 0;  ///< datums that a worker prepares ahead; 0: not said

  /// How many workers that are on so many machines; at least one.
  std::uint64_t workers(std::uint64_t machines = 1) const;
};

/// `spec` is the whole specification, with types checked. Errors: kInvalid (names the field).
Result<PodTerms> read_pod_terms(const nlohmann::json& spec);
/// Refuses labels and annotations that no engine could give a container. Not a part of read_pod_terms(): a spec that is kept is
/// read as it is. Errors: kInvalid (names the field).
Result<void> check_metadata(const PodTerms& terms);
/// Adds to `spec` what is not as it would be anyway, and the number of workers.
void add_pod_terms(const PodTerms& terms, nlohmann::json& spec);

}  // namespace pfs::trigger
