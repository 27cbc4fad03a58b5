#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "api/client/connection.h"
#include "base/clock.h"
#include "base/names.h"
#include "base/result.h"

namespace pfs::client {

struct Commit {
  struct Cause {
    std::string repo;
    std::string branch;
    std::string commit;
  };

  std::string id;
  std::string repo;
  std::string branch;
  std::string parent;  ///< empty for the first
  Timestamp started;
  std::optional<Timestamp> finished;  ///< not set: it is open, and its size is not known
  bool by_hand = false;               ///< open, and started by `start commit`
  std::uint64_t size = 0;
  std::uint64_t files = 0;
  std::string author;
  std::string description;
  std::vector<Cause> provenance;
  std::uint64_t jobs_succeeded = 0;  ///< downstream of it, as are the next two
  std::uint64_t jobs_pending = 0;
  std::uint64_t jobs_failed = 0;
};

struct FinishedCommit {
  std::string id;  ///< HEAD when nothing had changed; empty when there is none either
  bool made = false;
};

class Commits {
 public:
  explicit Commits(const Connection& connection) : connection_(connection) {}

  /// Returns the id. With a `parent`, of the same repo, HEAD is put there first.
  Result<std::string> start(const BranchRef& ref, const std::optional<CommitRef>& parent,
                            const std::string& description) const;
  /// `ref`: a branch, or the id of an open commit.
  Result<FinishedCommit> finish(const CommitRef& ref, const std::string& description) const;
  Result<Commit> inspect(const CommitRef& ref) const;
  /// Of a branch or of a whole repo, open ones first, then newest first; `limit` 0: all. `from`, of
  /// a branch only: down to that commit, without it.
  Result<std::vector<Commit>> list(const RepoName& repo, const std::optional<BranchName>& branch,
                                   std::uint64_t limit, const std::optional<CommitRef>& from) const;
  /// A finished commit and what it was made from, newest first; `limit` 0: all.
  Result<std::vector<Commit>> history(const CommitRef& of, std::uint64_t limit) const;
  /// `squash`: only where a commit came after it. Returns the id.
  Result<std::string> remove(const CommitRef& ref, bool squash) const;
  /// A commit of any repo, by its id.
  Result<std::string> remove(const CommitId& id, bool squash) const;

  /// Told of each commit as it comes; an error ends the call and is its outcome.
  using Visit = std::function<Result<void>(const Commit& commit)>;
  /// Waits for all jobs downstream; tells of the commits that they make, in `repos` only where some
  /// are named. Errors: kInvalid (a job failed).
  Result<void> flush(const std::vector<CommitRef>& commits, const std::vector<RepoName>& repos,
                     const Visit& visit) const;
  /// Tells of what a branch's HEAD is and comes to be, oldest first, until it is stopped. `from`:
  /// behind that commit; `new_only`: from now on.
  Result<void> subscribe(const BranchRef& branch, const std::optional<CommitRef>& from,
                         bool new_only, const Visit& visit) const;

 private:
  Result<std::string> remove(const std::string& repo, const std::string& ref, bool squash) const;

  const Connection& connection_;
};

}  // namespace pfs::client
