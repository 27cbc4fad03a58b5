#pragma once

#include <string>
#include <vector>

#include "api/client/connection.h"
#include "base/clock.h"
#include "base/result.h"

namespace pfs::client {

/// What is told of a secret: never a value.
struct Secret {
  std::string name;
  std::string type;
  Timestamp created;
  std::vector<std::string> keys;
};

class Secrets {
 public:
  explicit Secrets(const Connection& connection) : connection_(connection) {}

  /// `manifest_json`: a Kubernetes Secret.
  Result<Secret> create(const std::string& manifest_json) const;
  Result<Secret> inspect(const std::string& name) const;
  /// Newest first.
  Result<std::vector<Secret>> list() const;
  Result<void> remove(const std::string& name) const;

 private:
  const Connection& connection_;
};

}  // namespace pfs::client
