#include "trigger/internal/secret_manifest.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "base/names.h"

namespace pfs::trigger {

namespace {

using nlohmann::json;

constexpr std::size_t kMaxBytes = 1 << 20;  // of all values, as in Kubernetes
constexpr std::size_t kMaxKey = 253;

Error bad_field(std::string_view field, std::string_view trouble) {
  return Error{Code::kInvalid, fmt::format("secret manifest: {}: {}", field, trouble)};
}

/// A text member; `otherwise` where it is missing.
Result<std::string> text_in(const json& object, const char* name, std::string_view field, std::string_view otherwise) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return std::string(otherwise);
  if (!found->is_string()) return bad_field(field, "expected a text");
  return found->get<std::string>();
}

/// A key is the name of a file.
Result<void> check_key(std::string_view field, std::string_view key) {
  const auto may_be_in = [](unsigned char c) { return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-'; };
  if (!key.empty() && key.size() <= kMaxKey && key != "." && key != ".." && std::all_of(key.begin(), key.end(), may_be_in)) {
    return {};
  }
  return bad_field(field, fmt::format("'{}': a key is of letters, digits, '.', '_' and '-'", printable(key.substr(0, kMaxKey))));
}

Result<void> add_values(const json& manifest, const char* field, bool encoded, std::map<std::string, std::string>& values) {
  const auto found = manifest.find(field);
  if (found == manifest.end() || found->is_null()) return {};
  if (!found->is_object()) return bad_field(field, "expected an object of keys and values");
  for (const auto& [key, value] : found->items()) {
    PFS_TRY(check_key(field, key));
    const std::string place = fmt::format("{}.{}", field, key);
    if (!value.is_string()) return bad_field(place, "expected a text");
    if (!encoded) {
      values[key] = value.get<std::string>();
      continue;
    }
    auto bytes = from_base64(value.get_ref<const std::string&>());
    if (!bytes) return bad_field(place, "is no base64; put the value as it is into stringData");
    values[key] = *std::move(bytes);
  }
  return {};
}

/// What image_pull_secrets will need, while somebody is there to mend it.
Result<void> check_docker_config(const SecretManifest& manifest) {
  const auto found = manifest.values.find(kDockerConfigKey);
  if (found == manifest.values.end()) {
    return bad_field("data", fmt::format("type {} needs the key {}", kDockerConfigType, kDockerConfigKey));
  }
  const json config = json::parse(found->second, nullptr, /*allow_exceptions=*/false);
  if (config.is_object() && config.contains("auths") && config.at("auths").is_object()) return {};
  return bad_field(std::string("data.") + kDockerConfigKey, R"(expected JSON with an object "auths", as ~/.docker/config.json)");
}

}  // namespace

Result<SecretManifest> read_secret_manifest(const std::string& json_text) {
  // what the parser has to say would quote the text
  const json manifest = json::parse(json_text, nullptr, /*allow_exceptions=*/false);
  if (!manifest.is_object()) return Error{Code::kInvalid, "secret manifest: expected one JSON object, a Kubernetes Secret"};
  PFS_TRY_ASSIGN(const std::string kind, text_in(manifest, "kind", "kind", ""));
  if (kind != "Secret") return bad_field("kind", "expected Secret");
  PFS_TRY_ASSIGN(const std::string version, text_in(manifest, "apiVersion", "apiVersion", "v1"));
  if (version != "v1") return bad_field("apiVersion", "expected v1");
  for (const auto& [name, value] : manifest.items()) {
    constexpr std::string_view kKnown[] = {"apiVersion", "kind", "metadata", "type", "data", "stringData", "immutable"};
    if (std::find(std::begin(kKnown), std::end(kKnown), name) == std::end(kKnown)) {
      return bad_field(printable(name), "no such field; values are in data or stringData");
    }
  }
  const auto metadata = manifest.find("metadata");
  if (metadata == manifest.end() || !metadata->is_object()) return bad_field("metadata.name", "is required");
  SecretManifest made;
  PFS_TRY_ASSIGN(const std::string name, text_in(*metadata, "name", "metadata.name", ""));
  if (name.empty()) return bad_field("metadata.name", "is required");
  PFS_TRY_ASSIGN(made.name, SecretName::parse(name));
  PFS_TRY_ASSIGN(made.type, text_in(manifest, "type", "type", kOpaque));
  if (made.type.empty()) made.type = kOpaque;
  if (made.type.size() > kMaxKey) return bad_field("type", "is too long");
  PFS_TRY(add_values(manifest, "data", true, made.values));
  PFS_TRY(add_values(manifest, "stringData", false, made.values));
  std::size_t bytes = 0;
  for (const auto& [key, value] : made.values) bytes += key.size() + value.size();
  if (bytes > kMaxBytes) return Error{Code::kTooLarge, fmt::format("secret '{}': over 1 MiB", name)};
  if (made.type == kDockerConfigType) PFS_TRY(check_docker_config(made));
  return made;
}

}  // namespace pfs::trigger
