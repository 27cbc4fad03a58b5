#include "trigger/internal/spec_pods.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/names.h"
#include "trigger/internal/quantity.h"
#include "trigger/internal/spec_reading.h"

namespace pfs::trigger {

namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxWorkers = 1000;
constexpr double kThousand = 1000;
constexpr std::uint64_t kMostGpus = 1000;  // each becomes arguments of the engine

Result<double> read_amount(const json& value, const std::string& field) {
  if (value.is_null() || (value.is_string() && value.get_ref<const std::string&>().empty())) return 0.0;
  auto amount = parse_quantity(value.is_string() ? value.get<std::string>() : value.dump());
  if (!amount) return invalid_field(field, amount.error().message);
  return amount;
}

Result<Resources> read_resources(const json& spec, const char* name) {
  const json& object = member(spec, name);
  const std::string field = name;
  Resources resources;
  PFS_TRY_ASSIGN(const double cpu, read_amount(member(object, "cpu"), field + ".cpu"));
  if (cpu > static_cast<double>(kMaxWorkers) * kThousand) return invalid_field(field + ".cpu", "more than there can be");
  PFS_TRY_ASSIGN(const double memory, read_amount(member(object, "memory"), field + ".memory"));
  PFS_TRY_ASSIGN(const double disk, read_amount(member(object, "disk"), field + ".disk"));
  // rounded up: a thousandth of a core is something, none would be no limit at all
  resources.cpu_thousandths = static_cast<std::uint64_t>(std::ceil(cpu * kThousand - 1e-6));
  resources.memory_bytes = static_cast<std::uint64_t>(std::ceil(memory));
  resources.disk_bytes = static_cast<std::uint64_t>(std::ceil(disk));
  const json& gpu = member(object, "gpu");
  resources.gpu_type = text_or(member(gpu, "type"), "");
  PFS_TRY_ASSIGN(resources.gpus, read_count(member(gpu, "number"), field + ".gpu.number"));
  if (resources.gpus > kMostGpus) return invalid_field(field + ".gpu.number", fmt::format("{} at most", kMostGpus));
  if (resources.gpus > 0 && resources.gpu_type.empty()) {
    return invalid_field(field + ".gpu.type", "is required, for instance nvidia.com/gpu");
  }
  return resources;
}

json resources_json(const Resources& resources) {
  json object = json::object();
  if (resources.cpu_thousandths > 0) object["cpu"] = static_cast<double>(resources.cpu_thousandths) / kThousand;
  if (resources.memory_bytes > 0) object["memory"] = format_quantity(resources.memory_bytes);
  if (resources.disk_bytes > 0) object["disk"] = format_quantity(resources.disk_bytes);
  if (resources.gpus > 0) object["gpu"] = {{"type", resources.gpu_type}, {"number", resources.gpus}};
  return object;
}

/// null, 0 and "" are no timeout.
Result<std::optional<std::chrono::nanoseconds>> read_timeout(const json& spec, const char* name) {
  using Timeout = std::optional<std::chrono::nanoseconds>;
  const std::string text = text_or(member(spec, name), "");
  if (text.empty()) return Timeout();
  auto time = parse_go_duration(text);
  if (!time) return invalid_field(name, time.error().message);
  return time->count() == 0 ? Timeout() : Timeout(*time);
}

Result<Parallelism> read_parallelism(const json& object) {
  Parallelism parallelism;
  PFS_TRY_ASSIGN(parallelism.constant, read_count(member(object, "constant"), "parallelism_spec.constant"));
  parallelism.coefficient = value_or_empty<double>(member(object, "coefficient"));
  if (!(parallelism.coefficient >= 0) || parallelism.coefficient > static_cast<double>(kMaxWorkers)) {
    return invalid_field("parallelism_spec.coefficient", fmt::format("expected a number from 0 to {}", kMaxWorkers));
  }
  if (parallelism.constant > kMaxWorkers) {
    return invalid_field("parallelism_spec.constant", fmt::format("at most {} workers", kMaxWorkers));
  }
  if (parallelism.constant > 0 && parallelism.coefficient > 0) {
    return invalid_field("parallelism_spec", "constant and coefficient exclude each other; leave one out");
  }
  return parallelism;
}

constexpr std::pair<const char*, PodNetwork> kNetworks[] = {
    {"none", PodNetwork::kNone}, {"default", PodNetwork::kDefault}, {"host", PodNetwork::kHost}};

Result<PodNetwork> read_network(const json& spec) {
  const std::string name = text_or(member(spec, "network"), "none");
  for (const auto& [known, network] : kNetworks) {
    if (name == known) return network;
  }
  return invalid_field("network", "expected none, default or host");
}

/// What changes nothing here is an amount or a number all the same.
Result<void> check_unused(const json& spec) {
  PFS_TRY(read_amount(member(spec, "cache_size"), "cache_size"));
  PFS_TRY(read_resources(spec, "sidecar_resource_limits"));
  PFS_TRY(read_count(member(member(spec, "hashtree_spec"), "constant"), "hashtree_spec.constant"));
  return {};
}

/// A text that is itself JSON: kept as it is written, once it is known to be some.
Result<std::string> read_patch(const json& spec, const char* name, bool (json::*is)() const noexcept,
                               const char* expected) {
  std::string text = text_or(member(spec, name), "");
  if (text.empty()) return text;
  const json patch = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!(patch.*is)()) return invalid_field(name, expected);
  return text;
}

}  // namespace

std::uint64_t PodTerms::workers(std::uint64_t machines) const {
  const double scaled = std::round(parallelism.coefficient * static_cast<double>(machines));
  return std::max<std::uint64_t>({parallelism.constant, static_cast<std::uint64_t>(scaled), 1});
}

Result<PodTerms> read_pod_terms(const json& spec) {
  PodTerms terms;
  PFS_TRY_ASSIGN(terms.parallelism, read_parallelism(member(spec, "parallelism_spec")));
  terms.standby = value_or_empty<bool>(member(spec, "standby"));
  terms.autoscaling = value_or_empty<bool>(member(spec, "autoscaling"));
  PFS_TRY_ASSIGN(terms.datum_timeout, read_timeout(spec, "datum_timeout"));
  PFS_TRY_ASSIGN(terms.job_timeout, read_timeout(spec, "job_timeout"));
  PFS_TRY_ASSIGN(terms.resource_requests, read_resources(spec, "resource_requests"));
  PFS_TRY_ASSIGN(terms.resource_limits, read_resources(spec, "resource_limits"));
  PFS_TRY_ASSIGN(terms.network, read_network(spec));
  using Texts = std::map<std::string, std::string>;
  terms.labels = value_or_empty<Texts>(member(member(spec, "metadata"), "labels"));
  terms.annotations = value_or_empty<Texts>(member(member(spec, "metadata"), "annotations"));
  const json& scheduling = member(spec, "scheduling_spec");
  terms.node_selector = value_or_empty<Texts>(member(scheduling, "node_selector"));
  terms.priority_class_name = text_or(member(scheduling, "priority_class_name"), "");
  PFS_TRY_ASSIGN(terms.pod_spec,
                 read_patch(spec, "pod_spec", &json::is_object, "expected the text of a JSON object (RFC 7386)"));
  PFS_TRY_ASSIGN(terms.pod_patch,
                 read_patch(spec, "pod_patch", &json::is_array, "expected the text of a JSON list (RFC 6902)"));
  const json& chunk = member(spec, "chunk_spec");
  PFS_TRY_ASSIGN(terms.chunk_datums, read_count(member(chunk, "number"), "chunk_spec.number"));
  PFS_TRY_ASSIGN(terms.chunk_bytes, read_count(member(chunk, "size_bytes"), "chunk_spec.size_bytes"));
  PFS_TRY_ASSIGN(terms.max_queue_size, read_count(member(spec, "max_queue_size"), "max_queue_size"));
  PFS_TRY(check_unused(spec));
  return terms;
}

Result<void> check_metadata(const PodTerms& terms) {
  const std::pair<const char*, const std::map<std::string, std::string>&> all[] = {
      {"metadata.labels", terms.labels},
      {"metadata.annotations", terms.annotations},
      {"scheduling_spec.node_selector", terms.node_selector}};
  for (const auto& [field, texts] : all) {
    for (const auto& [name, value] : texts) {
      if (name.empty()) return invalid_field(field, "a name is empty");
      // engines are given both in one word, and take it apart at the first '='
      if (name.find('=') != std::string::npos) return invalid_field(field, fmt::format("'{}': a name has no '='", printable(name)));
      if (has_nul(name) || has_nul(value)) return invalid_field(field, fmt::format("'{}': a NUL byte in it", printable(name)));
    }
  }
  return {};
}

void add_pod_terms(const PodTerms& terms, json& spec) {
  if (terms.parallelism.coefficient > 0) {
    spec["parallelism_spec"] = {{"coefficient", terms.parallelism.coefficient}};
  } else {
    spec["parallelism_spec"] = {{"constant", terms.workers()}};
  }
  if (terms.standby) spec["standby"] = true;
  if (terms.autoscaling) spec["autoscaling"] = true;
  if (terms.datum_timeout) spec["datum_timeout"] = format_go_duration(*terms.datum_timeout);
  if (terms.job_timeout) spec["job_timeout"] = format_go_duration(*terms.job_timeout);
  if (terms.resource_requests != Resources{}) spec["resource_requests"] = resources_json(terms.resource_requests);
  if (terms.resource_limits != Resources{}) spec["resource_limits"] = resources_json(terms.resource_limits);
  for (const auto& [name, network] : kNetworks) {
    if (network == terms.network && network != PodNetwork::kNone) spec["network"] = name;
  }
  if (!terms.labels.empty()) spec["metadata"]["labels"] = terms.labels;
  if (!terms.annotations.empty()) spec["metadata"]["annotations"] = terms.annotations;
  if (!terms.node_selector.empty()) spec["scheduling_spec"]["node_selector"] = terms.node_selector;
  if (!terms.priority_class_name.empty()) {
    spec["scheduling_spec"]["priority_class_name"] = terms.priority_class_name;
  }
  if (!terms.pod_spec.empty()) spec["pod_spec"] = terms.pod_spec;
  if (!terms.pod_patch.empty()) spec["pod_patch"] = terms.pod_patch;
  if (terms.chunk_datums > 0) spec["chunk_spec"]["number"] = terms.chunk_datums;
  if (terms.chunk_bytes > 0) spec["chunk_spec"]["size_bytes"] = terms.chunk_bytes;
  if (terms.max_queue_size > 0) spec["max_queue_size"] = terms.max_queue_size;
}

}  // namespace pfs::trigger
