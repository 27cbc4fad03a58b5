#pragma once

#include <functional>
#include <optional>
#include <string>

#include "api/internal/callers.h"
#include "api/internal/staged_change.h"
#include "base/result.h"
#include "base/sync.h"
#include "pfs/v1/transaction.pb.h"
#include "store/store.h"

namespace pfs::api {

/// Begins and ends the changes of files that a call makes: at once, or as a part of a transaction.
///
/// Made for one call; not thread-safe.
class FileChanges {
 public:
  struct Transaction {
    /// The branch whose open commit has that id, also one that it starts; null: none. Errors:
    /// kReadOnly (it finishes the commit).
    std::function<Result<std::optional<BranchRef>>(const CommitRef& ref)> with_open;
    /// What the branch will have when it comes to this change. Errors: as of a change then.
    std::function<Result<store::TreePtr>(const BranchRef& ref, bool make_branch)> view;
    /// Shape: the commit's promised id.
    std::function<Result<CommitId>(const v1::RefRequest& request)> add;
  };

  /// `append_mutex`: one for all calls, held while files are made longer.
  FileChanges(store::Store& store, const Caller& caller, Mutex& append_mutex,
              std::optional<Transaction> transaction = {})
      : store_(&store),
        caller_(caller),
        append_mutex_(&append_mutex),
        transaction_(std::move(transaction)) {}

  const Caller& caller() const { return caller_; }

  /// The branch that is to change where `ref` is said, its name or the id of its open commit. Errors:
  /// as live_branch(); kNotFound (no such transaction).
  Result<BranchRef> target(const CommitRef& ref) const;
  /// Errors: as StagedChange::begin(); kNotFound (no such transaction).
  Result<StagedChange> begin(const BranchRef& ref, const StagedChange::Options& options) const;
  /// Puts it in place, or behind what the transaction has already. `line`: what was asked for, as
  /// at a shell. Shape: the id of the commit that has it, or will have. Errors: as
  /// StagedChange::finish().
  Result<CommitId> finish(StagedChange& change, std::string line) const;

 private:
  store::Store* store_;
  Caller caller_;
  Mutex* append_mutex_;
  std::optional<Transaction> transaction_;
};

}  // namespace pfs::api
