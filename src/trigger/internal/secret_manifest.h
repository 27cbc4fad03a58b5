#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "trigger/secrets.h"

namespace pfs::trigger {

inline constexpr const char* kOpaque = "Opaque";
/// Registry credentials, in the form of containers-auth.json(5), under this key.
inline constexpr const char* kDockerConfigType = "kubernetes.io/dockerconfigjson";
inline constexpr const char* kDockerConfigKey = ".dockerconfigjson";

struct SecretManifest {
  SecretName name;
  std::string type;
  std::map<std::string, std::string> values;
};

/// Reads a Kubernetes Secret: `data` is base64, `stringData` is taken as it is and counts where both have a key.
/// Errors: kInvalid (names the field, and never says what is in it), kTooLarge.
/// Source: the Kubernetes API reference, core/v1 Secret.
Result<SecretManifest> read_secret_manifest(const std::string& json_text);

}  // namespace pfs::trigger
