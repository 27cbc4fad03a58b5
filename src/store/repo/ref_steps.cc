#include "store/repo/ref_steps.h"

#include <algorithm>

#include <fmt/format.h>

#include "store/chunk/sha256.h"

namespace pfs::store {

namespace {

// A branch of that name may have been deleted: its log goes on.
Result<std::uint64_t> last_log_number(const RefDb& refs, const BranchRef& ref) {
  std::uint64_t last = 0;
  Result<void> outcome;
  PFS_TRY(refs.scan(log_prefix(ref), "", [&](std::string_view, const RefValue& row) {
    auto entry = decode_log_entry(row.value);
    if (entry) last = entry->number;
    else outcome = std::move(entry).error();
    return false;
  }));
  PFS_TRY(std::move(outcome));
  return last;
}

Error foreign_commit(const BranchRef& ref, const RepoName& repo) {
  return Error{Code::kNotPermitted, fmt::format("branch {}: HEAD cannot come from repo {}", ref.str(), repo.str())};
}

}  // namespace

Result<void> refuse_output(const Branch& branch, std::string_view verb) {
  if (branch.output_of.empty()) return {};
  return Error{Code::kReadOnly, fmt::format("branch {}: only pipeline {} {} it", branch.ref.str(), branch.output_of, verb)};
}

Result<void> refuse_by_hand(const Branch& branch) {
  if (!branch.opened_by_hand) return {};
  return Error{Code::kBusy, fmt::format("branch {}: commit {} was opened by hand; finish it first", branch.ref.str(), branch.open.hex())};
}

Result<std::vector<StepResult>> RefSteps::apply(std::span<const RefStep> steps) {
  for (const auto& step : steps) {
    if (const auto* repo = std::get_if<DeleteRepo>(&step)) going_.insert(repo->branches.begin(), repo->branches.end());
  }
  std::vector<StepResult> results;
  for (const auto& step : steps) {
    PFS_TRY_ASSIGN(const auto result, std::visit([&](const auto& one) { return apply_one(one); }, step));
    results.push_back(result);
  }
  return results;
}

void RefSteps::put(const Branch& branch) {
  edit_.put(branch_key(branch.ref), encode(branch));
  effects_.changed.insert(branch.ref);
}

Result<StepResult> RefSteps::apply_one(const CreateRepo& step) {
  PFS_TRY_ASSIGN(const auto there, edit_.get(repo_key(step.name)));
  if (there) return Error{Code::kExists, fmt::format("repo {}: exists", step.name.str())};
  edit_.put(repo_key(step.name), encode(Repo{step.name, step.description, clock_.now()}));
  return StepResult{};
}

Result<StepResult> RefSteps::apply_one(const UpdateRepo& step) {
  PFS_TRY_ASSIGN(auto repo, load_repo(edit_.reader(), step.name));
  repo.description = step.description;
  edit_.put(repo_key(step.name), encode(repo));
  return StepResult{};
}

Result<Branch> RefSteps::new_branch(const BranchRef& ref, bool create_repo, const std::optional<DirectoryOwner>& owner) {
  auto repo = load_repo(edit_.reader(), ref.repo);
  if (!repo && (repo.error().code != Code::kNotFound || !create_repo)) return std::move(repo).error();
  PFS_TRY_ASSIGN(const auto there, edit_.get(branch_key(ref)));
  if (there) return Error{Code::kExists, fmt::format("branch {}: exists", ref.str())};
  Branch branch;
  branch.ref = ref;
  branch.open = new_commit_id();
  branch.created = clock_.now();
  branch.owner = owner;
  PFS_TRY_ASSIGN(branch.log_length, last_log_number(refs_, ref));
  // the repo's record is written again, so that its deletion and a branch made in it exclude each other
  edit_.put(repo_key(ref.repo), encode(repo ? *repo : Repo{ref.repo, "", branch.created}));
  edit_.event("branch", ref.str(), "created");
  made_.insert(ref);
  return branch;
}

Result<StepResult> RefSteps::apply_one(const CreateBranch& step) {
  if (step.or_move) {
    PFS_TRY_ASSIGN(const auto row, edit_.get(branch_key(step.ref)));
    if (row && step.head) return apply_one(MoveHead{step.ref, *step.head, {}});
    if (row) {
      PFS_TRY_ASSIGN(const auto there, decode_branch(*row));
      return StepResult{there.head.value_or(CommitId{}), false};
    }
    if (step.head && step.head->branch) PFS_TRY(publish(BranchRef{step.head->repo, *step.head->branch}));
  }
  PFS_TRY_ASSIGN(auto branch, new_branch(step.ref, step.create_repo, step.owner));
  branch.policy = step.policy;
  if (step.head) {
    PFS_TRY_ASSIGN(const auto commit, resolve_finished(edit_, *step.head));
    if (commit.repo != step.ref.repo) return foreign_commit(step.ref, commit.repo);
    move_head(branch, commit, "created");
  } else {
    put(branch);
  }
  return StepResult{branch.head.value_or(CommitId{}), true};
}

Result<StepResult> RefSteps::apply_one(const RelateBranch& step) {
  PFS_TRY_ASSIGN(auto branch, load_branch(edit_.reader(), step.ref));
  PFS_TRY(refuse_output(branch, "relates"));
  if (step.provenance) branch.provenance = *step.provenance;
  if (step.trigger) branch.trigger = step.trigger;
  if (branch.trigger && !branch.provenance.empty()) {
    return Error{Code::kInvalid, fmt::format("branch {}: it cannot have both a provenance and a trigger; delete it and make it anew with one",
                                             step.ref.str())};
  }
  if (step.trigger) {
    PFS_TRY(step.trigger->check());
    for (std::optional<BranchName> at = step.trigger->branch; at;) {
      if (*at == step.ref.branch) {
        return Error{Code::kInvalid, fmt::format("branch {}: its trigger on {} would be a loop", step.ref.str(), step.trigger->branch.str())};
      }
      PFS_TRY_ASSIGN(const auto row, edit_.get(branch_key({step.ref.repo, *at})));
      if (!row) break;
      PFS_TRY_ASSIGN(const auto next, decode_branch(*row));
      at = next.trigger ? std::optional(next.trigger->branch) : std::nullopt;
    }
  }
  if (step.provenance) PFS_TRY(check_provenance(step.ref, *step.provenance));
  put(branch);
  return StepResult{branch.head.value_or(CommitId{}), true};
}

// What the branch is made from must be there, what that was made from may have been deleted by force. The record of the former is
// written again as it is, so that its deletion and a branch that comes to be made from it exclude each other.
Result<void> RefSteps::check_provenance(const BranchRef& ref, const std::vector<BranchRef>& provenance) {
  for (const auto& upstream : provenance) {
    PFS_TRY(load_branch(edit_.reader(), upstream));
    PFS_TRY_ASSIGN(auto row, edit_.get(branch_key(upstream)));
    if (row) edit_.put(branch_key(upstream), std::move(*row));
  }
  std::vector<BranchRef> next(provenance);
  std::set<BranchRef> seen;
  while (!next.empty()) {
    const BranchRef at = next.back();
    next.pop_back();
    if (at == ref) return Error{Code::kInvalid, fmt::format("branch {}: its provenance would be a loop", ref.str())};
    if (!seen.insert(at).second) continue;
    PFS_TRY_ASSIGN(const auto row, edit_.get(branch_key(at)));
    if (!row) continue;
    PFS_TRY_ASSIGN(const auto upstream, decode_branch(*row));
    next.insert(next.end(), upstream.provenance.begin(), upstream.provenance.end());
  }
  return {};
}

Result<StepResult> RefSteps::apply_one(const MoveHead& step) {
  if (step.target.branch) PFS_TRY(publish(BranchRef{step.target.repo, *step.target.branch}));
  PFS_TRY(publish(step.ref));
  PFS_TRY_ASSIGN(auto branch, load_branch(edit_.reader(), step.ref));
  PFS_TRY(refuse_output(branch, "moves"));
  PFS_TRY(refuse_by_hand(branch));
  PFS_TRY_ASSIGN(const auto commit, resolve_finished(edit_, step.target));
  if (commit.repo != step.ref.repo) return foreign_commit(step.ref, commit.repo);
  if (step.expected_head && branch.head != step.expected_head) {
    return Error{Code::kConflict, fmt::format("branch {}: HEAD is {}, not {}", step.ref.str(), branch.head ? branch.head->hex() : "none",
                                              step.expected_head->hex())};
  }
  if (branch.head == commit.id) return StepResult{commit.id, false};
  move_head(branch, commit, "retarget");
  effects_.trees.push_back({step.ref, commit, branch.open});
  return StepResult{commit.id, true};
}

Result<StepResult> RefSteps::apply_one(const StartCommit& step) {
  PFS_TRY_ASSIGN(const auto there, edit_.get(branch_key(step.ref)));
  Branch branch;
  if (there) {
    PFS_TRY_ASSIGN(branch, load_branch(edit_.reader(), step.ref));
  } else {
    PFS_TRY_ASSIGN(branch, new_branch(step.ref, false, step.owner));
  }
  PFS_TRY(refuse_output(branch, "writes"));
  if (branch.opened_by_hand) {
    return Error{Code::kBusy, fmt::format("branch {}: commit {} is open; finish it first", step.ref.str(), branch.open.hex())};
  }
  if (step.parent) {
    if (there) {
      PFS_TRY(publish(step.ref));
      PFS_TRY_ASSIGN(branch, load_branch(edit_.reader(), step.ref));
    }
    PFS_TRY_ASSIGN(const auto parent, resolve_finished(edit_, *step.parent));
    if (branch.head != parent.id) {
      move_head(branch, parent, "start commit", Moving::kQuiet);
      effects_.trees.push_back({step.ref, parent, branch.open});
    }
  }
  if (step.id && branch.open != *step.id) {
    // rows of a live tree are told by the open commit's id: it changes only where they go, or where there is none yet
    const auto replaced = std::find_if(effects_.trees.rbegin(), effects_.trees.rend(), [&](const TreeChange& change) { return change.ref == step.ref; });
    if (replaced != effects_.trees.rend() && !replaced->deleted && !replaced->renamed_to) {
      replaced->open = *step.id;
    } else if (there && !made_.contains(step.ref)) {
      return Error{Code::kConflict, fmt::format("branch {}: commit {} was promised, and the branch has been committed since", step.ref.str(),
                                                step.id->hex())};
    }
    branch.open = *step.id;
  }
  branch.opened_by_hand = true;
  branch.opened = clock_.now();
  branch.open_description = step.description;
  put(branch);
  started_.insert(step.ref);
  return StepResult{branch.open, true};
}

Result<StepResult> RefSteps::apply_one(const FinishCommit& step) {
  PFS_TRY(publish(step.ref));
  PFS_TRY_ASSIGN(auto branch, load_branch(edit_.reader(), step.ref));
  PFS_TRY(refuse_output(branch, "writes"));
  const bool frozen = effects_.published.contains(step.ref) || frozen_.contains(step.ref);
  if (frozen && !started_.contains(step.ref)) {
    return StepResult{branch.head.value_or(CommitId{}), effects_.published.contains(step.ref)};
  }
  const bool keep = step.options.keep_unchanged || branch.opened_by_hand;
  if (!keep || (step.options.automatic && branch.opened_by_hand)) return StepResult{branch.head.value_or(CommitId{}), false};
  // started by this very transaction on a branch that it has made, too: there is no live tree to look at yet
  PFS_TRY_ASSIGN(const auto head, head_of(branch));
  Commit commit;
  if (branch.open_tree) {
    commit.root = branch.open_tree->root;
    commit.links = branch.open_tree->links;
  } else if (head) {
    commit.root = head->root;
    commit.links = head->links;
  } else {
    commit.root = empty_subtree();
  }
  commit.author = step.options.author;
  commit.description = step.options.description.empty() ? branch.open_description : step.options.description;
  PFS_TRY_ASSIGN(commit, add_commit(branch, std::move(commit), new_commit_id()));
  effects_.trees.push_back({step.ref, commit, branch.open});
  return StepResult{commit.id, true};
}

Result<StepResult> RefSteps::apply_one(const DiscardCommit& step) {
  PFS_TRY_ASSIGN(auto branch, load_branch(edit_.reader(), step.ref));
  PFS_TRY(refuse_output(branch, "writes"));
  looked_at_.insert(step.ref);  // what a later step has had frozen is discarded, too
  branch.open = new_commit_id();
  if (branch.opened_by_hand) effects_.discarded.insert(step.ref);
  branch.opened_by_hand = false;
  branch.open_description.clear();
  branch.open_tree.reset();
  put(branch);
  PFS_TRY_ASSIGN(auto head, head_of(branch));
  effects_.trees.push_back({step.ref, std::move(head), branch.open});
  return StepResult{branch.head.value_or(CommitId{}), true};
}

Result<StepResult> RefSteps::apply_one(const PublishTree& step) {
  PFS_TRY_ASSIGN(auto branch, load_branch(edit_.reader(), step.ref));
  if (branch.output_of != step.pipeline) {
    if (!branch.output_of.empty()) return refuse_output(branch, "writes").error();
    return Error{Code::kReadOnly, fmt::format("branch {}: is not written by pipeline {} any more", step.ref.str(), step.pipeline)};
  }
  PFS_TRY_ASSIGN(const auto parent, head_of(branch));
  Commit commit;
  commit.root = step.root;
  PFS_TRY_ASSIGN(commit.links, trees_.links_of(parent ? FinishedTree{parent->root, parent->links} : FinishedTree{}, step.root));
  commit.author = step.options.author;
  commit.description = step.options.description;
  commit.provenance = step.provenance;
  PFS_TRY_ASSIGN(commit, add_commit(branch, std::move(commit), new_commit_id()));
  effects_.trees.push_back({step.ref, commit, branch.open});
  return StepResult{commit.id, true};
}

Result<StepResult> RefSteps::apply_one(const DeleteBranch& step) {
  PFS_TRY(publish(step.ref));  // what other steps have had frozen of it
  PFS_TRY_ASSIGN(const auto branch, load_branch(edit_.reader(), step.ref));
  if (!step.force) PFS_TRY(refuse_with_dependants({step.ref}));
  PFS_TRY_ASSIGN(const auto head, head_of(branch));
  // by rm -r, whose user may not have meant it
  if (!step.even_with_content && head && head->root.totals.files > 0) {
    effects_.emptied.push_back({step.ref, head->id, head->root.totals.files, true});
  }
  erase_branch(step.ref);
  return StepResult{branch.head.value_or(CommitId{}), true};
}

Result<StepResult> RefSteps::apply_one(const RenameBranch& step) {
  PFS_TRY(publish(step.ref));
  if (step.to.repo != step.ref.repo) {
    return Error{Code::kNotPermitted, fmt::format("branch {}: cannot become one of repo {}", step.ref.str(), step.to.repo.str())};
  }
  PFS_TRY_ASSIGN(auto branch, load_branch(edit_.reader(), step.ref));
  PFS_TRY_ASSIGN(const auto there, edit_.get(branch_key(step.to)));
  if (there) return Error{Code::kExists, fmt::format("branch {}: exists", step.to.str())};
  branch.ref = step.to;
  PFS_TRY(copy_log(step.ref, branch));
  edit_.erase(branch_key(step.ref));
  edit_.event("branch", step.ref.str(), "deleted");
  edit_.event("branch", step.to.str(), "created");
  effects_.changed.insert(step.ref);
  put(branch);
  TreeChange change;
  change.ref = step.ref;
  change.renamed_to = step.to;
  effects_.trees.push_back(std::move(change));
  return StepResult{branch.head.value_or(CommitId{}), true};
}

// Behind what an earlier branch of the new name has left. The old name keeps its own, as when a branch is deleted, so that no
// number is given twice. Nobody adds to a log without its branch's record, which is expected to stay as it was read.
Result<void> RefSteps::copy_log(const BranchRef& from, Branch& branch) {
  PFS_TRY_ASSIGN(const std::uint64_t before, last_log_number(refs_, branch.ref));
  Result<void> outcome;
  PFS_TRY(refs_.scan(log_prefix(from), "", [&](std::string_view, const RefValue& row) {
    auto entry = decode_log_entry(row.value);
    if (!entry) {
      outcome = std::move(entry).error();
      return false;
    }
    entry->number += before;
    edit_.put(log_key(branch.ref, entry->number), encode(*entry));
    return true;
  }));
  branch.log_length += before;
  return outcome;
}

Result<void> RefSteps::publish_frozen() {
  for (const auto& [ref, frozen] : frozen_) PFS_TRY(publish(ref));
  return {};
}

Result<void> RefSteps::publish(const BranchRef& ref) {
  const auto found = frozen_.find(ref);
  if (found == frozen_.end() || !looked_at_.insert(ref).second) return {};
  const auto& [under, walked, leave_out] = found->second;
  if (!walked.keep && !under.keep_unchanged) return {};
  PFS_TRY_ASSIGN(auto branch, load_branch(edit_.reader(), ref));
  if (walked.root.totals.files == 0 && branch.head) {
    PFS_TRY_ASSIGN(const auto before, load_commit(edit_.reader(), *branch.head));
    if (before.root.totals.files > 0) effects_.emptied.push_back({ref, before.id, before.root.totals.files, false});
  }
  Commit commit;
  commit.root = walked.root;
  commit.links = walked.links;
  commit.author = under.author;
  commit.description = under.description;
  PFS_TRY(add_commit(branch, std::move(commit), under.next));
  effects_.published.insert(ref);
  return {};
}

// The open commit of the branch becomes a finished one, with the id that it had from the start.
Result<Commit> RefSteps::add_commit(Branch& branch, Commit commit, const CommitId& next_open) {
  commit.id = branch.open;
  commit.repo = branch.ref.repo;
  commit.branch = branch.ref.branch;
  commit.parent = branch.head;
  commit.finished = clock_.now();
  commit.started = branch.opened_by_hand ? branch.opened : commit.finished;
  PFS_TRY(link_to_parent(edit_.reader(), commit));
  PFS_TRY_ASSIGN(const auto there, edit_.get(commit_key(commit.id)));
  if (there) return Error{Code::kExists, fmt::format("commit {}: exists", commit.id.hex())};
  PFS_TRY(put_commit(commit));
  edit_.put(repo_commit_key(commit), "");
  branch.open = next_open;
  branch.opened_by_hand = false;
  branch.open_description.clear();
  branch.open_tree.reset();
  started_.erase(branch.ref);
  move_head(branch, commit, "commit");
  effects_.commits.push_back(commit);
  return commit;
}

// A commit is an object too, so that refs can be rebuilt from packs alone.
Result<void> RefSteps::put_commit(const Commit& commit) {
  std::string bytes = encode(commit);
  edit_.put(commit_key(commit.id), bytes);
  const Digest digest = sha256_tagged("pfs.commit.1", bytes);
  return writer_.add({ObjectKind::kCommit, digest}, std::move(bytes));
}

// Everything that moving one HEAD changes: the branch, its log, the event. And the commit's record is written again as it is, so
// that moving a HEAD to a commit and deleting the commit exclude each other; moves to different commits do not.
void RefSteps::move_head(Branch& branch, const Commit& head, const std::string& why, Moving moving) {
  HeadMove move{branch.ref, branch.head, head, branch.log_length + 1};
  branch.log_length = move.log_number;
  branch.head = head.id;
  edit_.put(log_key(branch.ref, move.log_number), encode(LogEntry{move.log_number, move.old_head, head.id, clock_.now(), why}));
  edit_.event("head", branch.ref.str(), head.id.hex());
  edit_.put(commit_key(head.id), encode(head));
  put(branch);
  if (moving == Moving::kTold) effects_.moves.push_back(std::move(move));
}

Result<std::optional<Commit>> RefSteps::head_of(const Branch& branch) {
  if (!branch.head) return std::optional<Commit>();
  PFS_TRY_ASSIGN(auto commit, load_commit(edit_.reader(), *branch.head));
  return std::optional(std::move(commit));
}

}  // namespace pfs::store
