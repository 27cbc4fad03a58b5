#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace pfs::trigger {

/// Letters, digits, '.', '_' and '-', with a letter or digit first; at most 253, as Kubernetes has it.
class SecretName {
 public:
  SecretName() = default;
  /// Errors: kInvalid.
  static Result<SecretName> parse(std::string_view text);
  const std::string& str() const { return text_; }

 private:
  std::string text_;
};

/// What may be shown of a secret.
struct SecretInfo {
  SecretName name;
  std::string type;  ///< Opaque, kubernetes.io/dockerconfigjson, …
  Timestamp created;
  std::vector<std::string> keys;
};

struct Secret {
  std::string type;
  Timestamp created;
  std::map<std::string, std::string> values;  ///< bytes by key
};

/// Passwords, tokens and keys for pipelines' containers: a file each, in a directory that its owner alone may enter.
///
/// Thread-safe: a file is made and removed whole, so nothing is locked. No error tells a value.
class Secrets {
 public:
  /// Makes the directory where it is missing, for its owner alone.
  static Result<std::unique_ptr<Secrets>> open(const std::string& directory, const Clock& clock);

  /// `manifest`: a Kubernetes Secret as JSON. Durable when it returns.
  /// Errors: kInvalid (names the field), kExists, kTooLarge.
  Result<SecretInfo> create(const std::string& manifest);
  /// Errors: kNotFound, kCorrupt.
  Result<SecretInfo> get(const SecretName& name) const;
  /// Newest first.
  Result<std::vector<SecretInfo>> list() const;
  /// Containers that have it keep it until they end. Errors: kNotFound.
  Result<void> remove(const SecretName& name);

  /// With its values. Errors as get().
  Result<Secret> read(const SecretName& name) const;

 private:
  Secrets(std::string directory, const Clock& clock) : directory_(std::move(directory)), clock_(clock) {}
  std::string path_of(const SecretName& name) const { return directory_ + "/" + name.str(); }

  const std::string directory_;
  const Clock& clock_;
};

}  // namespace pfs::trigger
