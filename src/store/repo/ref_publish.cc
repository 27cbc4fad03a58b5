#include <algorithm>
#include <set>
#include <thread>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/fault.h"
#include "store/chunk/sha256.h"
#include "store/repo/ref_catalog.h"

// The operations that move HEADs. docs/architecture.md walks through one of them.

namespace pfs::store {

namespace {

constexpr int kAttempts = 20;
constexpr auto kWaitForRelease = std::chrono::milliseconds(1000);
constexpr auto kWaitStep = std::chrono::milliseconds(10);

// Skew-binary skip pointers: `^N` is found in O(log N) reads. Source: Myers, "An applicative random-access stack", 1983.
Result<void> link_to_parent(const RefDb& refs, Commit& commit) {
  if (!commit.parent) return {};
  PFS_TRY_ASSIGN(const auto parent, load_commit(refs, *commit.parent));
  commit.generation = parent.generation + 1;
  commit.skip = parent.id;
  commit.skip_generation = parent.generation;
  if (parent.skip) {
    PFS_TRY_ASSIGN(const auto skipped, load_commit(refs, *parent.skip));
    if (skipped.skip && parent.generation - skipped.generation == skipped.generation - skipped.skip_generation) {
      commit.skip = skipped.skip;
      commit.skip_generation = skipped.skip_generation;
    }
  }
  return {};
}

}  // namespace

void RefCatalog::tell(const Outcome& outcome) const {
  if (TreeObserver* observer = observer_) {
    for (const auto& replaced : outcome.replaced) observer->tree_replaced(replaced.root, replaced.names, replaced.orphans);
    for (const auto& ref : outcome.changed) observer->branch_changed(ref);
  }
  if (PublishHook* hook = hook_; hook != nullptr && !outcome.moves.empty()) hook->after_moves(outcome.moves);
}

Result<void> RefCatalog::run_hook(const std::vector<HeadMove>& moves, RefTxn& txn) const {
  PublishHook* hook = hook_;
  return hook != nullptr ? hook->on_moves(moves, txn) : Result<void>{};
}

// Everything that moving one HEAD changes: the branch, its log, the event.
HeadMove RefCatalog::add_move(RefTxn& txn, Branch& record, std::optional<Seq> version, const Commit& head,
                              std::optional<CommitId> next_open, const std::string& why) const {
  HeadMove move{record.ref, record.head, head, record.log_length + 1};
  record.log_length = move.log_number;
  record.head = head.id;
  if (next_open) {
    record.open = *next_open;
    record.opened_by_hand = false;
    record.open_description.clear();
    txn.expect.push_back({commit_key(head.id), std::nullopt});
    txn.put.push_back({commit_key(head.id), encode(head)});
    txn.put.push_back({repo_commit_key(head), ""});
  }
  txn.put.push_back({log_key(record.ref, move.log_number), encode(LogEntry{move.log_number, move.old_head, head.id, parts_.clock->now(), why})});
  txn.events.push_back({{}, "head", record.ref.str(), head.id.hex()});
  txn.expect.push_back({branch_key(record.ref), version});
  txn.put.push_back({branch_key(record.ref), encode(record)});
  return move;
}

Result<std::vector<BranchRef>> RefCatalog::joined_with(const BranchRef& ref) const {
  std::set<BranchRef> group{ref};
  std::vector<BranchRef> next{ref};
  while (!next.empty()) {
    const BranchRef at = next.back();
    next.pop_back();
    for (const auto& other : parts_.trees->activity(at, parts_.idle_after).joined) {
      if (group.contains(other)) continue;
      const auto branch = load_branch(*parts_.refs, other);
      if (!branch && branch.error().code == Code::kNotFound) continue;  // deleted since
      if (!branch) return branch.error();
      // its rows are in the log before this branch's commit is: a commit opened by hand ends by hand only
      if (branch->record.opened_by_hand) continue;
      group.insert(other);
      next.push_back(other);
    }
  }
  return std::vector<BranchRef>(group.begin(), group.end());
}

// What programs stored through shared mappings is in the kernel until it is asked for. The quiet rule needs no asking: a
// mapped file is released when it is unmapped.
bool RefCatalog::write_back(const BranchRef& ref) const {
  TreeObserver* observer = observer_;
  if (observer == nullptr || observer->write_back(ref)) return true;
  spdlog::warn("branch {}: what is still in shared mappings stays out of the commit", ref.str());
  return false;
}

Result<FinishResult> RefCatalog::finish(const BranchRef& ref, const FinishOptions& requested) {
  Outcome outcome;
  FinishOptions options = requested;
  if (!options.automatic && !write_back(ref)) options.description += "\n(without what was still in shared mappings)";
  Result<FinishResult> result = FinishResult{};
  {
    Lock lock(publish_);
    result = finish_locked(ref, options, outcome);
  }
  tell(outcome);
  return result;
}

Result<FinishResult> RefCatalog::finish_locked(const BranchRef& ref, const FinishOptions& options, Outcome& outcome) {
  // one that found no room; commits of a branch are finished in order
  if (const auto pending = parts_.trees->frozen(ref)) PFS_TRY(finish_pending(pending->epoch, outcome));
  PFS_TRY_ASSIGN(const auto branch, load_branch(*parts_.refs, ref));
  const FinishResult nothing{branch.record.head.value_or(CommitId{}), false};
  const bool by_hand = branch.record.opened_by_hand;
  if (options.automatic && by_hand) return nothing;
  if (!branch.record.output_of.empty()) {
    return Error{Code::kReadOnly, fmt::format("branch {}: only pipeline {} writes it", ref.str(), branch.record.output_of)};
  }
  const auto activity = parts_.trees->activity(ref, parts_.idle_after);
  const bool keep = options.keep_unchanged || by_hand;
  if (!activity.changed && !keep) return nothing;

  PFS_TRY_ASSIGN(const auto group, joined_with(ref));
  for (const auto& member : group) {
    if (const auto pending = parts_.trees->frozen(member)) PFS_TRY(finish_pending(pending->epoch, outcome));
  }
  std::map<BranchRef, BranchRow::Frozen> frozen;
  for (const auto& member : group) {
    PFS_TRY_ASSIGN(const auto record, load_branch(*parts_.refs, member));
    BranchRow::Frozen under;
    under.commit = record.record.open;
    under.next = new_commit_id();
    under.author = options.author;
    under.description = options.description.empty() ? record.record.open_description : options.description;
    under.keep_unchanged = member == ref && keep;
    frozen[member] = std::move(under);
  }
  PFS_TRY_ASSIGN(const auto epoch, parts_.trees->freeze(frozen));
  PFS_FAULT_POINT("store.finish.frozen");
  std::vector<Member> members;
  for (auto& [member, under] : frozen) members.push_back({member, under, {}});
  PFS_TRY(publish_frozen(std::move(members), epoch, outcome));
  PFS_TRY_ASSIGN(const auto after, load_branch(*parts_.refs, ref));
  return FinishResult{after.record.head.value_or(CommitId{}), after.record.head == frozen[ref].commit};
}

// What was admitted must become a commit: where there is no room for that after all, the ballast is given up. Where even
// that is not enough, because somebody else fills the disk, the commit stays as it is and is tried again.
Result<void> RefCatalog::publish_frozen(std::vector<Member> members, Epoch epoch, Outcome& outcome) {
  auto published = try_publish(members, epoch, outcome);
  if (!published && published.error().code == Code::kNoSpace && parts_.make_room && parts_.make_room()) {
    published = try_publish(members, epoch, outcome);
  }
  return published;
}

// Frozen branches become commits in one transaction: objects durable before it, rows folded after it.
Result<void> RefCatalog::try_publish(std::vector<Member> members, Epoch epoch, Outcome& outcome) {
  ObjectWriter writer(*parts_.objects);
  const auto give_up = [&](Error error) -> Error {
    if (error.code == Code::kNoSpace) return error;  // they stay frozen
    for (const auto& member : members) {
      if (auto thawed = parts_.trees->thaw(member.ref, true); !thawed) spdlog::error("{}", thawed.error().message);
    }
    return error;
  };
  for (auto& member : members) {
    // published before the process was killed: only the folding is left to do
    const auto published = load_commit(*parts_.refs, member.frozen.commit);
    auto walked = parts_.trees->walk_frozen(member.ref, epoch, writer, published ? &published->root : nullptr);
    if (!walked) return give_up(std::move(walked).error().within("branch " + member.ref.str()));
    member.walked = std::move(*walked);
  }
  if (auto fault = fault_point("store.finish.walked"); !fault) return give_up(fault.error());

  std::vector<Member*> kept;
  for (auto& member : members) {
    const bool published = load_commit(*parts_.refs, member.frozen.commit).has_value();
    if (published) {
      PFS_TRY(parts_.trees->fold(member.ref, member.walked, epoch, member.frozen.commit));
    } else if (member.walked.keep || member.frozen.keep_unchanged) {
      kept.push_back(&member);
    } else {
      PFS_TRY(parts_.trees->thaw(member.ref, false));
    }
  }
  if (kept.empty()) return {};

  std::vector<Publication> commits;
  for (auto* member : kept) {
    PFS_TRY_ASSIGN(const auto branch, load_branch(*parts_.refs, member->ref));
    Commit commit;
    commit.id = member->frozen.commit;
    commit.repo = member->ref.repo;
    commit.branch = member->ref.branch;
    commit.parent = branch.record.head;
    commit.root = member->walked.root;
    commit.started = branch.record.opened_by_hand ? branch.record.opened : parts_.clock->now();
    commit.author = member->frozen.author;
    commit.description = member->frozen.description;
    commits.push_back({std::move(commit), member->frozen.next});
  }
  if (auto moved = commit_moves(commits, nullptr, outcome); !moved) return give_up(std::move(moved).error());
  PFS_FAULT_POINT("store.finish.published");
  for (auto* member : kept) PFS_TRY(parts_.trees->fold(member->ref, member->walked, epoch, member->frozen.commit));
  return parts_.trees->release_staging();
}

// One transaction that adds the commits and moves their branches' HEADs to them; tried again when it loses a race.
Result<void> RefCatalog::commit_moves(std::vector<Publication>& commits,
                                      const std::function<Result<void>(const Commit&, RefTxn&)>& extend, Outcome& outcome) {
  ObjectWriter writer(*parts_.objects);
  for (auto& [commit, next_open] : commits) {
    PFS_TRY(link_to_parent(*parts_.refs, commit));
    commit.finished = parts_.clock->now();
    // a commit is an object too, so that refs can be rebuilt from packs alone
    std::string bytes = encode(commit);
    const Digest digest = sha256_tagged("pfs.commit.1", bytes);
    PFS_TRY(writer.add({ObjectKind::kCommit, digest}, std::move(bytes)));
  }
  PFS_TRY(writer.flush());
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    RefTxn txn;
    txn.id = txn_id();
    std::vector<HeadMove> moves;
    for (const auto& [commit, next_open] : commits) {
      PFS_TRY_ASSIGN(auto branch, load_branch(*parts_.refs, BranchRef{commit.repo, commit.branch}));
      moves.push_back(add_move(txn, branch.record, branch.version, commit, next_open, "commit"));
      if (extend) PFS_TRY(extend(commit, txn));
    }
    PFS_TRY(run_hook(moves, txn));
    auto committed = parts_.refs->commit(std::move(txn));
    if (committed) {
      for (auto& move : moves) {
        outcome.changed.push_back(move.branch);
        outcome.moves.push_back(std::move(move));
      }
      return {};
    }
    // what `extend` expects is the caller's business; a branch's record may have changed beside us
    if (committed.error().code != Code::kConflict || extend) return std::move(committed).error();
  }
  return Error{Code::kConflict, "the branches keep changing; try again"};
}

Result<Commit> RefCatalog::publish_tree(const BranchRef& ref, const Subtree& root, std::vector<Commit::Cause> provenance,
                                        const FinishOptions& options,
                                        const std::function<Result<void>(const Commit&, RefTxn&)>& extend) {
  Outcome outcome;
  std::vector<Publication> commits(1);
  {
    Lock lock(publish_);
    PFS_TRY_ASSIGN(const auto branch, load_branch(*parts_.refs, ref));
    commits.front().next_open = new_commit_id();
    auto& commit = commits.front().commit;
    commit.id = branch.record.open;
    commit.repo = ref.repo;
    commit.branch = ref.branch;
    commit.parent = branch.record.head;
    commit.root = root;
    commit.started = parts_.clock->now();
    commit.author = options.author;
    commit.description = options.description;
    commit.provenance = std::move(provenance);
    PFS_TRY(commit_moves(commits, extend, outcome));
    PFS_FAULT_POINT("store.publish_tree.published");
    PFS_TRY_ASSIGN(auto replaced, parts_.trees->replace_root(ref, commit.id, root));
    if (replaced) outcome.replaced.push_back(std::move(*replaced));
  }
  tell(outcome);
  return commits.front().commit;
}

// A release is asynchronous: the kernel may still be on its way to tell of a close that has returned.
Result<void> RefCatalog::wait_for_writers(const BranchRef& ref) const {
  for (auto waited = std::chrono::milliseconds(0);; waited += kWaitStep) {
    const auto writing = parts_.trees->activity(ref, parts_.idle_after).being_written;
    if (writing.empty()) return {};
    if (waited >= kWaitForRelease) {
      return Error{Code::kBusy, fmt::format("branch {}: {} is being written; close it first", ref.str(), writing.front())};
    }
    std::this_thread::sleep_for(kWaitStep);
  }
}

Result<bool> RefCatalog::retarget(const BranchRef& ref, const CommitRef& target) {
  if (target.repo != ref.repo) {
    return Error{Code::kNotPermitted, fmt::format("branch {}: HEAD cannot come from repo {}", ref.str(), target.repo.str())};
  }
  PFS_TRY(wait_for_writers(ref));
  write_back(ref);
  if (target.branch) write_back(BranchRef{target.repo, *target.branch});
  Outcome outcome;
  Result<bool> moved = false;
  {
    Lock lock(publish_);
    moved = retarget_locked(ref, target, outcome);
  }
  tell(outcome);
  return moved;
}

Result<bool> RefCatalog::retarget_locked(const BranchRef& ref, const CommitRef& target, Outcome& outcome) {
  const auto refuse_by_hand = [](const Branch& branch) -> Result<void> {
    if (!branch.opened_by_hand) return {};
    return Error{Code::kBusy, fmt::format("branch {}: commit {} was opened by hand; finish it first", branch.ref.str(), branch.open.hex())};
  };
  PFS_TRY_ASSIGN(const auto before, load_branch(*parts_.refs, ref));
  if (!before.record.output_of.empty()) {
    return Error{Code::kReadOnly, fmt::format("branch {}: only pipeline {} moves it", ref.str(), before.record.output_of)};
  }
  PFS_TRY(refuse_by_hand(before.record));
  FinishOptions automatic;
  automatic.automatic = true;
  if (target.branch) {
    const BranchRef source{target.repo, *target.branch};
    PFS_TRY_ASSIGN(const auto record, load_branch(*parts_.refs, source));
    PFS_TRY(refuse_by_hand(record.record));
    if (source != ref && record.record.output_of.empty()) PFS_TRY(finish_locked(source, automatic, outcome));
  }
  PFS_TRY(finish_locked(ref, automatic, outcome));
  PFS_TRY_ASSIGN(const auto commit, resolve(target));
  if (commit.repo != ref.repo) {
    return Error{Code::kNotPermitted, fmt::format("branch {}: HEAD cannot come from repo {}", ref.str(), commit.repo.str())};
  }
  PFS_TRY_ASSIGN(auto branch, load_branch(*parts_.refs, ref));
  if (branch.record.head == commit.id) return false;
  RefTxn txn;
  txn.id = txn_id();
  std::vector<HeadMove> moves{add_move(txn, branch.record, branch.version, commit, std::nullopt, "retarget")};
  PFS_TRY(run_hook(moves, txn));
  PFS_TRY(parts_.refs->commit(std::move(txn)));
  PFS_FAULT_POINT("store.retarget.published");
  PFS_TRY_ASSIGN(auto replaced, parts_.trees->replace_root(ref, commit.id, commit.root));
  if (replaced) outcome.replaced.push_back(std::move(*replaced));
  outcome.moves.push_back(std::move(moves.front()));
  outcome.changed.push_back(ref);
  return true;
}

Result<void> RefCatalog::finish_pending(std::optional<Epoch> only, Outcome& outcome) {
  std::map<Epoch, std::vector<Member>> by_epoch;
  for (const auto& ref : parts_.trees->changed_branches()) {
    const auto frozen = parts_.trees->frozen(ref);
    if (frozen && (!only || frozen->epoch == *only)) by_epoch[frozen->epoch].push_back({ref, *frozen, {}});
  }
  for (auto& [epoch, members] : by_epoch) {
    spdlog::info("finishing {} branches whose finishing was interrupted", members.size());
    PFS_TRY(publish_frozen(std::move(members), epoch, outcome));
  }
  return {};
}

Result<void> RefCatalog::resume_frozen() {
  Outcome outcome;
  Lock lock(publish_);
  auto finished = finish_pending(std::nullopt, outcome);
  if (!finished && finished.error().code == Code::kNoSpace) {
    spdlog::error("{}; what was being finished is tried again when there is room", finished.error().message);
    return {};
  }
  return finished;
}

}  // namespace pfs::store
