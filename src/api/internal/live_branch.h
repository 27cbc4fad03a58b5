#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "api/internal/callers.h"
#include "base/names.h"
#include "base/result.h"
#include "store/store.h"

namespace pfs::api {

/// A branch's live content, as the API's callers change it: with the mount's rules for names, and
/// telling the mount.
///
/// Made for one call; not thread-safe, but calls about the same branch may run beside each other.
class LiveBranch {
 public:
  enum class IfMissing { kFail, kCreate };

  /// Whether open() would do. Makes nothing.
  static Result<void> check(store::Store& store, const BranchRef& ref, IfMissing if_missing);
  /// With kCreate the branch is made on demand, its repo never.
  /// Errors: kNotFound (tells how to make it), kReadOnly (a pipeline's output).
  static Result<LiveBranch> open(store::Store& store, const BranchRef& ref, const Caller& caller,
                                 IfMissing if_missing);
  /// Errors: kNotPermitted, for the names at the top of a branch that have another meaning in the
  /// mount, and for `/`. Source: docs/semantics.md S17 and S33.
  static Result<void> check_target(const BranchRef& ref, const RepoPath& path);

  const BranchRef& ref() const { return ref_; }
  store::NodePtr root() const { return store_->trees().root(tree_); }

  /// Tells the mount that a name was changed behind its back, and of files that it no longer leads
  /// to. Call it without locks.
  void tell_mount(const store::NodePtr& directory, const std::string& name,
                  const std::vector<store::NodePtr>& losers = {});

  /// The changes as a commit of the caller's, also where they change nothing; when the branch's
  /// commit was opened by hand they stay in that one, and what somebody else has committed since
  /// open() is as good as ours. Shape: the id of the one that has them.
  /// Errors: kConflict (the branch keeps changing, or what was changed in it was dropped).
  Result<CommitId> commit();

 private:
  LiveBranch(store::Store& store, BranchRef ref, Caller caller, const CommitId& found,
             store::TreePtr tree)
      : store_(&store),
        ref_(std::move(ref)),
        caller_(std::move(caller)),
        found_(found),
        tree_(std::move(tree)) {}

  /// What others have made of the changes. `all_in_found`: they are in that commit, and no later one.
  Result<CommitId> committed(bool all_in_found, bool by_hand) const;
  /// A commit, unless the branch's record is another by then than that of `version`, or nothing has
  /// changed: nullopt.
  Result<std::optional<CommitId>> commit_at(store::Seq version, bool keep_unchanged);

  store::Store* store_;
  BranchRef ref_;
  Caller caller_;
  CommitId found_;  // the branch's open commit before anything was changed
  store::TreePtr tree_;
};

/// Makes a branch of a repo that is there, without a HEAD, for `owner`, where there is none.
/// Source: docs/semantics.md S51.
/// Errors: kNotFound (no such repo).
Result<void> make_branch_if_missing(store::Store& store, const BranchRef& ref, const Caller& owner);

/// The directory at `path` below `root`, made for `owner` with its parents where they are missing.
/// Errors: kNotDirectory.
Result<store::NodePtr> make_directories(store::LiveTrees& trees, const store::NodePtr& root,
                                        const RepoPath& path, const Caller& owner);

/// The names and kinds of a directory in the order of their bytes, a page at a time, so that
/// `visit` may take as long as it likes, and change the directory.
Result<void> for_each_entry(store::LiveTrees& trees, const store::NodePtr& directory,
                            const std::function<Result<void>(const store::ListedEntry&)>& visit);

}  // namespace pfs::api
