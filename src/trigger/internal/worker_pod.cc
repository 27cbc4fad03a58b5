#include "trigger/internal/worker_pod.h"

#include <algorithm>
#include <cctype>

#include <nlohmann/json.hpp>

#include "trigger/internal/worker_link.h"

namespace pfs::trigger {

namespace {

using nlohmann::json;

constexpr const char* kWorker = "/.pfs-worker/worker";
constexpr const char* kLink = "/.pfs-worker/link";

json host_path(const char* name, const std::string& path, const char* type) {
  return {{"name", name}, {"hostPath", {{"path", path}, {"type", type}}}};
}

json variable(const std::string& name, const std::string& value) { return {{"name", name}, {"value", value}}; }

/// A pipeline's name as a part of a pod's, which knows lower-case letters, digits and '-' only.
std::string pod_name(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) {
    return std::isalnum(c) != 0 ? static_cast<char>(std::tolower(c)) : '-';
  });
  return text;
}

/// What a container may use, as the limits of Kubernetes say it.
json limits_of(const Resources& most) {
  json limits = json::object();
  if (most.cpu_thousandths > 0) limits["cpu"] = std::to_string(most.cpu_thousandths) + "m";
  if (most.memory_bytes > 0) limits["memory"] = std::to_string(most.memory_bytes);
  if (most.gpus > 0) limits[most.gpu_type.empty() ? "nvidia.com/gpu" : most.gpu_type] = std::to_string(most.gpus);
  return limits;
}

}  // namespace

PodRequest worker_pod(const PipelineSpec& spec, const PodUser& user, const WorkerPlace& place) {
  json env = json::array();
  env.push_back(variable("PACH_IN_WORKER", "true"));
  env.push_back(variable("PPS_PIPELINE_NAME", spec.name.str()));
  for (const auto& [name, value] : spec.transform.env) env.push_back(variable(name, value));

  json pod{
      {"restartPolicy", "Never"},
      {"volumes",
       {host_path("view", place.view_path, "Directory"), host_path("worker", place.worker_path, "File"),
        host_path("link", place.link_directory, "Directory")}},
      {"containers",
       json::array({{{"name", "user"},
                     {"image", spec.transform.image},
                     {"command", {kWorker}},
                     {"args", {std::string(kLink) + "/" + WorkerLink::kSocketName}},
                     {"env", std::move(env)},
                     {"securityContext", {{"runAsUser", user.uid}, {"runAsGroup", user.gid}}},
                     {"volumeMounts",
                      {{{"name", "view"}, {"mountPath", "/pfs"}},
                       {{"name", "worker"}, {"mountPath", kWorker}, {"readOnly", true}},
                       {{"name", "link"}, {"mountPath", kLink}, {"readOnly", true}}}}}})},
  };
  for (std::size_t i = 0; i < place.secrets.size(); ++i) {
    const std::string name = "secret-" + std::to_string(i);
    pod["volumes"].push_back(host_path(name.c_str(), place.secrets[i].directory, "Directory"));
    pod["containers"][0]["volumeMounts"].push_back(
        {{"name", name}, {"mountPath", place.secrets[i].mount_path}, {"readOnly", true}});
  }
  const json limits = limits_of(spec.pods.resource_limits);
  if (!limits.empty()) pod["containers"][0]["resources"]["limits"] = limits;
  std::map<std::string, std::string> labels{{kStoreLabel, place.store_id}, {kPipelineLabel, spec.name.str()}};
  // not over ours, by which leftovers are found
  labels.insert(spec.pods.labels.begin(), spec.pods.labels.end());
  return PodRequest{"pfs-" + pod_name(spec.name.str()) + "-" + place.suffix, std::move(labels), spec.pods.annotations,
                    // a path need not be UTF-8, JSON must be: who reads it refuses what is replaced
                    pod.dump(-1, ' ', false, json::error_handler_t::replace), spec.pods.network};
}

}  // namespace pfs::trigger
