#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "api/client/connection.h"
#include "base/clock.h"
#include "base/names.h"
#include "base/result.h"

namespace pfs::client {

struct Repo {
  std::string name;
  std::string description;
  Timestamp created;
  std::uint64_t master_size = 0;  ///< bytes, of the HEAD of branch master
};

class Repos {
 public:
  explicit Repos(const Connection& connection) : connection_(connection) {}

  Result<void> create(const RepoName& name, const std::string& description) const;
  Result<void> update(const RepoName& name, const std::string& description) const;
  /// With its branches and commits; `force`: whatever reads it or is made from it.
  Result<void> remove(const RepoName& name, bool force) const;
  Result<void> remove_all(bool force) const;
  Result<Repo> inspect(const RepoName& name) const;
  /// Newest first.
  Result<std::vector<Repo>> list() const;

 private:
  Result<void> remove(const std::string& name, bool all, bool force) const;

  const Connection& connection_;
};

}  // namespace pfs::client
