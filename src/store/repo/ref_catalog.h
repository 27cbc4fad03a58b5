#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/sync.h"
#include "store/catalog.h"
#include "store/refs/records.h"
#include "store/repo/delta_trees.h"

namespace pfs::store {

/// Catalog over a RefDb and the live trees.
///
/// Operations that move HEADs go one after the other (rank kPublish); nobody who writes waits for them.
class RefCatalog final : public Catalog {
 public:
  struct Parts {
    RefDb* refs = nullptr;
    DeltaTrees* trees = nullptr;
    Objects* objects = nullptr;
    const Clock* clock = nullptr;
    std::chrono::milliseconds idle_after{10000};
    std::function<bool()> make_room;  ///< for finishing on a full disk; whether there was something to give up
  };
  explicit RefCatalog(Parts parts) : parts_(std::move(parts)) {}

  Result<void> create_repo(const RepoName& name, const std::string& description) override;
  Result<Repo> repo(const RepoName& name) const override;
  Result<std::vector<Repo>> repos() const override;
  Result<Branch> create_branch(const BranchRef& ref, std::optional<CommitId> head, bool create_repo) override;
  Result<Branch> branch(const BranchRef& ref) const override;
  Result<std::vector<Branch>> branches(const std::optional<RepoName>& repo) const override;
  Result<void> delete_branch(const BranchRef& ref, bool even_with_content) override;
  Result<void> set_output_of(const BranchRef& ref, const std::string& pipeline) override;
  Result<bool> retarget(const BranchRef& ref, const CommitRef& target) override;
  Result<Commit> resolve(const CommitRef& ref) const override;
  Result<Commit> commit(const CommitId& id) const override;
  Result<std::vector<Commit>> commits(const RepoName& repo, const std::optional<BranchName>& branch,
                                      std::size_t limit) const override;
  Result<std::vector<LogEntry>> log(const BranchRef& ref, std::size_t limit) const override;
  Result<CommitId> start_commit(const BranchRef& ref, const std::string& description) override;
  Result<OpenCommit> open_commit(const BranchRef& ref) const override;
  void await_finishes() const override;
  Result<FinishResult> finish(const BranchRef& ref, const FinishOptions& options) override;
  Result<Commit> publish_tree(const BranchRef& ref, const Subtree& root, std::vector<Commit::Cause> provenance,
                              const FinishOptions& options,
                              const std::function<Result<void>(const Commit&, RefTxn&)>& extend) override;

  /// Publishes, or folds if they were published, the branches that a killed process left frozen.
  Result<void> resume_frozen();
  void set_hook(PublishHook* hook) { hook_ = hook; }
  void set_observer(TreeObserver* observer) { observer_ = observer; }
  TreeObserver* observer() const { return observer_; }

 private:
  // What is told once the publishing lock is released.
  struct Outcome {
    std::vector<HeadMove> moves;
    std::vector<DeltaTrees::Replaced> replaced;
    std::vector<BranchRef> changed;
  };
  struct Member {
    BranchRef ref;
    BranchRow::Frozen frozen;
    Walked walked;
  };

  Result<FinishResult> finish_locked(const BranchRef& ref, const FinishOptions& options, Outcome& outcome)
      PFS_REQUIRES(publish_);
  Result<void> publish_frozen(std::vector<Member> members, Epoch epoch, Outcome& outcome) PFS_REQUIRES(publish_);
  Result<void> try_publish(std::vector<Member> members, Epoch epoch, Outcome& outcome) PFS_REQUIRES(publish_);
  /// Branches that are frozen (in that epoch) and were not published: a process was killed, or there was no room.
  Result<void> finish_pending(std::optional<Epoch> only, Outcome& outcome) PFS_REQUIRES(publish_);
  struct Publication {
    Commit commit;
    CommitId next_open;  ///< the id of the branch's commit after it
  };
  Result<void> commit_moves(std::vector<Publication>& commits, const std::function<Result<void>(const Commit&, RefTxn&)>& extend,
                            Outcome& outcome) PFS_REQUIRES(publish_);
  Result<std::vector<BranchRef>> joined_with(const BranchRef& ref) const;
  Result<void> wait_for_writers(const BranchRef& ref) const;
  bool write_back(const BranchRef& ref) const PFS_EXCLUDES(publish_);
  Result<bool> retarget_locked(const BranchRef& ref, const CommitRef& target, Outcome& outcome) PFS_REQUIRES(publish_);
  HeadMove add_move(RefTxn& txn, Branch& record, std::optional<Seq> version, const Commit& head,
                    std::optional<CommitId> next_open, const std::string& why) const;
  Result<void> run_hook(const std::vector<HeadMove>& moves, RefTxn& txn) const;
  void tell(const Outcome& outcome) const PFS_EXCLUDES(publish_);
  void add_finishing(Branch& branch) const;
  std::string txn_id() const;
  Result<std::uint64_t> last_log_number(const BranchRef& ref) const;

  const Parts parts_;
  std::atomic<PublishHook*> hook_{nullptr};       // set before the daemon serves, read by every publishing thread
  std::atomic<TreeObserver*> observer_{nullptr};  // the same
  mutable Mutex publish_{LockRank::kPublish};
};

}  // namespace pfs::store
