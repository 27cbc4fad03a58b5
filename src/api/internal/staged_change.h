#pragma once

#include <set>
#include <string>
#include <vector>

#include "api/internal/callers.h"
#include "api/internal/live_branch.h"
#include "base/result.h"
#include "base/sync.h"
#include "pfs/v1/transaction.pb.h"
#include "store/store.h"

namespace pfs::api {

/// A change to a branch that is made at once, as a commit of its own: what it puts is staged in a
/// tree of nobody's, under the names that it will have. Nothing is seen of it before finish(), not
/// even the branch where it is new.
///
/// Made for one call; not thread-safe. Its memory follows the names that it changes in directories
/// that are there, and those that it removes.
class StagedChange {
 public:
  struct Options {
    LiveBranch::IfMissing if_missing = LiveBranch::IfMissing::kCreate;
    bool append = false;  ///< files go behind the bytes of those that are there
    bool set_directories =
        false;  ///< directories that are there get the staged ones' mode and time
  };

  /// `append_mutex`: one for all calls, held while files are made longer.
  /// Errors: kNotFound, kReadOnly, as LiveBranch::open().
  static Result<StagedChange> begin(store::Store& store, const BranchRef& ref, const Caller& caller,
                                    const Options& options, Mutex& append_mutex);

  /// As a part of a transaction: `view` is what the branch has by then. It ends with stored().
  static Result<StagedChange> begin_in(store::Store& store, const BranchRef& ref,
                                       const Caller& caller, const Options& options,
                                       store::TreePtr view);
  /// Puts what stored() has told of in place in a tree of nobody's. Errors: as finish().
  static Result<void> place_stored(store::Store& store, const v1::StoredFiles& files,
                                   const store::TreePtr& tree);

  const BranchRef& ref() const { return ref_; }

  /// Stages something new. Errors: kExists, kNotDirectory, kNotPermitted
  /// (LiveBranch::check_target()).
  Result<store::NodePtr> make(const RepoPath& path, const store::MakeRequest& request);
  /// Stages a reference copy. Errors: as make().
  Result<store::NodePtr> copy(const store::NodePtr& source, const RepoPath& path);
  /// What has been staged at `path`. Errors: kNotFound.
  Result<store::NodePtr> staged(const RepoPath& path) {
    return store_->trees().walk(staged_root(), path);
  }
  /// What the branch has at `path` now, or will have then in a transaction. Errors: kNotFound.
  Result<store::NodePtr> live(const RepoPath& path);
  /// What the branch has at `path` goes, with all that is below it; it may be missing.
  Result<void> remove(const RepoPath& path);

  /// Puts it all in place and commits; what was begun by hand stays open. Shape: the commit's id.
  /// Errors: kIsDirectory, kNotDirectory, where a file would meet a directory.
  Result<CommitId> finish();
  /// Or it is kept for later: what is staged is in the store, for whoever knows its digest.
  Result<v1::StoredFiles> stored();

 private:
  StagedChange(store::Store& store, BranchRef ref, const Caller& caller, const Options& options,
               Mutex* append_mutex, store::TreePtr staging)
      : store_(&store),
        ref_(std::move(ref)),
        caller_(caller),
        options_(options),
        append_mutex_(append_mutex),
        staging_(std::move(staging)),
        in_use_(store.trees().hold_objects()) {}

  store::NodePtr staged_root() const { return store_->trees().root(staging_); }
  Result<store::NodePtr> staged_parent(const RepoPath& path);
  Result<void> place(const store::NodePtr& root);
  /// Puts the bytes of `live` files in front of those that are staged under their names. Nobody
  /// else may append to them meanwhile.
  Result<void> join_appended(const store::NodePtr& staged, const store::NodePtr& live);
  Result<void> join_one(const store::NodePtr& staged, const store::NodePtr& directory,
                        const std::string& name, const store::NodePtr& live);
  /// What is to be put so that `live` has what the finished directory `staged` has.
  Result<void> meet(const Digest& staged, const store::NodePtr& live, const RepoPath& path);
  Result<void> meet_entry(const store::Entry& entry, const store::NodePtr& live,
                          const RepoPath& path);
  Result<void> add_removals(const store::NodePtr& live);

  store::Store* store_;
  BranchRef ref_;
  Caller caller_;
  Options options_;
  Mutex* append_mutex_;  // null in a transaction
  store::TreePtr staging_;
  std::shared_ptr<void> in_use_;  // what it becomes, until rows or a record refer to it
  store::TreePtr view_;  // null outside of one
  RepoPath parent_path_;  // of what was staged last
  store::NodePtr parent_;
  std::set<RepoPath> removed_;
  std::set<RepoPath> replaced_;  // of those, the ones that something staged comes to
  std::vector<store::EntryPut> puts_;
  std::vector<store::DirectoryChange> directories_;
  std::vector<std::pair<store::NodePtr, std::string>> touched_;  // names of directories_
  std::vector<store::NodePtr> losers_;
};

}  // namespace pfs::api
