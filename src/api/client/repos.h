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
  Result<Repo> inspect(const RepoName& name) const;
  /// Newest first.
  Result<std::vector<Repo>> list() const;

 private:
  const Connection& connection_;
};

}  // namespace pfs::client
