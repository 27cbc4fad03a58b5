#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/fault.h"
#include "store/repo/ref_catalog.h"

// Every operation that changes a ref goes one way: claim the branches, freeze what is to become a commit, walk it, carry
// the steps out in one transaction, bring the live trees up to it. docs/architecture.md walks through one of them.

namespace pfs::store {

namespace {

Result<std::optional<Branch>> branch_after(const RefDb& refs, const RefTxn& txn, const BranchRef& ref) {
  const std::string key = branch_key(ref);
  for (const auto& put : txn.put) {
    if (put.key != key) continue;
    PFS_TRY_ASSIGN(Branch branch, decode_branch(put.value));
    return std::optional(std::move(branch));
  }
  for (const auto& erased : txn.erase) {
    if (erased == key) return std::optional<Branch>();
  }
  PFS_TRY_ASSIGN(const auto row, refs.get(key));
  if (!row) return std::optional<Branch>();
  PFS_TRY_ASSIGN(Branch branch, decode_branch(row->value));
  return std::optional(std::move(branch));
}

std::chrono::microseconds random_pause() {
  thread_local std::mt19937 engine{std::random_device{}()};
  return std::chrono::microseconds(std::uniform_int_distribution<int>(100, 10'000)(engine));
}

// A commit that a step asks for is made with the other steps or not at all.
bool finish_by_hand(std::span<const RefStep> steps) {
  return std::any_of(steps.begin(), steps.end(), [](const RefStep& step) {
    const auto* finish = std::get_if<FinishCommit>(&step);
    return finish != nullptr && !finish->options.automatic;
  });
}

}  // namespace

// Called with nothing held.
void RefCatalog::tell(const Outcome& outcome) const {
  if (TreeObserver* observer = observer_) {
    for (const auto& replaced : outcome.replaced) observer->tree_replaced(replaced.root, replaced.names, replaced.orphans);
    for (const auto& ref : outcome.changed) observer->branch_changed(ref);
    for (const auto& [repo, commits] : outcome.gone) observer->commits_deleted(repo, commits);
  }
  PublishHook* hook = hook_;
  if (hook == nullptr) return;
  if (!outcome.moves.empty()) hook->after_moves(outcome.moves);
  for (const auto& ref : outcome.discarded) hook->after_discard(ref);
}

std::shared_ptr<void> RefCatalog::tell_before(std::span<const RefStep> steps, std::set<BranchRef> replaced) const {
  TreeObserver* observer = observer_;
  if (observer == nullptr) return nullptr;
  for (const auto& step : steps) {
    if (const auto* branch = std::get_if<DeleteBranch>(&step)) replaced.insert(branch->ref);
    if (const auto* output = std::get_if<PublishTree>(&step)) replaced.insert(output->ref);
    if (const auto* repo = std::get_if<DeleteRepo>(&step)) replaced.insert(repo->branches.begin(), repo->branches.end());
  }
  return replaced.empty() ? nullptr : observer->trees_replacing(replaced);
}

std::set<BranchRef> RefCatalog::with_joined(const std::set<BranchRef>& refs) const {
  std::set<BranchRef> all = refs;
  std::vector<BranchRef> next(refs.begin(), refs.end());
  while (!next.empty()) {
    const auto joined = parts_.trees->joined(next.back());
    next.pop_back();
    for (const auto& other : joined) {
      if (all.insert(other).second) next.push_back(other);
    }
  }
  return all;
}

// A branch that a rename has joined with one of them is claimed as well, also one that is not published with them: rows
// moved from it, and while it is being finished its epoch still needs them.
BranchClaims::Claim RefCatalog::claim(const std::set<BranchRef>& refs) const {
  for (;;) {
    auto claim = claims_.claim(with_joined(refs));
    if (with_joined(refs) == claim.branches()) return claim;
  }
}

Result<std::vector<StepResult>> RefCatalog::transact(std::span<const RefStep> steps) { return run(steps, nullptr); }

Result<std::vector<StepResult>> RefCatalog::run(std::span<const RefStep> asked, const RefSteps::Extend& extend) {
  std::vector<RefStep> steps(asked.begin(), asked.end());
  PFS_TRY(settle(steps));
  for (int attempt = 1;; ++attempt) {
    Outcome outcome;
    PFS_TRY_ASSIGN(const bool looked_up, look_up_branches(steps));
    auto claimed = claim(branches_of(steps));
    auto results = run_claimed(steps, extend, claimed.branches(), outcome);
    claimed.release();
    tell(outcome);
    // which branches a deletion is about may have changed before they were claimed
    if (!results && looked_up && results.error().code == Code::kConflict && attempt < kAttempts) continue;
    if (!results) return std::move(results).error();
    if (*results) return std::move(**results);
    // a rename joined another branch in between: once more, with that one claimed too
  }
}

Result<std::vector<StepResult>> RefCatalog::rehearse(std::span<const RefStep> asked) const {
  std::vector<RefStep> steps(asked.begin(), asked.end());
  PFS_TRY(look_up_branches(steps));
  PFS_TRY(plan(steps));
  ObjectWriter writer(*parts_.objects);  // never flushed
  const RefSteps::FrozenBranches nothing;
  RefSteps run({*parts_.refs, *parts_.trees, *parts_.clock}, nothing, writer);
  return run.apply(steps);
}

// Nothing when a branch outside of `claimed` was joined meanwhile; nothing was done then.
Result<std::optional<std::vector<StepResult>>> RefCatalog::run_claimed(std::span<const RefStep> steps, const RefSteps::Extend& extend,
                                                                       const std::set<BranchRef>& claimed, Outcome& outcome) {
  PFS_TRY(finish_frozen_of(claimed, outcome));  // those that found no room: commits of a branch are finished in order
  Still still{replaced_by(steps), discarded_by(steps), {}, false};
  for (;;) {
    auto results = run_still(steps, extend, claimed, still, outcome);
    if (!results || !still.missed) return results;
    // what has come since the walk is little: writers wait while that is walked, too
    still.missed = false;
    PFS_TRY_ASSIGN(still.hold, parts_.trees->hold(still.refs));
  }
}

Result<std::optional<std::vector<StepResult>>> RefCatalog::run_still(std::span<const RefStep> steps, const RefSteps::Extend& extend,
                                                                     const std::set<BranchRef>& claimed, Still& still, Outcome& outcome) {
  PFS_TRY_ASSIGN(auto frozen, plan(steps));
  Epoch epoch;
  if (!frozen.empty()) {
    std::map<BranchRef, DeltaTrees::Freezing> under;
    for (const auto& [ref, one] : frozen) {
      under[ref] = {one.under, one.leave_out_written ? std::optional(parts_.idle_after) : std::nullopt};
    }
    PFS_TRY_ASSIGN(const auto frozen_in, parts_.trees->freeze(under, claimed));
    if (!frozen_in) return std::optional<std::vector<StepResult>>();
    epoch = *frozen_in;
    bool left_out = false;
    for (auto& [ref, one] : frozen) {
      const auto now = parts_.trees->frozen(ref);
      if (!now) continue;
      left_out = left_out || now->description != one.under.description;
      one.under = *now;
    }
    if (left_out) PFS_FAULT_POINT("store.finish.left_out");
    PFS_FAULT_POINT("store.finish.frozen");
  }
  // who meets the new name as soon as the transaction is durable finds the live tree of the old one
  Result<void> ready;
  for (const auto& step : steps) {
    const auto* rename = std::get_if<RenameBranch>(&step);
    if (ready && rename != nullptr) ready = parts_.trees->begin_rename(rename->ref, rename->to);
  }
  Result<std::vector<StepResult>> results = ready ? publish(steps, extend, std::move(frozen), epoch, still, outcome) : std::move(ready).error();
  for (const auto& step : steps) {
    if (const auto* rename = std::get_if<RenameBranch>(&step)) parts_.trees->end_rename(rename->to);
  }
  if (!results) return std::move(results).error();
  return std::optional(std::move(*results));
}

// Frozen branches become trees, the steps one transaction; rows are folded after it. What was admitted must become a commit:
// where there is no room for that after all, the ballast is given up. Where even that is not enough, because somebody else
// fills the disk, a commit by itself stays frozen and is tried again; of several steps none is left to happen later. On any
// other error before the transaction the branches are what they were.
Result<std::vector<StepResult>> RefCatalog::publish(std::span<const RefStep> steps, const RefSteps::Extend& extend,
                                                    RefSteps::FrozenBranches frozen, Epoch epoch, Still& still, Outcome& outcome) {
  const auto replacing = tell_before(steps, still.refs);
  auto committed = walk_and_commit(steps, extend, frozen, epoch, still);
  if (!committed && committed.error().code == Code::kNoSpace && parts_.make_room && parts_.make_room()) {
    committed = walk_and_commit(steps, extend, frozen, epoch, still);
  }
  if (committed && *committed) {
    PFS_TRY(follow((*committed)->effects, frozen, epoch, still, outcome));
    return std::move((*committed)->results);
  }
  const bool alone = steps.empty() || (steps.size() == 1 && std::holds_alternative<FinishCommit>(steps.front()));
  if (!committed && alone && committed.error().code == Code::kNoSpace) return std::move(committed).error();
  for (const auto& [ref, one] : frozen) {
    if (auto thawed = parts_.trees->thaw(ref, true); !thawed) spdlog::error("{}", thawed.error().message);
  }
  if (!committed) return std::move(committed).error();
  return std::vector<StepResult>();
}

// Nothing when changes were missed and what is frozen must not be committed without the steps.
Result<std::optional<RefCatalog::Committed>> RefCatalog::walk_and_commit(std::span<const RefStep> steps, const RefSteps::Extend& extend,
                                                          RefSteps::FrozenBranches& frozen, Epoch epoch, Still& still) {
  ObjectWriter writer(*parts_.objects);
  for (auto& [ref, one] : frozen) {
    auto walked = parts_.trees->walk_frozen(ref, epoch, writer);
    if (!walked) return std::move(walked).error().within("branch " + ref.str());
    one.walked = *walked;
  }
  if (!frozen.empty()) PFS_FAULT_POINT("store.finish.walked");
  PFS_TRY(hold_still(still));
  if (still.missed && finish_by_hand(steps)) return std::optional<Committed>();
  PFS_TRY_ASSIGN(auto committed, still.missed ? commit_steps({}, nullptr, frozen) : commit_steps(steps, extend, frozen));
  return std::optional(std::move(committed));
}

Result<void> RefCatalog::hold_still(Still& still) const {
  if (still.refs.empty() || still.hold) return {};
  PFS_TRY_ASSIGN(still.hold, parts_.trees->hold(still.refs));
  still.missed = std::any_of(still.refs.begin(), still.refs.end(), [&](const BranchRef& ref) {
    return still.discarded.contains(ref) ? !parts_.trees->joined(ref).empty() : parts_.trees->changed(ref);
  });
  if (still.missed) still.hold.reset();
  return {};
}

Result<RefCatalog::Committed> RefCatalog::commit_steps(std::span<const RefStep> steps, const RefSteps::Extend& extend,
                                                       const RefSteps::FrozenBranches& frozen) {
  constexpr int kCommitAttempts = 10 * kAttempts;
  for (int attempt = 0; attempt < kCommitAttempts; ++attempt) {
    // many who move HEADs to one commit: one at a time is through, and the others come one after the other
    if (attempt >= kAttempts) std::this_thread::sleep_for(random_pause());
    ObjectWriter writer(*parts_.objects);
    RefSteps run({*parts_.refs, *parts_.trees, *parts_.clock}, frozen, writer);
    Committed done;
    PFS_TRY_ASSIGN(done.results, run.apply(steps));
    PFS_TRY(run.publish_frozen());
    PFS_TRY(writer.flush());
    done.effects = run.effects();
    RefTxn txn = run.take(new_commit_id().hex());
    for (const auto& records : done.effects.records) PFS_TRY(records.add(txn));
    PFS_TRY(refuse_deletions(steps, txn));
    if (txn.put.empty() && txn.erase.empty()) return done;
    if (PublishHook* hook = hook_; hook != nullptr && !done.effects.moves.empty()) {
      PFS_TRY(hook->on_moves(done.effects.moves, [&](const BranchRef& ref) { return branch_after(*parts_.refs, txn, ref); }, txn));
    }
    if (PublishHook* hook = hook_; hook != nullptr && !done.effects.deleted_commits.empty()) {
      PFS_TRY(hook->on_commits_deleted(done.effects.deleted_commits, txn));
    }
    if (extend) {
      for (const auto& commit : done.effects.commits) PFS_TRY(extend(commit, txn));
    }
    PFS_FAULT_POINT("store.steps.ready");
    auto committed = parts_.refs->commit(std::move(txn));
    if (committed) return done;
    // what `extend` expects is the caller's business; a record may have changed beside us
    if (committed.error().code != Code::kConflict || extend) return std::move(committed).error();
  }
  return Error{Code::kConflict, "the branches keep changing; try again"};
}

// The live trees follow the transaction. A crash in here is made good at the next start: rows say which commit they go with.
// So is a fold that fails, at the next operation on the branch; it keeps no other branch from following.
Result<void> RefCatalog::follow(const RefSteps::Effects& done, const RefSteps::FrozenBranches& frozen, Epoch epoch, Still& still,
                                Outcome& outcome) {
  if (!done.published.empty()) PFS_FAULT_POINT("store.finish.published");
  if (!done.trees.empty()) PFS_FAULT_POINT("store.steps.committed");
  Result<void> failure;
  std::set<BranchRef> behind;
  const auto note = [&](const BranchRef& ref, Result<void> followed) {
    if (followed) return;
    behind.insert(ref);
    spdlog::error("branch {}: {}; its files do not show all that was committed yet", ref.str(), followed.error().message);
    if (failure) failure = std::move(followed);
  };
  for (const auto& [ref, one] : frozen) {
    note(ref, done.published.contains(ref) ? parts_.trees->fold(ref, one.walked.root, one.walked.links, epoch, one.under.commit)
                                           : parts_.trees->thaw(ref, false));
  }
  if (!done.trees.empty()) PFS_FAULT_POINT("store.steps.published");
  for (const auto& change : done.trees) {
    if (behind.contains(change.ref) && !change.deleted && !change.renamed_to) continue;
    if (change.renamed_to) {
      note(change.ref, parts_.trees->rename_branch(change.ref, *change.renamed_to));
      continue;
    }
    auto replaced = change.deleted ? parts_.trees->drop_branch(change.ref)
                                   : parts_.trees->replace_root(change.ref, change.head, change.open, change.begins);
    if (!replaced) note(change.ref, std::move(replaced).error());
    else if (*replaced) outcome.replaced.push_back(std::move(**replaced));
  }
  still.hold.reset();
  for (const auto& [ref, had, files, deleted] : done.emptied) {
    if (deleted) {
      spdlog::warn("branch {}: deleted, after all of its {} files were removed; they are in its commit {} still: `pfs create branch {} --head {}` brings them back",
                   ref.str(), files, had.hex(), ref.str(), had.hex());
    } else {
      spdlog::warn("branch {}: all of its {} files were removed and that is committed; they are in its commit {} still: `ln -s {}@{} {}` brings them back",
                   ref.str(), files, had.hex(), ref.repo.str(), had.hex(), ref.str());
    }
  }
  for (const auto& [ref, is_output] : done.outputs) parts_.trees->set_output(ref, is_output);
  outcome.moves.insert(outcome.moves.end(), done.moves.begin(), done.moves.end());
  outcome.changed.insert(outcome.changed.end(), done.changed.begin(), done.changed.end());
  outcome.discarded.insert(outcome.discarded.end(), done.discarded.begin(), done.discarded.end());
  for (const auto& [repo, commits] : done.gone) outcome.gone[repo].insert(outcome.gone[repo].end(), commits.begin(), commits.end());
  auto released = parts_.trees->release_staging();
  return failure ? std::move(released) : std::move(failure);
}

bool RefCatalog::write_back(const BranchRef& ref) const {
  TreeObserver* observer = observer_;
  if (observer == nullptr || observer->write_back(ref)) return true;
  spdlog::warn("branch {}: what is still in shared mappings stays out of the commit", ref.str());
  return false;
}

// Branches that are frozen, because a process was killed before their live trees had followed, or there was no room. What cannot
// be finished (a damaged store) stays as it is, and keeps none of the others.
Result<void> RefCatalog::finish_frozen_of(const std::set<BranchRef>& claimed, Outcome& outcome) {
  std::map<Epoch, RefSteps::FrozenBranches> by_epoch;
  for (const auto& ref : claimed) {
    if (const auto under = parts_.trees->frozen(ref)) by_epoch[under->epoch][ref].under = *under;
  }
  Result<void> failure;
  for (auto& [epoch, frozen] : by_epoch) {
    spdlog::info("finishing {} branches whose finishing was interrupted", frozen.size());
    bool all_followed = true;
    const auto note = [&](Error trouble) {
      all_followed = false;
      if (failure) failure = std::move(trouble);
    };
    for (auto one = frozen.begin(); one != frozen.end();) {
      const auto followed = follow_later(one->first, one->second.under, outcome);
      if (!followed) note(Error(followed.error()).within("branch " + one->first.str()));
      one = followed && !*followed ? std::next(one) : frozen.erase(one);
    }
    // what was frozen together is published together
    Still nothing_replaced;
    if (!all_followed) continue;
    if (auto published = publish({}, nullptr, std::move(frozen), epoch, nothing_replaced, outcome); !published) note(std::move(published).error());
  }
  return failure;
}

// The transaction that was to publish the branch may be there, and with it a move of HEAD: then only its live tree has to follow.
// False: it is not there.
Result<bool> RefCatalog::follow_later(const BranchRef& ref, const BranchRow::Frozen& under, Outcome& outcome) {
  const auto read = read_from(*parts_.refs);
  const auto published = load_commit(read, under.commit);
  if (!published && published.error().code != Code::kNotFound) return published.error();
  if (published) PFS_TRY(parts_.trees->fold(ref, published->root, published->links, under.epoch, under.commit));
  const auto branch = load_branch(read, ref);
  if (!branch && branch.error().code == Code::kNotFound) {
    const auto replacing = tell_before({}, {ref});
    PFS_TRY_ASSIGN(auto dropped, parts_.trees->drop_branch(ref));
    if (dropped) outcome.replaced.push_back(std::move(*dropped));
    return true;
  }
  if (!branch) return branch.error();
  std::optional<Commit> head;
  if (branch->head) {
    PFS_TRY_ASSIGN(head, load_commit(read, *branch->head));
  }
  if (!published) {
    PFS_TRY_ASSIGN(const bool unmoved, parts_.trees->begins_with(ref, head, branch->open_tree));
    if (unmoved && branch->open == under.commit) return false;
    // what was frozen came to nothing, and so no commit was made of it
    PFS_TRY(parts_.trees->thaw(ref, false));
  } else if (!branch->head || branch->head == under.commit) {
    return true;
  }
  PFS_TRY_ASSIGN(const auto hold, parts_.trees->hold({ref}));
  if (published && parts_.trees->changed(ref)) {
    spdlog::error("branch {}: what was written since it was moved to {} and could not follow is given up", ref.str(), branch->head->hex());
  }
  const auto replacing = tell_before({}, {ref});
  PFS_TRY_ASSIGN(auto replaced, parts_.trees->replace_root(ref, head, branch->open, branch->open_tree));
  if (replaced) outcome.replaced.push_back(std::move(*replaced));
  return true;
}

Result<void> RefCatalog::finish_frozen(const BranchRef& ref) {
  Outcome outcome;
  auto claimed = claim({ref});
  auto finished = finish_frozen_of(claimed.branches(), outcome);
  claimed.release();
  tell(outcome);
  return finished;
}

Result<void> RefCatalog::resume_frozen() {
  const auto changed = parts_.trees->changed_branches();
  Outcome outcome;
  auto claimed = claim({changed.begin(), changed.end()});
  auto finished = finish_frozen_of(claimed.branches(), outcome);
  claimed.release();
  tell(outcome);
  // a branch that is damaged says so to who uses it, and keeps nobody from the others
  if (!finished) spdlog::error("{}; what was being finished is tried again", finished.error().message);
  return {};
}

}  // namespace pfs::store
