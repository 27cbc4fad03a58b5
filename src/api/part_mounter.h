#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/names.h"
#include "base/result.h"

namespace pfs::api {

/// A part of the store, and where it is mounted.
struct Part {
  std::optional<CommitRef> ref;  ///< none: all of it
  RepoPath path;                 ///< a directory in that
  std::string directory;         ///< absolute

  std::string str() const { return !ref ? "all of it" : ref->str() + (path.is_root() ? "" : ":" + path.str()); }
};

/// Mounts parts of the store elsewhere, each by a FUSE session of its own: for users who may not bind. Thread-safe.
class PartMounter {
 public:
  virtual ~PartMounter() = default;

  /// Returns when it is mounted. `options`: `ro` and the like. Errors, each a line for a person: kNotFound, kNotDirectory, kExists
  /// (something of the store is mounted there), kInvalid (a directory inside the store, an option that is none), and those of
  /// fs::prepare_mount_point().
  virtual Result<void> mount(const Part& part, const std::vector<std::string>& options) = 0;
  /// Errors: kNotFound (no part is mounted there).
  virtual Result<void> unmount(const std::string& directory) = 0;
  virtual std::vector<Part> parts() const = 0;
};

}  // namespace pfs::api
