#include "trigger/internal/spec_transform.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/names.h"
#include "trigger/internal/spec_reading.h"
#include "trigger/secrets.h"

namespace pfs::trigger {

namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxExitCode = 255;

Result<void> check_command(std::string_view field, const std::vector<std::string>& command) {
  for (const std::string& argument : command) {
    if (has_nul(argument)) return invalid_field(field, "a NUL byte in an argument");
  }
  if (!command.empty() && command.front().empty()) return invalid_field(field, "its first word, the program, is empty");
  return {};
}

bool can_be_variable(const std::string& name) {
  return !name.empty() && name.find('=') == std::string::npos && !has_nul(name);
}

bool is_absolute(const std::string& path) { return !path.empty() && path.front() == '/' && !has_nul(path); }

/// Engines cut what is mounted where at commas or colons; /pfs is the datum's.
bool can_have_secrets(const std::string& path) {
  return is_absolute(path) && path.find_first_not_of('/') != std::string::npos &&
         path.find_first_of(",:\n") == std::string::npos && path != "/pfs" && !path.starts_with("/pfs/");
}

/// The same place, said with one '/' between its names and with no '.'.
std::string normalised(const std::string& path) {
  if (!is_absolute(path)) return path;
  std::string normal;
  std::string_view rest = path;
  while (!rest.empty()) {
    const auto end = std::min(rest.find('/'), rest.size());
    const std::string_view name = rest.substr(0, end);
    if (!name.empty() && name != ".") normal.append("/").append(name);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return normal.empty() ? "/" : normal;
}

/// It is that, or below it.
bool is_within(const std::string& path, const std::string& directory) {
  return path == directory || path.starts_with(directory + "/");
}

Result<SecretUse> read_secret(const json& object, const std::string& field) {
  SecretUse secret{text_or(member(object, "name"), ""), normalised(text_or(member(object, "mount_path"), "")),
                   text_or(member(object, "env_var"), ""), text_or(member(object, "key"), "")};
  if (secret.name.empty()) return invalid_field(field + ".name", "is required: the secret's name");
  if (auto name = SecretName::parse(secret.name); !name) return invalid_field(field + ".name", name.error().message);
  if (secret.mount_path.empty() && secret.env_var.empty()) {
    return invalid_field(field, "give mount_path (a file for each key), or env_var and key");
  }
  if (!secret.mount_path.empty() && !can_have_secrets(secret.mount_path)) {
    return invalid_field(field + ".mount_path", "expected an absolute path without ',' and ':', not '/' and not in /pfs");
  }
  if (!secret.env_var.empty() && !can_be_variable(secret.env_var)) {
    return invalid_field(field + ".env_var", fmt::format("'{}' cannot be a variable", printable(secret.env_var)));
  }
  if (secret.env_var.empty() != secret.key.empty()) {
    return invalid_field(field, "env_var and key go together: the key whose value the variable gets");
  }
  return secret;
}

Result<void> check(const TransformSpec& transform) {
  if (transform.image.empty()) {
    return invalid_field("transform.image", "is required: the image in which the command runs");
  }
  if (transform.cmd.empty()) return invalid_field("transform.cmd", R"(is required: the command, for instance ["sh"])");
  if (transform.image.front() == '-' || has_nul(transform.image)) {
    return invalid_field("transform.image", "no image's name");
  }
  PFS_TRY(check_command("transform.cmd", transform.cmd));
  PFS_TRY(check_command("transform.err_cmd", transform.err_cmd));
  if (transform.err_cmd.empty() && !transform.err_stdin_lines.empty()) {
    return invalid_field("transform.err_stdin", "is for transform.err_cmd, which is not there");
  }
  for (const auto& [name, value] : transform.env) {
    if (!can_be_variable(name)) {
      return invalid_field("transform.env", fmt::format("'{}' cannot be a variable", printable(name)));
    }
    if (has_nul(value)) return invalid_field("transform.env." + printable(name), "a NUL byte in it");
  }
  if (!transform.working_dir.empty() && !is_absolute(transform.working_dir)) {
    return invalid_field("transform.working_dir", "expected an absolute path");
  }
  for (const char c : transform.user) {
    if (c <= ' ' || c == ':') return invalid_field("transform.user", "expected a user's name or number");
  }
  for (const std::string& name : transform.image_pull_secrets) {
    if (auto parsed = SecretName::parse(name); !parsed) {
      return invalid_field("transform.image_pull_secrets", parsed.error().message);
    }
  }
  return {};
}

}  // namespace

Result<TransformSpec> read_transform(const json& object) {
  TransformSpec transform;
  transform.image = text_or(member(object, "image"), "");
  transform.cmd = value_or_empty<std::vector<std::string>>(member(object, "cmd"));
  transform.stdin_lines = value_or_empty<std::vector<std::string>>(member(object, "stdin"));
  transform.err_cmd = value_or_empty<std::vector<std::string>>(member(object, "err_cmd"));
  transform.err_stdin_lines = value_or_empty<std::vector<std::string>>(member(object, "err_stdin"));
  transform.env = value_or_empty<std::map<std::string, std::string>>(member(object, "env"));
  transform.user = text_or(member(object, "user"), "");
  transform.working_dir = text_or(member(object, "working_dir"), "");
  for (const json& code : member(object, "accept_return_code")) {
    const std::string field = fmt::format("transform.accept_return_code[{}]", transform.accept_return_code.size());
    PFS_TRY_ASSIGN(const std::uint64_t number, read_count(code, field));
    if (number > kMaxExitCode) {
      return invalid_field(field, fmt::format("{} is no exit status; they go from 0 to {}", number, kMaxExitCode));
    }
    transform.accept_return_code.push_back(static_cast<int>(number));
  }
  transform.image_pull_secrets = value_or_empty<std::vector<std::string>>(member(object, "image_pull_secrets"));
  std::size_t number = 0;
  for (const json& secret : member(object, "secrets")) {
    PFS_TRY_ASSIGN(SecretUse read, read_secret(secret, fmt::format("transform.secrets[{}]", number++)));
    transform.secrets.push_back(std::move(read));
  }
  PFS_TRY(check(transform));
  return transform;
}

Result<void> check_secret_places(const TransformSpec& transform) {
  for (std::size_t i = 0; i < transform.secrets.size(); ++i) {
    const std::string& path = transform.secrets[i].mount_path;
    if (path.empty()) continue;
    const std::string field = fmt::format("transform.secrets[{}].mount_path", i);
    if ((path + "/").find("/../") != std::string::npos) return invalid_field(field, "'..' is not followed; give the path without");
    for (const char* taken : {"/.pfs-worker", "/proc", "/sys", "/dev"}) {
      if (is_within(path, taken)) return invalid_field(field, fmt::format("{} is the container's own; give another path", taken));
    }
    for (std::size_t j = 0; j < i; ++j) {
      const std::string& other = transform.secrets[j].mount_path;
      if (other.empty() || !(is_within(path, other) || is_within(other, path))) continue;
      return invalid_field(field, fmt::format("'{}' and '{}' of transform.secrets[{}] are in each other's way; give each secret a "
                                              "directory of its own", printable(path), printable(other), j));
    }
  }
  return {};
}

json to_json(const TransformSpec& transform) {
  json object{{"image", transform.image}, {"cmd", transform.cmd}};
  if (!transform.stdin_lines.empty()) object["stdin"] = transform.stdin_lines;
  if (!transform.err_cmd.empty()) object["err_cmd"] = transform.err_cmd;
  if (!transform.err_stdin_lines.empty()) object["err_stdin"] = transform.err_stdin_lines;
  if (!transform.env.empty()) object["env"] = transform.env;
  if (!transform.user.empty()) object["user"] = transform.user;
  if (!transform.working_dir.empty()) object["working_dir"] = transform.working_dir;
  if (!transform.accept_return_code.empty()) object["accept_return_code"] = transform.accept_return_code;
  if (!transform.image_pull_secrets.empty()) object["image_pull_secrets"] = transform.image_pull_secrets;
  for (const SecretUse& secret : transform.secrets) {
    json use{{"name", secret.name}};
    if (!secret.mount_path.empty()) use["mount_path"] = secret.mount_path;
    if (!secret.env_var.empty()) use["env_var"] = secret.env_var;
    if (!secret.key.empty()) use["key"] = secret.key;
    object["secrets"].push_back(std::move(use));
  }
  return object;
}

}  // namespace pfs::trigger
