#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "store/catalog.h"
#include "store/refs/records.h"
#include "store/repo/branch_claims.h"
#include "store/repo/delta_trees.h"
#include "store/repo/ref_steps.h"

namespace pfs::store {

/// A transaction that loses a race is tried again this often; races are rare and short.
constexpr int kAttempts = 20;

/// Catalog over a RefDb and the live trees.
///
/// Operations that move HEADs go one after the other on a branch, side by side on different ones; nobody who writes waits
/// for them.
class RefCatalog final : public Catalog {
 public:
  struct Parts {
    RefDb* refs = nullptr;
    DeltaTrees* trees = nullptr;
    Objects* objects = nullptr;
    const Clock* clock = nullptr;
    std::chrono::milliseconds idle_after{10000};
    CommitPolicy policy;  ///< of branches without settings of their own
    std::function<bool()> make_room;  ///< for finishing on a full disk; whether there was something to give up
  };
  explicit RefCatalog(Parts parts) : parts_(std::move(parts)) {}

  Result<void> create_repo(const RepoName& name, const std::string& description) override;
  Result<Repo> repo(const RepoName& name) const override;
  Result<std::vector<Repo>> repos() const override;
  Result<Branch> create_branch(const BranchRef& ref, std::optional<CommitId> head, bool create_repo, const PolicySettings& policy,
                               const std::optional<DirectoryOwner>& owner) override;
  Result<Branch> branch(const BranchRef& ref) const override;
  Result<std::vector<Branch>> branches(const std::optional<RepoName>& repo) const override;
  Result<void> delete_branch(const BranchRef& ref, bool even_with_content) override;
  Result<void> rename_branch(const BranchRef& ref, const BranchRef& to) override;
  Result<void> set_output_of(const BranchRef& ref, const std::string& pipeline) override;
  Result<Branch> set_policy(const BranchRef& ref, const std::function<void(PolicySettings&)>& edit) override;
  const CommitPolicy& default_policy() const override { return parts_.policy; }
  Result<bool> retarget(const BranchRef& ref, const CommitRef& target) override;
  Result<Commit> resolve(const CommitRef& ref) const override;
  Result<Commit> commit(const CommitId& id) const override;
  Result<std::vector<Commit>> commits(const RepoName& repo, const std::optional<BranchName>& branch,
                                      std::size_t limit) const override;
  Result<std::vector<LogEntry>> log(const BranchRef& ref, std::size_t limit) const override;
  Result<CommitId> start_commit(const BranchRef& ref, const std::string& description) override;
  Result<OpenCommit> open_commit(const BranchRef& ref) const override;
  void await_finish(const BranchRef& ref) const override;
  Result<FinishResult> finish(const BranchRef& ref, const FinishOptions& options) override;
  Result<Commit> publish_tree(const BranchRef& ref, const std::string& pipeline, const Subtree& root,
                              std::vector<Commit::Cause> provenance, const FinishOptions& options,
                              const std::function<Result<void>(const Commit&, RefTxn&)>& extend) override;
  Result<void> discard(const BranchRef& ref) override;
  Result<std::vector<StepResult>> transact(std::span<const RefStep> steps) override;
  Result<std::vector<StepResult>> rehearse(std::span<const RefStep> steps) const override;

  /// Publishes, or folds if they were published, the branches that a killed process left frozen. Those that find no room
  /// stay as they are.
  Result<void> resume_frozen();
  /// The same for one branch, which found no room before. Errors: kNoSpace (still).
  Result<void> finish_frozen(const BranchRef& ref);
  /// Whether the branch's next commit is made on request only.
  bool ends_on_request(const Branch& branch) const;
  /// Has the mount write what programs have stored through shared mappings; whether it could in time.
  bool write_back(const BranchRef& ref) const;
  /// Whether somebody is finishing, moving or deleting the branch right now.
  bool is_claimed(const BranchRef& ref) const { return claims_.is_taken(ref); }
  void set_hook(PublishHook* hook) { hook_ = hook; }
  void set_observer(TreeObserver* observer) { observer_ = observer; }
  TreeObserver* observer() const { return observer_; }

 private:
  // What is told once no branch is claimed any more.
  struct Outcome {
    std::vector<HeadMove> moves;
    std::vector<DeltaTrees::Replaced> replaced;
    std::vector<BranchRef> changed;
    std::vector<BranchRef> discarded;
    std::map<RepoName, std::vector<CommitId>> gone;
  };

  // Branches whose trees steps replace: what somebody changes between the walk and then would be in no commit. So they are held
  // over the transaction, once nothing has changed since the walk.
  struct Still {
    std::set<BranchRef> refs;
    std::set<BranchRef> discarded;  ///< of these, whose changes nobody wants but those that a rename brings
    DeltaTrees::Hold hold;
    bool missed = false;  ///< something had changed: what was frozen is committed or thawed, the steps were not carried out
  };

  // ref_publish.cc
  Result<std::vector<StepResult>> run(std::span<const RefStep> steps, const RefSteps::Extend& extend);
  Result<std::optional<std::vector<StepResult>>> run_still(std::span<const RefStep> steps, const RefSteps::Extend& extend,
                                                           const std::set<BranchRef>& claimed, Still& still, Outcome& outcome);
  Result<std::optional<std::vector<StepResult>>> run_claimed(std::span<const RefStep> steps, const RefSteps::Extend& extend,
                                                             const std::set<BranchRef>& claimed, Outcome& outcome);
  Result<bool> look_up_branches(std::vector<RefStep>& steps) const;
  Result<void> settle(std::vector<RefStep>& steps) const;
  Result<RefSteps::FrozenBranches> plan(std::span<const RefStep> steps) const;
  Result<void> refuse_deletions(std::span<const RefStep> steps, RefTxn& txn) const;
  Result<void> plan_finish(const Branch& branch, const FinishOptions& options, bool started, RefSteps::FrozenBranches& frozen) const;
  Result<void> hold_still(Still& still) const;
  Result<std::vector<StepResult>> publish(std::span<const RefStep> steps, const RefSteps::Extend& extend,
                                          RefSteps::FrozenBranches frozen, Epoch epoch, Still& still, Outcome& outcome);
  Result<void> finish_frozen_of(const std::set<BranchRef>& claimed, Outcome& outcome);
  Result<bool> follow_later(const BranchRef& ref, const BranchRow::Frozen& under, Outcome& outcome);
  struct Committed {
    std::vector<StepResult> results;
    RefSteps::Effects effects;
  };
  Result<std::optional<Committed>> walk_and_commit(std::span<const RefStep> steps, const RefSteps::Extend& extend,
                                    RefSteps::FrozenBranches& frozen, Epoch epoch, Still& still);
  Result<Committed> commit_steps(std::span<const RefStep> steps, const RefSteps::Extend& extend,
                                 const RefSteps::FrozenBranches& frozen);
  Result<void> follow(const RefSteps::Effects& done, const RefSteps::FrozenBranches& frozen, Epoch epoch, Still& still, Outcome& outcome);
  std::set<BranchRef> with_joined(const std::set<BranchRef>& refs) const;
  BranchClaims::Claim claim(const std::set<BranchRef>& refs) const;
  Result<void> wait_for_writers(const BranchRef& ref) const;
  std::shared_ptr<void> tell_before(std::span<const RefStep> steps, std::set<BranchRef> replaced) const;
  void tell(const Outcome& outcome) const;

  Result<Branch> edit_branch(const BranchRef& ref, const std::function<Result<void>(Branch&)>& change);
  void add_finishing(Branch& branch) const;
  Result<void> refuse_on_request(const Branch& branch) const;

  const Parts parts_;
  std::atomic<PublishHook*> hook_{nullptr};       // set before the daemon serves, read by every publishing thread
  std::atomic<TreeObserver*> observer_{nullptr};  // the same
  mutable BranchClaims claims_;
};

}  // namespace pfs::store
