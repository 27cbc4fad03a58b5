#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "api/client/connection.h"
#include "base/clock.h"
#include "base/names.h"
#include "base/result.h"

namespace pfs::client {

struct Pipeline {
  std::string name;
  std::uint64_t version = 0;
  std::string spec_json;
  std::string description;
  std::string input;  ///< the shorthand of tables: `images:/*`
  std::string output_repo;
  std::string output_branch;
  Timestamp created;
  std::string state;  ///< the word of tables: `running`
  std::string reason;
  std::string last_job;  ///< the state of its newest job; empty: it has had none
};

class Pipelines {
 public:
  explicit Pipelines(const Connection& connection) : connection_(connection) {}

  /// `specs`: JSON text of one or more pipelines, one after another.
  Result<std::vector<Pipeline>> create(const std::string& specs, bool update, bool reprocess) const;
  Result<Pipeline> inspect(const RepoName& name) const;
  Result<std::vector<Pipeline>> list() const;
  Result<void> remove(const RepoName& name) const;

 private:
  const Connection& connection_;
};

}  // namespace pfs::client
