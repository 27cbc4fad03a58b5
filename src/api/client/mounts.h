#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/client/connection.h"
#include "base/names.h"
#include "base/result.h"

namespace pfs::client {

/// A part of the store that is mounted by a session of its own.
struct MountedPart {
  std::string part;  ///< `data@master:/dir`; empty: all of it
  std::string directory;
};

class Mounts {
 public:
  explicit Mounts(const Connection& connection) : connection_(connection) {}

  /// `ref` none: all of the store. `directory` is absolute, and of the daemon's machine.
  Result<void> add(const std::optional<CommitRef>& ref, const RepoPath& path, const std::string& directory,
                   const std::vector<std::string>& options) const;
  Result<void> remove(const std::string& directory) const;
  /// In the order in which they were mounted.
  Result<std::vector<MountedPart>> list() const;

 private:
  const Connection& connection_;
};

}  // namespace pfs::client
