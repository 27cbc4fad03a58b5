#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "trigger/internal/spec_transform.h"
#include "trigger/secrets.h"

namespace pfs::trigger {

/// A directory of the host that a container has, read-only.
struct SecretMount {
  std::string directory;
  std::string mount_path;
};

/// What a worker is given of its pipeline's secrets, as they are when its container is made.
struct WorkerSecrets {
  std::vector<std::string> environment;  ///< NAME=value; told to the worker, so on no command line and in no `inspect`
  std::vector<SecretMount> mounts;
};

/// Writes the secrets that are mounted below `directory`, which is made for its owner alone; what is in it can be read by
/// any user of a container. The caller removes it. `secrets`: null where the daemon keeps none.
/// Errors: kNotFound (a secret, a key), kInvalid (a value that cannot be a variable).
Result<WorkerSecrets> place_secrets(const Secrets* secrets, const std::vector<SecretUse>& uses, const std::string& directory);

/// When each of them was made, nothing for one that is not there.
using SecretVersions = std::vector<std::optional<Timestamp>>;
SecretVersions versions_of(const Secrets* secrets, const std::vector<SecretUse>& uses);

/// Whether a container that was made with `made` is the same as one that is made now. A secret that is gone meanwhile does not
/// count: who has it keeps it.
bool still_good(const SecretVersions& made, const SecretVersions& now);

struct PullCredentials {
  std::vector<std::string> files;  ///< as ImageRequest::auth_files
  std::string trouble;             ///< with those that cannot be used; an image that is there needs none
};

/// Writes registry credentials below `directory`, as place_secrets().
Result<PullCredentials> place_pull_credentials(const Secrets* secrets, const std::vector<std::string>& names,
                                               const std::string& directory);

}  // namespace pfs::trigger
