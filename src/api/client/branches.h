#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/client/connection.h"
#include "base/clock.h"
#include "base/names.h"
#include "base/result.h"

namespace pfs::client {

/// When commits are made, as people write it: `auto`, `5s`. Empty is not said.
struct CommitPolicy {
  std::string commit;
  std::string commit_after;
  std::string commit_max;
};

/// What makes a branch follow another of its repo; what is empty is no condition.
struct BranchTrigger {
  std::string branch;
  std::string cron;
  std::string size;
  std::uint64_t commits = 0;
  bool all = false;
  std::string text;  ///< as people read it; in answers
};

struct Branch {
  std::string repo;
  std::string name;
  std::string head;         ///< 32 hex digits; empty while there is none
  std::string open_commit;  ///< the id that its next commit will have
  bool opened_by_hand = false;
  std::string output_of;  ///< the pipeline that alone writes it
  CommitPolicy policy;      ///< as it holds
  CommitPolicy own_policy;  ///< of that, what the branch has been given itself
  std::vector<std::string> provenance;    ///< repo@branch
  std::optional<BranchTrigger> trigger;
  Timestamp created;
};

/// What `create branch` sets; what is not set stays.
struct BranchSettings {
  std::optional<CommitRef> head;  ///< of the same repo
  std::vector<BranchRef> provenance;
  std::optional<BranchTrigger> trigger;
};

class Branches {
 public:
  explicit Branches(const Connection& connection) : connection_(connection) {}

  /// Makes the branch, or changes one that is there. Returns whether HEAD moved.
  Result<bool> create(const BranchRef& ref, const BranchSettings& settings) const;
  Result<Branch> inspect(const BranchRef& ref) const;
  /// Of one repo or of all; newest first within a repo.
  Result<std::vector<Branch>> list(const std::optional<RepoName>& repo) const;
  /// What `policy` leaves empty stays; `default` is the daemon's again.
  Result<Branch> update(const BranchRef& ref, const CommitPolicy& policy) const;
  /// `force`: also while a commit is open that was started by hand.
  Result<void> remove(const BranchRef& ref, bool force) const;

 private:
  const Connection& connection_;
};

}  // namespace pfs::client
