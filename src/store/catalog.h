#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "store/live_trees.h"
#include "store/ref_db.h"
#include "store/types.h"

namespace pfs::store {

enum class DeletionOf { kBranch, kRepo };

/// Reads a branch as a transaction will leave it; nullopt where it is not there. Errors: kCorrupt, kIo.
using BranchAfter = std::function<Result<std::optional<Branch>>(const BranchRef& ref)>;

/// Adds to a transaction that moves HEADs, so that what a move causes (a job) is part of the move itself.
/// Called with the moves in the order of their log; may be called again for the same move when the transaction
/// lost a race and is tried again. Must not call the Catalog's writers.
class PublishHook {
 public:
  virtual ~PublishHook() = default;
  virtual Result<void> on_moves(std::span<const HeadMove> moves, const BranchAfter& branch, RefTxn& txn) = 0;
  /// After the transaction is durable. No locks held.
  virtual void after_moves(std::span<const HeadMove> moves) = 0;
  /// A commit that was opened by hand has been dropped: nothing waits for it any more. No locks held.
  virtual void after_discard(const BranchRef& branch) = 0;
  /// A refusal to delete or rename the branch (kBusy: a pipeline reads it once the transaction is through; of the branch alone,
  /// also: writes it). The transaction is to expect what that was seen from.
  virtual Result<void> on_delete(const BranchRef& branch, DeletionOf what, RefTxn& txn) = 0;
  /// Adds to a transaction that deletes commits what is to go with them (jobs). Errors: kBusy (a job works on one).
  virtual Result<void> on_commits_deleted(std::span<const CommitId> commits, RefTxn& txn) = 0;
};

struct FinishOptions {
  std::string author;
  std::string description;
  bool keep_unchanged = false;  ///< make a commit even when nothing changed (one opened by hand, a job's)
  bool automatic = false;       ///< by itself: leaves alone what ends on request only (opened by hand, policy `manual`)
  bool leave_out_written = false;  ///< files that are being written stay what they were, and join the next commit (S49)
};

struct FinishResult {
  CommitId commit;      ///< the new commit, or HEAD when nothing had changed
  bool made = false;    ///< whether a commit was made
};

// The steps of Catalog::transact(). Each is what the operation of its name does by itself.

struct CreateRepo {
  RepoName name;
  std::string description;
};
struct UpdateRepo {
  RepoName name;
  std::string description;
};
/// The repo, its branches with what is not committed in them, their logs and its commits. Errors: kBusy (a pipeline reads a
/// branch of it, or one of another repo is made from it; not where `force`).
struct DeleteRepo {
  RepoName name;
  bool force = false;
  std::vector<BranchRef> branches = {};  ///< filled in by the catalog
};
struct CreateBranch {
  BranchRef ref;
  std::optional<CommitRef> head;
  bool create_repo = false;
  PolicySettings policy = {};  ///< the branch's own
  bool or_move = false;        ///< where it is there: as MoveHead, and without a head no change
  std::optional<DirectoryOwner> owner = {};  ///< of its root, where it is made
};
/// Errors besides those of Catalog::retarget(): kConflict (HEAD is not `expected_head`).
struct MoveHead {
  BranchRef ref;
  CommitRef target;
  std::optional<CommitId> expected_head;
};
/// Says what a branch is made from or follows; what is not set stays. Errors: kInvalid (both at once; a loop; a trigger that
/// cannot be), kNotFound (a branch of the provenance).
struct RelateBranch {
  BranchRef ref;
  std::optional<std::vector<BranchRef>> provenance;
  std::optional<BranchTrigger> trigger;
};
/// With a parent, HEAD is moved there first, of which no job comes. Errors: kBusy, kReadOnly; with a parent those of MoveHead.
struct StartCommit {
  BranchRef ref;
  std::string description;
  std::optional<CommitRef> parent = {};
  std::optional<CommitId> id = {};  ///< of the commit, where it has been promised already
  std::optional<DirectoryOwner> owner = {};  ///< of the branch's root, where it is made
};
/// Files change: in the commit that an earlier one of the steps has started on the branch, or in one of their own. What was not
/// committed before becomes a commit first; what others know below the branch's root is orphaned, as by MoveHead.
/// Errors: kBusy (a commit is open by hand since before; a file is being written; changes that are committed on request only),
/// kConflict (the branch was changed since the commit that the steps start was promised), kReadOnly, and those of `change`.
struct ChangeFiles {
  BranchRef ref;
  std::function<Result<void>(const TreePtr& tree)> change;  ///< of a tree of nobody's; called for each attempt
  std::string author;
  bool make_branch = false;
  std::optional<CommitId> id = {};  ///< of a commit of its own
  std::optional<DirectoryOwner> owner = {};  ///< of the branch's root, where it is made
};
struct FinishCommit {
  BranchRef ref;
  FinishOptions options;
};
/// Drops what is not committed, and the commit that was opened by hand. Errors: kBusy (a file is being written; a rename has
/// moved files between this branch and another), kReadOnly.
struct DiscardCommit {
  BranchRef ref;
};
/// A commit with a given tree. Errors: kReadOnly (the branch is not that pipeline's output).
struct PublishTree {
  BranchRef ref;
  std::string pipeline;  ///< that writes the branch alone; empty: nobody does
  Subtree root;
  std::vector<Commit::Cause> provenance;
  FinishOptions options;
};
struct DeleteBranch {
  BranchRef ref;
  bool even_with_content = false;
  bool force = false;  ///< also while a pipeline reads or writes it, or another branch is made from it
};
/// The commit is no more, nor are those that were made from it and their jobs. Its children's parent is its own, and HEADs that
/// were at it are at that; what children hold stays as it is. Errors: kNotFound, kReadOnly (it was made by a job), kBusy (a job
/// works on it; a branch at it has a commit open that ends on request only), kInvalid (`only_inner`, and nothing came after it).
struct DeleteCommit {
  RepoName repo;
  CommitId id;
  bool only_inner = false;
  std::vector<BranchRef> branches = {};  ///< filled in by the catalog
};
/// The branch has another name: its HEAD, its log (after that of an earlier branch of the new name), its open commit and what is
/// being changed in it go along, and the nodes of its live tree stay what they are. The old name keeps a log as after a deletion. Errors: kExists, kNotPermitted (another
/// repo), kBusy (a pipeline reads or writes either name).
struct RenameBranch {
  BranchRef ref;
  BranchRef to;
};
/// A record that somebody else keeps in the RefDb, and that is to go when the steps are carried out. Errors: kNotFound.
struct EraseRecord {
  std::string key;
};
/// The branch is there when the steps are through; it is not waited for what others do with it. Errors: kNotFound.
struct RequireBranch {
  BranchRef ref;
};
/// A branch is written by one pipeline alone, or (an empty name) by anybody again. Errors: kNotFound, kBusy (it is another
/// pipeline's; a commit of it was opened by hand).
struct SetOutput {
  BranchRef ref;
  std::string pipeline;
};
/// Records that somebody else keeps in the RefDb are written with the steps. `add` is called for each attempt, must expect what
/// it reads, and must not call the Catalog's writers; a rehearsal does not call it.
struct AddRecords {
  std::function<Result<void>(RefTxn& txn)> add;
};
using RefStep =
    std::variant<CreateRepo, UpdateRepo, DeleteRepo, CreateBranch, RelateBranch, MoveHead, StartCommit, ChangeFiles, FinishCommit, DiscardCommit, PublishTree,
                 DeleteBranch, RenameBranch, DeleteCommit, EraseRecord, RequireBranch, SetOutput, AddRecords>;

struct StepResult {
  CommitId commit;       ///< the branch's HEAD after the step; of StartCommit, and of ChangeFiles in it, the id of the open commit
  bool changed = false;  ///< FinishCommit: a commit was made; MoveHead: HEAD moved
};

/// A file between its first write and the release of its last writable handle.
struct BeingWritten {
  std::string path;
  pid_t pid = 0;  ///< who opened it for writing last; 0: nobody whom the mount knows
};

/// The open commit of a branch, as `.pfs/commit`, `list commit` and `pfs status` show it.
struct OpenCommit {
  CommitId id;
  bool changed = false;          ///< there is something to commit
  bool by_hand = false;
  std::string description;
  Timestamp since;               ///< opened by hand; else its first change, or the daemon's start if that was later
  Timestamp last_change;
  std::vector<BeingWritten> being_written;
  std::optional<CommitId> finishing;       ///< frozen and not yet published
  CommitPolicy policy;           ///< the branch's, where it has none of its own the store's
};

/// Why the branch's open commit is not finished, in a few words.
std::string waits_for(const BranchRef& branch, const OpenCommit& open);

/// Repos, branches and commits: reads, and the operations that move HEADs.
///
/// Thread-safe. The operations that finish a commit take as long as its changes need; nobody who writes waits for
/// them, nor does an operation on another branch. Errors name the repo, branch or commit.
class Catalog {
 public:
  virtual ~Catalog() = default;

  /// Errors: kExists.
  virtual Result<void> create_repo(const RepoName& name, const std::string& description) = 0;
  virtual Result<Repo> repo(const RepoName& name) const = 0;
  /// Newest first.
  virtual Result<std::vector<Repo>> repos() const = 0;

  /// Makes the branch (and its repo when `create_repo`), with HEAD at `head`. Errors: kExists.
  virtual Result<Branch> create_branch(const BranchRef& ref, std::optional<CommitId> head, bool create_repo,
                                       const PolicySettings& policy = {}, const std::optional<DirectoryOwner>& owner = {}) = 0;
  virtual Result<Branch> branch(const BranchRef& ref) const = 0;
  /// Of one repo, or of all; newest first within a repo.
  virtual Result<std::vector<Branch>> branches(const std::optional<RepoName>& repo) const = 0;
  /// Errors: kBusy; and where `even_with_content` is false kNotEmpty (its live tree has entries), kBusy also for a commit
  /// that was opened by hand.
  virtual Result<void> delete_branch(const BranchRef& ref, bool even_with_content) = 0;
  /// Errors: see RenameBranch.
  virtual Result<void> rename_branch(const BranchRef& ref, const BranchRef& to) = 0;
  /// Marks the branch as written by one pipeline alone (read-only to people); an empty name frees it.
  virtual Result<void> set_output_of(const BranchRef& ref, const std::string& pipeline) = 0;
  /// Changes the branch's own settings for its commits; they hold at once. Errors: kReadOnly (an output branch).
  virtual Result<Branch> set_policy(const BranchRef& ref, const std::function<void(PolicySettings&)>& edit) = 0;
  /// What holds where a branch has no settings of its own.
  virtual const CommitPolicy& default_policy() const = 0;

  /// Moves HEAD to a finished commit of the same repo. Finishes the automatic open commits of `ref` and of
  /// `source` (the branch that was named, if one was) first. Returns whether HEAD moved: the same HEAD again is no move.
  /// Errors: kBusy (a commit that ends on request only; a file being written, after waiting 1 s for its release), kNotPermitted
  /// (a commit of another repo), kReadOnly (an output branch).
  virtual Result<bool> retarget(const BranchRef& ref, const CommitRef& target) = 0;

  /// Resolves over finished commits only. Errors: kNotFound (no such branch, no HEAD yet, no such ancestor).
  virtual Result<Commit> resolve(const CommitRef& ref) const = 0;
  virtual Result<Commit> commit(const CommitId& id) const = 0;
  /// A branch's HEAD and its ancestors, or all commits of a repo, newest first, up to `limit`.
  virtual Result<std::vector<Commit>> commits(const RepoName& repo, const std::optional<BranchName>& branch,
                                              std::size_t limit) const = 0;
  /// Newest first.
  virtual Result<std::vector<LogEntry>> log(const BranchRef& ref, std::size_t limit) const = 0;

  /// Opens a commit by hand; returns its id. Makes the branch if need be (the repo must exist). Errors: kBusy
  /// (one is open by hand already), kReadOnly.
  virtual Result<CommitId> start_commit(const BranchRef& ref, const std::string& description) = 0;
  virtual Result<OpenCommit> open_commit(const BranchRef& ref) const = 0;
  /// Returns when the commit of the branch that is being finished now, if one is, is published, or could not be.
  virtual void await_finish(const BranchRef& ref) const = 0;
  /// Freezes the branch's changes, publishes them as a commit and moves HEAD; durable when it returns. Branches that
  /// a rename has joined are published in the same transaction.
  virtual Result<FinishResult> finish(const BranchRef& ref, const FinishOptions& options) = 0;
  /// A commit with a given tree, on a branch that only `pipeline` writes: what a job does with its output. Its id is the
  /// branch's `open` as it was. `extend` may add to the transaction.
  /// Errors: kReadOnly (see PublishTree).
  /// Errors: kConflict when the transaction lost a race, by what `extend` expects or by the branch's own record: nothing
  /// was published, and whether to try again is the caller's to say.
  virtual Result<Commit> publish_tree(const BranchRef& ref, const std::string& pipeline, const Subtree& root, std::vector<Commit::Cause> provenance,
                                      const FinishOptions& options, const std::function<Result<void>(const Commit&, RefTxn&)>& extend) = 0;
  /// Drops what is not committed in the branch. Errors: see DiscardCommit.
  virtual Result<void> discard(const BranchRef& ref) = 0;

  /// All of the steps or none, in one transaction; each sees what those before it did. What is to become commits is frozen
  /// in one moment, at the beginning. Shape: a result for each step.
  virtual Result<std::vector<StepResult>> transact(std::span<const RefStep> steps) = 0;
  /// What transact() would say now of what is committed already; nothing is changed, and nothing frozen.
  virtual Result<std::vector<StepResult>> rehearse(std::span<const RefStep> steps) const = 0;
};

}  // namespace pfs::store
