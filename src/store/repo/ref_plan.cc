#include <algorithm>
#include <thread>

#include <fmt/format.h>

#include "base/process_name.h"
#include "store/repo/ref_catalog.h"

// What is looked at before steps are carried out: which branches they are about, what is to be waited for, what is frozen, and
// what is refused before anything is done.

namespace pfs::store {

namespace {

constexpr auto kWaitForRelease = std::chrono::milliseconds(1000);
constexpr auto kWaitStep = std::chrono::milliseconds(10);

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

/// The branch whose HEAD the step moves to what is asked for by name, if it does.
std::optional<BranchRef> moved_by(const RefStep& step) {
  if (const auto* move = std::get_if<MoveHead>(&step)) return move->ref;
  const auto* creation = std::get_if<CreateBranch>(&step);
  return creation != nullptr && creation->or_move && creation->head ? std::optional(creation->ref) : std::nullopt;
}

/// Where to, of a step that moves one.
const CommitRef& target_of(const RefStep& step) {
  const auto* move = std::get_if<MoveHead>(&step);
  return move != nullptr ? move->target : *std::get<CreateBranch>(step).head;
}

}  // namespace

std::set<BranchRef> branches_of(std::span<const RefStep> steps) {
  std::set<BranchRef> refs;
  for (const auto& step : steps) {
    std::visit(Overloaded{[](const CreateRepo&) {},
                          [](const UpdateRepo&) {},
                          [](const EraseRecord&) {},
                          [](const AddRecords&) {},
                          [](const RequireBranch&) {},
                          [&](const CreateBranch& creation) {
                            refs.insert(creation.ref);
                            // what is not committed there is meant, too
                            if (creation.or_move && creation.head && creation.head->branch) {
                              refs.insert(BranchRef{creation.head->repo, *creation.head->branch});
                            }
                          },
                          [&](const DeleteRepo& deletion) { refs.insert(deletion.branches.begin(), deletion.branches.end()); },
                          [&](const DeleteCommit& deletion) { refs.insert(deletion.branches.begin(), deletion.branches.end()); },
                          [&](const MoveHead& move) {
                            refs.insert(move.ref);
                            if (move.target.branch) refs.insert(BranchRef{move.target.repo, *move.target.branch});
                          },
                          [&](const RenameBranch& rename) { refs.insert({rename.ref, rename.to}); },
                          [&](const auto& one) { refs.insert(one.ref); }},
               step);
  }
  return refs;
}

// Those of which a discard is the only step.
std::set<BranchRef> discarded_by(std::span<const RefStep> steps) {
  std::set<BranchRef> refs;
  for (const auto& step : steps) {
    if (const auto* discard = std::get_if<DiscardCommit>(&step)) refs.insert(discard->ref);
  }
  for (const auto& step : steps) {
    if (std::holds_alternative<DiscardCommit>(step)) continue;
    for (const auto& ref : branches_of({&step, 1})) refs.erase(ref);
  }
  return refs;
}

// Those whose trees give way to others. A deletion that is told to means what is not committed, too, unless a step before it
// commits that.
std::set<BranchRef> replaced_by(std::span<const RefStep> steps) {
  std::set<BranchRef> refs;
  std::set<BranchRef> finished;
  for (const auto& step : steps) {
    if (const auto* finish = std::get_if<FinishCommit>(&step)) {
      finished.insert(finish->ref);
    } else if (const auto moved = moved_by(step)) {
      refs.insert(*moved);
    } else if (const auto* discard = std::get_if<DiscardCommit>(&step)) {
      refs.insert(discard->ref);  // what a rename brings into it is not the discard's
    } else if (const auto* start = std::get_if<StartCommit>(&step); start != nullptr && start->parent) {
      refs.insert(start->ref);
    } else if (const auto* files = std::get_if<ChangeFiles>(&step)) {
      refs.insert(files->ref);
    } else if (const auto* commit = std::get_if<DeleteCommit>(&step)) {
      refs.insert(commit->branches.begin(), commit->branches.end());
    } else if (const auto* deletion = std::get_if<DeleteBranch>(&step)) {
      if (!deletion->even_with_content || finished.contains(deletion->ref)) refs.insert(deletion->ref);
    }
  }
  return refs;
}

// The branches that deletions are about, which are to be claimed with those that are named. Whether there are such steps.
Result<bool> RefCatalog::look_up_branches(std::vector<RefStep>& steps) const {
  bool found = false;
  for (auto& step : steps) {
    RefEdit nothing(*parts_.refs);
    if (auto* repo = std::get_if<DeleteRepo>(&step)) {
      PFS_TRY_ASSIGN(repo->branches, branches_in(nothing, repo->name));
      found = true;
    } else if (auto* commit = std::get_if<DeleteCommit>(&step)) {
      PFS_TRY_ASSIGN(const auto deletion, plan_deletion(nothing, commit->id));
      commit->branches.assign(deletion.branches.begin(), deletion.branches.end());
      found = true;
    }
  }
  return found;
}

// What has to be waited for, before anything is claimed: closes that are on their way, and what programs have stored through
// shared mappings, which is in the kernel until it is asked for. The quiet rule needs no asking: a mapped file is released
// when it is unmapped.
Result<void> RefCatalog::settle(std::vector<RefStep>& steps) const {
  for (auto& step : steps) {
    if (auto* finish = std::get_if<FinishCommit>(&step); finish != nullptr && !finish->options.automatic) {
      if (!write_back(finish->ref)) finish->options.description += "\n(without what was still in shared mappings)";
    } else if (const auto moved = moved_by(step)) {
      const auto& target = target_of(step);
      if (target.repo != moved->repo) {
        return Error{Code::kNotPermitted, fmt::format("branch {}: HEAD cannot come from repo {}", moved->str(), target.repo.str())};
      }
      PFS_TRY(wait_for_writers(*moved));
      write_back(*moved);
      if (target.branch) write_back(BranchRef{target.repo, *target.branch});
    } else if (const auto* files = std::get_if<ChangeFiles>(&step)) {
      PFS_TRY(wait_for_writers(files->ref));
      write_back(files->ref);
    } else if (const auto* discard = std::get_if<DiscardCommit>(&step)) {
      PFS_TRY(wait_for_writers(discard->ref));
    } else if (const auto* start = std::get_if<StartCommit>(&step); start != nullptr && start->parent) {
      PFS_TRY(wait_for_writers(start->ref));
      write_back(start->ref);
    }
  }
  return {};
}

// A release is asynchronous: the kernel may still be on its way to tell of a close that has returned.
Result<void> RefCatalog::wait_for_writers(const BranchRef& ref) const {
  for (auto waited = std::chrono::milliseconds(0);; waited += kWaitStep) {
    const auto writing = parts_.trees->activity(ref, parts_.idle_after).being_written;
    if (writing.empty()) return {};
    if (waited >= kWaitForRelease) {
      const auto& [path, pid] = writing.front();
      return Error{Code::kBusy, fmt::format("branch {}: {} is being written{}; close it first", ref.str(), path,
                                            pid == 0 ? "" : " by process " + name_of_process(pid))};
    }
    std::this_thread::sleep_for(kWaitStep);
  }
}

// Which branches are frozen for these steps, and under what; refuses what cannot be, before anything is done.
Result<RefSteps::FrozenBranches> RefCatalog::plan(std::span<const RefStep> steps) const {
  RefSteps::FrozenBranches frozen;
  std::set<BranchRef> started;  // by hand, by these steps
  std::set<BranchRef> filled;   // of those, with files
  std::set<BranchRef> deleted;
  const auto read = read_from(*parts_.refs);
  // a branch that these steps make has nothing to freeze
  const auto find = [&](const BranchRef& ref) -> Result<std::optional<Branch>> {
    PFS_TRY_ASSIGN(const auto row, read(branch_key(ref)));
    if (!row) return std::optional<Branch>();
    PFS_TRY_ASSIGN(auto branch, decode_branch(*row));
    return std::optional(std::move(branch));
  };
  // before anything is frozen; where the steps change records with it, what those say is seen with the transaction
  const bool with_records = std::any_of(steps.begin(), steps.end(), [](const RefStep& step) { return std::holds_alternative<AddRecords>(step); });
  const auto refuse_early = [&](const BranchRef& ref, DeletionOf what) -> Result<void> {
    PublishHook* hook = hook_;
    RefTxn unused;
    return hook == nullptr || with_records ? Result<void>() : hook->on_delete(ref, what, unused);
  };
  for (const auto& step : steps) {
    if (const auto* start = std::get_if<StartCommit>(&step)) {
      PFS_TRY_ASSIGN(const auto branch, find(start->ref));
      if (branch && start->parent) {
        FinishOptions automatic;
        automatic.automatic = true;
        PFS_TRY(refuse_on_request(*branch));
        PFS_TRY(plan_finish(*branch, automatic, false, frozen));
      }
      started.insert(start->ref);
    } else if (const auto* files = std::get_if<ChangeFiles>(&step)) {
      PFS_TRY_ASSIGN(const auto branch, find(files->ref));
      const bool into_started = started.contains(files->ref);
      if (into_started) filled.insert(files->ref);
      if (!branch) continue;
      PFS_TRY(refuse_output(*branch, "writes"));
      if (!into_started) {
        FinishOptions automatic;
        automatic.automatic = true;
        if (!frozen.contains(files->ref)) PFS_TRY(refuse_on_request(*branch));
        PFS_TRY(plan_finish(*branch, automatic, false, frozen));
      } else if (!frozen.contains(files->ref) && parts_.trees->changed(files->ref)) {
        return Error{Code::kConflict, fmt::format("branch {}: it has changes that are not committed, and were not made by the transaction that "
                                                  "starts its commit; finish the branch's commit first, and then start one", files->ref.str())};
      }
    } else if (const auto* finish = std::get_if<FinishCommit>(&step)) {
      if (started.contains(finish->ref) && filled.contains(finish->ref)) {
        started.erase(finish->ref);
        filled.erase(finish->ref);
        continue;  // nothing of it is in the live tree
      }
      PFS_TRY_ASSIGN(const auto branch, find(finish->ref));
      if (!branch) continue;
      PFS_TRY(refuse_output(*branch, "writes"));
      PFS_TRY(plan_finish(*branch, finish->options, started.contains(finish->ref), frozen));
    } else if (const auto moved = moved_by(step)) {
      FinishOptions automatic;
      automatic.automatic = true;
      PFS_TRY_ASSIGN(const auto there, find(*moved));
      for (const auto& ref : branches_of({&step, 1})) {
        PFS_TRY_ASSIGN(const auto branch, find(ref));
        if (!branch || (ref != *moved && !branch->output_of.empty())) continue;
        if (ref == *moved) PFS_TRY(refuse_output(*branch, "moves"));
        // a new branch may be made at HEAD of one whose next commit is still open
        if (there && !frozen.contains(ref)) PFS_TRY(refuse_on_request(*branch));
        PFS_TRY(plan_finish(*branch, automatic, false, frozen));
      }
    } else if (const auto* discard = std::get_if<DiscardCommit>(&step)) {
      if (const auto joined = parts_.trees->joined(discard->ref); !joined.empty()) {
        return Error{Code::kBusy, fmt::format("branch {}: files were moved between it and {}; finish that first", discard->ref.str(),
                                              joined.begin()->str())};
      }
    } else if (const auto* rename = std::get_if<RenameBranch>(&step)) {
      PFS_TRY(load_branch(read, rename->ref));
      for (const auto& ref : branches_of({&step, 1})) {
        PFS_TRY(refuse_early(ref, DeletionOf::kBranch));
      }
    } else if (const auto* deletion = std::get_if<DeleteBranch>(&step)) {
      PFS_TRY_ASSIGN(const auto branch, find(deletion->ref));
      if (!branch) continue;
      deleted.insert(deletion->ref);
      if (!deletion->even_with_content) PFS_TRY(refuse_by_hand(*branch));
      if (!deletion->force) PFS_TRY(refuse_early(deletion->ref, DeletionOf::kBranch));
      PFS_TRY_ASSIGN(const bool empty, parts_.trees->is_empty(deletion->ref));
      if (!empty && !deletion->even_with_content) {
        return Error{Code::kNotEmpty, fmt::format("branch {}: it is not empty; remove its files first", deletion->ref.str())};
      }
    } else if (const auto* repo = std::get_if<DeleteRepo>(&step); repo != nullptr && !repo->force) {
      for (const auto& ref : repo->branches) {
        PFS_TRY(refuse_early(ref, DeletionOf::kRepo));
      }
    } else if (const auto* commit = std::get_if<DeleteCommit>(&step)) {
      FinishOptions automatic;
      automatic.automatic = true;
      for (const auto& ref : commit->branches) {
        if (deleted.contains(ref)) continue;
        PFS_TRY_ASSIGN(const auto branch, find(ref));
        if (!branch || !branch->output_of.empty()) continue;
        PFS_TRY(refuse_on_request(*branch));
        PFS_TRY(plan_finish(*branch, automatic, false, frozen));
      }
    }
  }
  return frozen;
}

// What pipelines have to say against deletions, of the transaction as it will be committed.
Result<void> RefCatalog::refuse_deletions(std::span<const RefStep> steps, RefTxn& txn) const {
  PublishHook* hook = hook_;
  if (hook == nullptr) return {};
  for (const auto& step : steps) {
    if (std::holds_alternative<RenameBranch>(step)) {
      for (const auto& ref : branches_of({&step, 1})) PFS_TRY(hook->on_delete(ref, DeletionOf::kBranch, txn));
    } else if (const auto* branch = std::get_if<DeleteBranch>(&step)) {
      if (!branch->force) PFS_TRY(hook->on_delete(branch->ref, DeletionOf::kBranch, txn));
    } else if (const auto* repo = std::get_if<DeleteRepo>(&step)) {
      if (repo->force) continue;
      for (const auto& ref : repo->branches) PFS_TRY(hook->on_delete(ref, DeletionOf::kRepo, txn));
    }
  }
  return {};
}

Result<void> RefCatalog::plan_finish(const Branch& branch, const FinishOptions& options, bool started, RefSteps::FrozenBranches& frozen) const {
  const bool by_hand = branch.opened_by_hand || started;
  if (frozen.contains(branch.ref) || (options.automatic && (by_hand || ends_on_request(branch)))) return {};
  const bool keep = options.keep_unchanged || by_hand;
  if (!parts_.trees->changed(branch.ref) && !keep) return {};

  std::vector<BranchRef> next{branch.ref};
  std::set<BranchRef> seen{branch.ref};
  while (!next.empty()) {
    const BranchRef ref = next.back();
    next.pop_back();
    auto record = load_branch(read_from(*parts_.refs), ref);
    if (!record && record.error().code == Code::kNotFound) continue;  // deleted since it was joined
    if (!record) return std::move(record).error();
    // its rows are in the log before this branch's commit is: a commit that ends on request only is not asked for here
    if (ref != branch.ref && ends_on_request(*record)) continue;
    frozen[ref].leave_out_written = options.leave_out_written;
    auto& under = frozen[ref].under;
    under.commit = record->open;
    under.next = new_commit_id();
    under.author = options.author;
    under.description = options.description.empty() ? record->open_description : options.description;
    under.keep_unchanged = ref == branch.ref && keep;
    for (const auto& other : parts_.trees->joined(ref)) {
      if (seen.insert(other).second && !frozen.contains(other)) next.push_back(other);
    }
  }
  return {};
}

}  // namespace pfs::store
