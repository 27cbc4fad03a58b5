#pragma once

#include <map>
#include <set>
#include <span>
#include <vector>

#include "base/clock.h"
#include "store/catalog.h"
#include "store/pack/objects.h"
#include "store/refs/ref_edit.h"
#include "store/repo/delta_trees.h"

namespace pfs::store {

/// What deleting a commit comes to, as far as committed records tell.
struct CommitDeletion {
  std::set<CommitId> doomed;         ///< it, and what was made from it
  std::vector<Commit> descendants;   ///< of those, not doomed themselves; parents before children
  std::set<BranchRef> branches;      ///< whose HEAD is doomed
  std::set<BranchRef> below;         ///< whose HEAD is a descendant
};
/// As `edit` leaves things. A branch that is at one of these commits when it is called is told of, or the commit that it makes
/// there meanwhile is.
Result<CommitDeletion> plan_deletion(RefEdit& edit, const CommitId& id);
/// The branches of a repo, as `edit` leaves them.
Result<std::vector<BranchRef>> branches_in(const RefEdit& edit, const RepoName& repo);
/// resolve_commit(), which says of an open commit that it is one, and how it is finished.
Result<Commit> resolve_finished(RefEdit& edit, const CommitRef& ref);

/// The branches that steps are about: those that are claimed for them.
std::set<BranchRef> branches_of(std::span<const RefStep> steps);
/// Those among them whose live trees the steps replace, with what may not be lost of them.
std::set<BranchRef> replaced_by(std::span<const RefStep> steps);
std::set<BranchRef> discarded_by(std::span<const RefStep> steps);

/// Refusals that hold for every change of a branch. `verb` completes "only pipeline X … it".
Result<void> refuse_output(const Branch& branch, std::string_view verb);
Result<void> refuse_by_hand(const Branch& branch);

/// The steps of one transaction, carried out on a RefEdit: what they change of repos, branches, commits and logs.
///
/// Not thread-safe; made anew when the transaction is tried again. The branches are claimed by the caller, and what is to
/// become a commit is frozen and walked before.
class RefSteps {
 public:
  /// A branch's changes as a tree.
  struct Frozen {
    BranchRow::Frozen under;
    Walked walked;
    bool leave_out_written = false;  ///< see FinishOptions
  };
  using FrozenBranches = std::map<BranchRef, Frozen>;
  using Extend = std::function<Result<void>(const Commit&, RefTxn&)>;

  /// What happens to a branch's live tree once the transaction is durable.
  struct TreeChange {
    BranchRef ref;
    std::optional<Commit> head;
    CommitId open;
    bool deleted = false;
    std::optional<BranchRef> renamed_to{};
    std::optional<FinishedTree> begins{};  ///< not with what `head` has
  };

  struct Parts {
    const RefDb& refs;
    DeltaTrees& trees;
    const Clock& clock;
  };
  RefSteps(const Parts& parts, const FrozenBranches& frozen, ObjectWriter& writer)
      : refs_(parts.refs), trees_(parts.trees), clock_(parts.clock), frozen_(frozen), writer_(writer), edit_(parts.refs) {}

  /// All of them, one after the other; once.
  Result<std::vector<StepResult>> apply(std::span<const RefStep> steps);
  /// Publishes the frozen branches that no step has asked for.
  Result<void> publish_frozen();

  struct Emptied {
    BranchRef ref;
    CommitId had;  ///< the commit before, with this many files
    std::uint64_t files = 0;
    bool deleted = false;  ///< the branch was deleted as well, and that is not committed
  };
  /// What follows once the transaction is durable.
  struct Effects {
    std::vector<HeadMove> moves;
    std::vector<Commit> commits;     ///< that were made
    std::set<BranchRef> published;   ///< frozen branches that have become commits; the others had nothing worth one
    std::set<BranchRef> changed;     ///< branches whose records were written
    std::set<BranchRef> discarded;   ///< a commit that was opened by hand there was dropped
    std::vector<TreeChange> trees;
    std::vector<CommitId> deleted_commits;  ///< each by itself; jobs that work on one are in the way
    std::map<RepoName, std::vector<CommitId>> gone;  ///< these, and those of deleted repos
    std::map<BranchRef, bool> outputs;  ///< branches that have become a pipeline's, or anybody's
    std::vector<Emptied> emptied;       ///< branches of whose files none is left
    std::vector<AddRecords> records;    ///< to be added before the transaction is committed
  };
  const Effects& effects() const { return effects_; }
  RefTxn take(std::string id) { return std::move(edit_).take(std::move(id)); }

 private:
  Result<StepResult> apply_one(const CreateRepo& step);
  Result<StepResult> apply_one(const UpdateRepo& step);
  Result<StepResult> apply_one(const CreateBranch& step);
  Result<StepResult> apply_one(const RelateBranch& step);
  Result<StepResult> apply_one(const MoveHead& step);
  Result<StepResult> apply_one(const StartCommit& step);
  Result<StepResult> apply_one(const FinishCommit& step);
  Result<StepResult> apply_one(const DiscardCommit& step);
  Result<StepResult> apply_one(const PublishTree& step);
  // ref_steps_files.cc
  Result<StepResult> apply_one(const ChangeFiles& step);
  Result<FinishedTree> changed(const ChangeFiles& step, const FinishedTree& base);
  Result<StepResult> apply_one(const DeleteBranch& step);
  Result<StepResult> apply_one(const RenameBranch& step);
  // ref_steps_delete.cc
  Result<StepResult> apply_one(const DeleteRepo& step);
  Result<StepResult> apply_one(const DeleteCommit& step);
  Result<StepResult> apply_one(const EraseRecord& step);
  Result<StepResult> apply_one(const RequireBranch& step);
  Result<StepResult> apply_one(const SetOutput& step);
  Result<StepResult> apply_one(const AddRecords& step);
  /// A refusal where a branch that stays is said to be made from one of these, whose records have been read before.
  Result<void> refuse_with_dependants(const std::set<BranchRef>& gone) const;
  void erase_branch(const BranchRef& ref);
  void erase_commit(const Commit& commit);
  /// plan_deletion(), of which nothing may change before this transaction. Errors: kConflict (something has already).
  Result<CommitDeletion> expected_deletion(const CommitId& id);
  Result<void> rewrite(Commit commit, const std::optional<CommitId>& parent);

  Result<Branch> new_branch(const BranchRef& ref, bool create_repo, const std::optional<DirectoryOwner>& owner);
  Result<void> check_provenance(const BranchRef& ref, const std::vector<BranchRef>& provenance);
  Result<void> publish(const BranchRef& ref);
  Result<Commit> add_commit(Branch& branch, Commit commit, const CommitId& next_open);
  enum class Moving { kTold, kQuiet };  // quiet: no job comes of it
  void move_head(Branch& branch, const Commit& head, const std::string& why, Moving moving = Moving::kTold);
  Result<void> put_commit(const Commit& commit);
  Result<std::optional<Commit>> head_of(const Branch& branch);
  Result<void> copy_log(const BranchRef& from, Branch& branch);
  void put(const Branch& branch);

  const RefDb& refs_;
  DeltaTrees& trees_;
  const Clock& clock_;
  const FrozenBranches& frozen_;
  ObjectWriter& writer_;
  RefEdit edit_;
  std::set<BranchRef> looked_at_;  // of `frozen_`
  std::set<BranchRef> made_;       // have no live tree yet
  std::set<BranchRef> started_;    // their commits, by hand
  std::set<BranchRef> going_;      // with their repos, by this step and later ones
  Effects effects_;
};

}  // namespace pfs::store
