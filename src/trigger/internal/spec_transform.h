#pragma once

#include <map>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"

namespace pfs::trigger {

/// A secret in a container: as files below `mount_path`, or one key of it in a variable.
struct SecretUse {
  std::string name;
  std::string mount_path;  ///< absolute, each '/' once, no '.'; a file for each key. Empty: `env_var` and `key` are set
  std::string env_var;
  std::string key;
};

/// What runs for a datum, and in which image.
struct TransformSpec {
  std::string image;             ///< required
  std::vector<std::string> cmd;  ///< required; executed as it is, without a shell
  std::vector<std::string> stdin_lines;
  std::vector<std::string> err_cmd;  ///< after the last attempt that failed: success means "recovered". Empty: none
  std::vector<std::string> err_stdin_lines;
  std::map<std::string, std::string> env;
  std::string user;                     ///< a name or number; empty: the image's
  std::string working_dir;              ///< empty: the image's
  std::vector<int> accept_return_code;  ///< counts as success beside 0
  std::vector<SecretUse> secrets;
  std::vector<std::string> image_pull_secrets;  ///< names of secrets
};

/// `object` is the spec's `transform`, with types checked. Errors: kInvalid (names the field).
Result<TransformSpec> read_transform(const nlohmann::json& object);
/// Refuses secrets where no container could start with them. Not a part of read_transform(): a spec that is kept is read as it
/// is. Errors: kInvalid (names the field).
Result<void> check_secret_places(const TransformSpec& transform);
/// Only what is not as it would be anyway.
nlohmann::json to_json(const TransformSpec& transform);

}  // namespace pfs::trigger
