#include "trigger/internal/spec_fields.h"

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/names.h"

namespace pfs::trigger {

namespace {

using nlohmann::json;
using Notes = std::vector<std::string>;

enum class Type { kString, kBool, kInteger, kNumber, kNumberOrString, kObject, kStrings, kIntegers, kObjects, kStringMap };

/// What a field does here.
enum class Support {
  kYes,
  kNoEffect,  ///< accepted; there is nothing here that it could change, `note` says why
  kNotYet,    ///< refused; false, 0 and "" are what programs write for a field that is not there
};

struct Field {
  std::string_view name;
  Type type;
  Support support = Support::kYes;
  std::string_view note = {};
  std::span<const Field> children = {};  ///< of an object; empty where anything may be in it
};

constexpr Field kPipelineFields[] = {
    {"name", Type::kString},
};

constexpr Field kSecretFields[] = {
    {"name", Type::kString},
    {"mount_path", Type::kString},
    {"env_var", Type::kString},
    {"key", Type::kString},
};

constexpr Field kTransformFields[] = {
    {"image", Type::kString},
    {"cmd", Type::kStrings},
    {"stdin", Type::kStrings},
    {"env", Type::kStringMap},
    {"user", Type::kString},
    {"working_dir", Type::kString},
    {"accept_return_code", Type::kIntegers},
    {"dockerfile", Type::kString, Support::kNoEffect, "is for `--build`, which has happened by now"},
    {"debug", Type::kBool, Support::kNoEffect, "logs always hold what it would add"},
    {"err_cmd", Type::kStrings},
    {"err_stdin", Type::kStrings},
    {"secrets", Type::kObjects, Support::kYes, {}, kSecretFields},
    {"image_pull_secrets", Type::kStrings},
    {"build", Type::kObject, Support::kNotYet},
};

constexpr Field kParallelismFields[] = {
    {"constant", Type::kInteger},
    {"coefficient", Type::kNumber},
};

constexpr Field kGpuFields[] = {
    {"type", Type::kString},
    {"number", Type::kInteger},
};

constexpr Field kResourcesFields[] = {
    {"cpu", Type::kNumberOrString},
    {"memory", Type::kNumberOrString},
    {"disk", Type::kNumberOrString, Support::kNoEffect, "what a datum writes is in the store, whose disk all of them share"},
    {"gpu", Type::kObject, Support::kYes, {}, kGpuFields},
};

constexpr Field kMetadataFields[] = {
    {"labels", Type::kStringMap},
    {"annotations", Type::kStringMap},
};

constexpr Field kSchedulingFields[] = {
    {"node_selector", Type::kStringMap},
    {"priority_class_name", Type::kString},
};

constexpr Field kChunkFields[] = {
    {"number", Type::kInteger},
    {"size_bytes", Type::kInteger},
};

constexpr Field kHashtreeFields[] = {
    {"constant", Type::kInteger},
};

constexpr Field kRepoFields[] = {
    {"name", Type::kString},
};

constexpr Field kCommitFields[] = {
    {"repo", Type::kObject, Support::kYes, {}, kRepoFields},
    {"id", Type::kString},
};

constexpr Field kSpecFields[] = {
    {"pipeline", Type::kObject, Support::kYes, {}, kPipelineFields},
    {"description", Type::kString},
    {"transform", Type::kObject, Support::kYes, {}, kTransformFields},
    {"parallelism_spec", Type::kObject, Support::kYes, {}, kParallelismFields},
    {"input", Type::kObject},  // read_input() looks at it
    {"output_branch", Type::kString},
    {"datum_tries", Type::kInteger},
    {"reprocess_spec", Type::kString},
    {"salt", Type::kString},
    {"output_merge", Type::kString},
    {"network", Type::kString},
    {"metadata", Type::kObject, Support::kYes, {}, kMetadataFields},
    {"resource_limits", Type::kObject, Support::kYes, {}, kResourcesFields},
    {"resource_requests", Type::kObject, Support::kNoEffect, "one machine has nothing to choose from", kResourcesFields},
    {"datum_timeout", Type::kString},
    {"job_timeout", Type::kString},
    {"standby", Type::kBool},
    {"autoscaling", Type::kBool},
    {"scheduling_spec", Type::kObject, Support::kNoEffect, "one machine has nothing to choose from", kSchedulingFields},
    {"pod_spec", Type::kString, Support::kNoEffect, "it changes pods of Kubernetes, which runs none of them here"},
    {"pod_patch", Type::kString, Support::kNoEffect, "it changes pods of Kubernetes, which runs none of them here"},
    {"max_queue_size", Type::kInteger, Support::kNoEffect, "nothing is fetched ahead"},
    {"chunk_spec", Type::kObject, Support::kNoEffect, "a datum costs too little to be handed out in chunks", kChunkFields},
    {"cache_size", Type::kNumberOrString, Support::kNoEffect, "there is no sidecar with a cache"},
    {"sidecar_resource_limits", Type::kObject, Support::kNoEffect, "there is no sidecar", kResourcesFields},
    {"hashtree_spec", Type::kObject, Support::kNoEffect, "outputs are not sharded", kHashtreeFields},
    {"enable_stats", Type::kBool, Support::kNoEffect, "logs and counts of every datum are always kept"},
    {"spec_commit", Type::kObject, Support::kNoEffect, "belongs to the request, not to the spec", kCommitFields},
    {"update", Type::kBool, Support::kNoEffect, "belongs to the request, not to the spec"},
    {"reprocess", Type::kBool, Support::kNoEffect, "belongs to the request, not to the spec"},
    {"s3_out", Type::kBool, Support::kNotYet},
    {"egress", Type::kObject, Support::kNotYet},
    {"service", Type::kObject, Support::kNotYet},
    {"spout", Type::kObject, Support::kNotYet},
    {"tf_job", Type::kObject, Support::kNotYet},
};

std::string_view name_of(Type type) {
  switch (type) {
    case Type::kString: return "a string";
    case Type::kBool: return "true or false";
    case Type::kInteger: return "a whole number from 0 on";
    case Type::kNumber: return "a number";
    case Type::kNumberOrString: return "a size, as a number or a string";
    case Type::kObject: return "an object";
    case Type::kStrings: return "a list of strings";
    case Type::kIntegers: return "a list of whole numbers";
    case Type::kObjects: return "a list of objects";
    case Type::kStringMap: return "an object of strings";
  }
  return "something else";
}

/// How protobuf writes a number of 64 bits.
bool is_digits(const json& value) {
  if (!value.is_string()) return false;
  const auto& text = value.get_ref<const std::string&>();
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

bool has_type(const json& value, Type type) {
  switch (type) {
    case Type::kString: return value.is_string();
    case Type::kBool: return value.is_boolean();
    case Type::kInteger: return value.is_number_unsigned() || is_digits(value);
    case Type::kNumber: return value.is_number();
    case Type::kNumberOrString: return value.is_number() || value.is_string();
    case Type::kObject: return value.is_object();
    case Type::kStrings:
    case Type::kIntegers:
    case Type::kObjects: return value.is_array();
    case Type::kStringMap: return value.is_object();
  }
  return false;
}

/// Of the members of a list, or of an object that is like one.
std::optional<Type> type_of_members(Type type) {
  switch (type) {
    case Type::kStrings:
    case Type::kStringMap: return Type::kString;
    case Type::kIntegers: return Type::kInteger;
    case Type::kObjects: return Type::kObject;
    case Type::kString:
    case Type::kBool:
    case Type::kInteger:
    case Type::kNumber:
    case Type::kNumberOrString:
    case Type::kObject: break;
  }
  return std::nullopt;
}

Result<void> check_type(const json& value, Type type, const std::string& path) {
  if (!has_type(value, type)) {
    return Error{Code::kInvalid, fmt::format("pipeline spec: {}: expected {}", path, name_of(type))};
  }
  const auto inner = type_of_members(type);
  if (!inner) return {};
  for (const auto& member : value.items()) {
    PFS_TRY(check_type(member.value(), *inner, value.is_array() ? fmt::format("{}[{}]", path, member.key())
                                                                : fmt::format("{}.{}", path, printable(member.key()))));
  }
  return {};
}

/// false, 0, "", [], {}: the value of a field that is not there.
bool is_default(const json& value) {
  if (value.is_boolean()) return !value.get<bool>();
  if (value.is_number()) return value.get<double>() == 0;
  return value.empty() || (value.is_string() && value.get_ref<const std::string&>().empty());
}

Result<void> check_object(const json& object, std::span<const Field> fields, const std::string& prefix, Notes& notes);

Result<void> check_children(const json& value, const Field& field, const std::string& path, Notes& notes) {
  if (field.children.empty()) return {};
  if (value.is_object()) return check_object(value, field.children, path + ".", notes);
  std::size_t number = 0;
  for (const json& item : value) PFS_TRY(check_object(item, field.children, fmt::format("{}[{}].", path, number++), notes));
  return {};
}

Result<void> check_object(const json& object, std::span<const Field> fields, const std::string& prefix, Notes& notes) {
  for (const auto& member : object.items()) {
    const json& value = member.value();
    const std::string path = prefix + member.key();
    const auto field =
        std::find_if(fields.begin(), fields.end(), [&](const Field& known) { return known.name == member.key(); });
    if (field == fields.end()) {
      return Error{Code::kInvalid, fmt::format("pipeline spec: {}: no such field", printable(path))};
    }
    if (value.is_null()) continue;
    PFS_TRY(check_type(value, field->type, path));
    PFS_TRY(check_children(value, *field, path, notes));
    switch (field->support) {
      case Support::kYes: break;
      case Support::kNoEffect:
        if (!is_default(value)) notes.push_back(fmt::format("{} has no effect: {}", path, field->note));
        break;
      case Support::kNotYet:
        if (is_default(value) && !value.is_structured()) break;  // `spout: {}` asks for one
        return Error{Code::kUnsupported, fmt::format("pipeline spec: {}: comes later; leave it out", path)};
    }
  }
  return {};
}

}  // namespace

Result<Notes> check_spec_fields(const json& spec) {
  if (!spec.is_object()) return Error{Code::kInvalid, "pipeline spec: expected a JSON object"};
  Notes notes;
  PFS_TRY(check_object(spec, kSpecFields, "", notes));
  return notes;
}

}  // namespace pfs::trigger
