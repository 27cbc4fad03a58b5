#include "trigger/internal/worker_secrets.h"

#include <fcntl.h>

#include <algorithm>

#include <boost/filesystem.hpp>
#include <fmt/format.h>

#include "base/file.h"
#include "trigger/internal/secret_manifest.h"

namespace pfs::trigger {

namespace {

namespace bfs = boost::filesystem;

/// Modes are as they are said, whatever our umask.
Result<void> make_directory(const std::string& path, unsigned mode) {
  boost::system::error_code error;
  bfs::create_directories(path, error);
  if (!error) bfs::permissions(path, static_cast<bfs::perms>(mode), error);
  if (error) return error_from_errno(error.value(), "make " + path);
  return {};
}

Result<void> write_secret_file(const std::string& path, std::string_view bytes, unsigned mode) {
  PFS_TRY_ASSIGN(const File file, File::open(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
  PFS_TRY(file.write_at(0, as_bytes(bytes)));
  boost::system::error_code error;
  bfs::permissions(path, static_cast<bfs::perms>(mode), error);
  if (error) return error_from_errno(error.value(), "chmod " + path);
  return {};
}

Result<Secret> secret_named(const Secrets* secrets, const std::string& text) {
  PFS_TRY_ASSIGN(const SecretName name, SecretName::parse(text));
  if (secrets == nullptr) return Error{Code::kNotFound, fmt::format("secret '{}': this daemon keeps none", text)};
  return secrets->read(name);
}

Result<std::string> variable_of(const SecretUse& use, const Secret& secret) {
  const auto found = secret.values.find(use.key);
  if (found == secret.values.end()) {
    return Error{Code::kNotFound, fmt::format("secret '{}': it has no key '{}'; see `pfs inspect secret {}`", use.name, use.key,
                                              use.name)};
  }
  if (found->second.find('\0') != std::string::npos) {
    return Error{Code::kInvalid, fmt::format("secret '{}': key '{}' has a NUL byte and cannot be a variable; use mount_path",
                                             use.name, use.key)};
  }
  return use.env_var + "=" + found->second;
}

Result<std::string> docker_config_of(const Secrets* secrets, const std::string& name) {
  PFS_TRY_ASSIGN(const Secret secret, secret_named(secrets, name));
  const auto found = secret.values.find(kDockerConfigKey);
  if (secret.type != kDockerConfigType || found == secret.values.end()) {
    return Error{Code::kInvalid, fmt::format("secret '{}': is of type {}, and image_pull_secrets takes {}", name, secret.type,
                                             kDockerConfigType)};
  }
  return found->second;
}

}  // namespace

Result<WorkerSecrets> place_secrets(const Secrets* secrets, const std::vector<SecretUse>& uses,
                                    const std::string& directory) {
  WorkerSecrets placed;
  for (const SecretUse& use : uses) {
    PFS_TRY_ASSIGN(const Secret secret, secret_named(secrets, use.name));
    if (!use.env_var.empty()) {
      PFS_TRY_ASSIGN(std::string variable, variable_of(use, secret));
      placed.environment.push_back(std::move(variable));
    }
    if (use.mount_path.empty()) continue;
    const std::string files = fmt::format("{}/{}", directory, placed.mounts.size());
    PFS_TRY(make_directory(directory, 0700));
    PFS_TRY(make_directory(files, 0755));
    for (const auto& [key, value] : secret.values) {
      PFS_TRY(write_secret_file(fmt::format("{}/{}", files, key), value, 0444));
    }
    placed.mounts.push_back({files, use.mount_path});
  }
  return placed;
}

SecretVersions versions_of(const Secrets* secrets, const std::vector<SecretUse>& uses) {
  SecretVersions versions;
  for (const SecretUse& use : uses) {
    const auto secret = secret_named(secrets, use.name);
    versions.push_back(secret ? std::optional(secret->created) : std::nullopt);
  }
  return versions;
}

bool still_good(const SecretVersions& made, const SecretVersions& now) {
  return std::equal(made.begin(), made.end(), now.begin(), now.end(),
                    [](const auto& before, const auto& after) { return !after || after == before; });
}

Result<PullCredentials> place_pull_credentials(const Secrets* secrets, const std::vector<std::string>& names,
                                               const std::string& directory) {
  PullCredentials credentials;
  for (const std::string& name : names) {
    const auto config = docker_config_of(secrets, name);
    if (!config) {
      credentials.trouble += (credentials.trouble.empty() ? "" : "; ") + config.error().message;
      continue;
    }
    // podman takes a file, docker a directory that is called as the file with a `.d` behind it: ContainerEngine::credentials()
    const std::string file = fmt::format("{}/{}", directory, name);
    PFS_TRY(make_directory(directory, 0700));
    PFS_TRY(make_directory(file + ".d", 0700));
    PFS_TRY(write_secret_file(file, *config, 0600));
    PFS_TRY(write_secret_file(file + ".d/config.json", *config, 0600));
    credentials.files.push_back(file);
  }
  return credentials;
}

}  // namespace pfs::trigger
