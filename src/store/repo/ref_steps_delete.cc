#include <algorithm>
#include <map>
#include <tuple>

#include <fmt/format.h>

#include "store/repo/ref_steps.h"

// The steps that make commits go.

namespace pfs::store {

namespace {

/// Of a commit, what is needed to see what hangs on it.
struct Links {
  std::optional<CommitId> parent;
  std::vector<CommitId> causes;
};

Links links_of(const Commit& commit) {
  Links links{commit.parent, {}};
  for (const auto& cause : commit.provenance) links.causes.push_back(cause.commit);
  return links;
}

template <class Visit>
Result<void> each_branch(const RefEdit& edit, const std::string& prefix, Visit visit) {
  Result<void> outcome;
  PFS_TRY(edit.scan(prefix, [&](std::string_view, std::string_view row) {
    auto branch = decode_branch(row);
    if (branch) visit(*branch);
    else outcome = std::move(branch).error();
    return outcome.has_value();
  }));
  return outcome;
}

std::string branches_prefix(const RepoName& repo) { return fmt::format("{}{}/", kBranchPrefix, repo.str()); }

}  // namespace

Result<std::vector<BranchRef>> branches_in(const RefEdit& edit, const RepoName& repo) {
  std::vector<BranchRef> branches;
  PFS_TRY(each_branch(edit, branches_prefix(repo), [&](const Branch& branch) { branches.push_back(branch.ref); }));
  return branches;
}

Result<Commit> resolve_finished(RefEdit& edit, const CommitRef& ref) {
  auto commit = resolve_commit(edit.reader(), ref);
  if (commit || !ref.id || commit.error().code != Code::kNotFound) return commit;
  PFS_TRY(load_repo(edit.reader(), ref.repo));
  std::optional<BranchRef> open;
  PFS_TRY(each_branch(edit, branches_prefix(ref.repo), [&](const Branch& branch) {
    if (branch.open == *ref.id) open = branch.ref;
  }));
  if (!open) return commit;
  return Error{Code::kNotFound, fmt::format("commit {}@{}: is open; finish it first: pfs finish commit {}", ref.repo.str(), ref.id->hex(),
                                            open->str())};
}

// Whoever makes a branch from one of them meanwhile writes that one's record, which this transaction expects to stay.
Result<void> RefSteps::refuse_with_dependants(const std::set<BranchRef>& gone) const {
  Result<void> refusal;
  PFS_TRY(each_branch(edit_, std::string(kBranchPrefix), [&](const Branch& branch) {
    if (!refusal || gone.contains(branch.ref) || going_.contains(branch.ref)) return;
    for (const auto& upstream : branch.provenance) {
      if (!gone.contains(upstream)) continue;
      refusal = Error{Code::kBusy, fmt::format("branch {}: branch {} is made from it; delete that first, or force", upstream.str(), branch.ref.str())};
      return;
    }
  }));
  return refusal;
}

// One scan of all commits: a deletion is rare, and what was made from a commit is told by what was made alone.
Result<CommitDeletion> plan_deletion(RefEdit& edit, const CommitId& id) {
  // HEADs before commits: what a branch has made of its HEAD since is among the commits then
  std::map<BranchRef, CommitId> heads;
  PFS_TRY(each_branch(edit, std::string(kBranchPrefix), [&](const Branch& branch) {
    if (branch.head) heads.emplace(branch.ref, *branch.head);
  }));
  std::map<CommitId, Links> all;
  Result<void> outcome;
  PFS_TRY(edit.scan("commit/", [&](std::string_view, std::string_view row) {
    auto commit = decode_commit(row);
    if (commit) all[commit->id] = links_of(*commit);
    else outcome = std::move(commit).error();
    return outcome.has_value();
  }));
  PFS_TRY(std::move(outcome));

  std::map<CommitId, std::vector<CommitId>> children;
  std::map<CommitId, std::vector<CommitId>> made_from;
  for (const auto& [one, links] : all) {
    if (links.parent) children[*links.parent].push_back(one);
    for (const auto& cause : links.causes) made_from[cause].push_back(one);
  }

  CommitDeletion deletion;
  std::vector<CommitId> next{id};
  while (!next.empty()) {
    const CommitId one = next.back();
    next.pop_back();
    if (!deletion.doomed.insert(one).second) continue;
    const auto found = made_from.find(one);
    if (found != made_from.end()) next.insert(next.end(), found->second.begin(), found->second.end());
  }
  std::set<CommitId> below;
  next.assign(deletion.doomed.begin(), deletion.doomed.end());
  while (!next.empty()) {
    const CommitId one = next.back();
    next.pop_back();
    for (const auto& child : children[one]) {
      if (below.insert(child).second) next.push_back(child);
    }
  }
  for (const auto& one : below) {
    if (deletion.doomed.contains(one)) continue;
    auto commit = load_commit(edit.reader(), one);
    if (!commit && commit.error().code == Code::kNotFound) continue;  // deleted since
    if (!commit) return std::move(commit).error();
    deletion.descendants.push_back(std::move(*commit));
  }
  std::stable_sort(deletion.descendants.begin(), deletion.descendants.end(),
                   [](const Commit& a, const Commit& b) { return a.generation < b.generation; });
  for (const auto& [ref, head] : heads) {
    if (deletion.doomed.contains(head)) deletion.branches.insert(ref);
    else if (below.contains(head)) deletion.below.insert(ref);
  }
  return deletion;
}

void RefSteps::erase_branch(const BranchRef& ref) {
  edit_.erase(branch_key(ref));
  edit_.event("branch", ref.str(), "deleted");
  effects_.changed.insert(ref);
  TreeChange change;
  change.ref = ref;
  change.deleted = true;
  effects_.trees.push_back(std::move(change));
}

void RefSteps::erase_commit(const Commit& commit) {
  edit_.erase(commit_key(commit.id));
  edit_.erase(repo_commit_key(commit));
  edit_.event("commit", commit.id.hex(), "deleted");
  effects_.deleted_commits.push_back(commit.id);
  effects_.gone[commit.repo].push_back(commit.id);
}

// What points at these commits, or comes to, is in records that this transaction expects to stay: their own, which whoever moves a
// HEAD to one writes, and those of the branches that are at one, which a new commit there changes. A first look tells which they
// are; before they were read others may have come, so a second one must find the same.
Result<CommitDeletion> RefSteps::expected_deletion(const CommitId& id) {
  const auto everything = [](const CommitDeletion& deletion) {
    std::vector<CommitId> descendants;
    for (const auto& one : deletion.descendants) descendants.push_back(one.id);
    std::sort(descendants.begin(), descendants.end());
    return std::tuple(deletion.doomed, std::move(descendants), deletion.branches, deletion.below);
  };
  PFS_TRY_ASSIGN(const auto first, plan_deletion(edit_, id));
  for (const auto& one : first.doomed) PFS_TRY(edit_.get(commit_key(one)));
  for (const auto& one : first.descendants) PFS_TRY(edit_.get(commit_key(one.id)));
  for (const auto& ref : first.branches) PFS_TRY(edit_.get(branch_key(ref)));
  for (const auto& ref : first.below) PFS_TRY(edit_.get(branch_key(ref)));
  PFS_TRY_ASSIGN(auto second, plan_deletion(edit_, id));
  if (everything(first) != everything(second)) {
    return Error{Code::kConflict, fmt::format("commit {}: commits are being made from it; try again", id.hex())};
  }
  return second;
}

// Objects stay for the collection.
Result<StepResult> RefSteps::apply_one(const DeleteRepo& step) {
  PFS_TRY(load_repo(edit_.reader(), step.name));
  PFS_TRY_ASSIGN(const auto branches, branches_in(edit_, step.name));
  const std::set<BranchRef> claimed(step.branches.begin(), step.branches.end());
  for (const auto& ref : effects_.changed) {
    if (ref.repo == step.name && !claimed.contains(ref)) {
      return Error{Code::kBusy, fmt::format("repo {}: branch {} is made by the same transaction", step.name.str(), ref.str())};
    }
  }
  for (const auto& ref : branches) {
    if (!claimed.contains(ref)) return Error{Code::kConflict, fmt::format("repo {}: branches are being made in it; try again", step.name.str())};
  }
  for (const auto& ref : branches) PFS_TRY(edit_.get(branch_key(ref)));
  if (!step.force) PFS_TRY(refuse_with_dependants({branches.begin(), branches.end()}));
  for (const auto& ref : branches) erase_branch(ref);
  for (const auto& ref : step.branches) going_.erase(ref);
  Result<void> outcome;
  PFS_TRY(refs_.scan(repo_commit_prefix(step.name), "", [&](std::string_view key, const RefValue&) {
    auto id = commit_of_repo_commit_key(key);
    if (!id) {
      outcome = std::move(id).error();
      return false;
    }
    edit_.erase(std::string(key));
    edit_.erase(commit_key(*id));
    effects_.gone[step.name].push_back(*id);
    return true;
  }));
  PFS_TRY(std::move(outcome));
  for (const auto& commit : effects_.commits) {
    if (commit.repo == step.name) erase_commit(commit);
  }
  // the logs of branches that were deleted before, too: their commits are gone
  PFS_TRY(refs_.scan(fmt::format("blog/{}/", step.name.str()), "", [&](std::string_view key, const RefValue&) {
    edit_.erase(std::string(key));
    return true;
  }));
  edit_.erase(repo_key(step.name));
  edit_.event("repo", step.name.str(), "deleted");
  return StepResult{{}, true};
}

Result<StepResult> RefSteps::apply_one(const DeleteCommit& step) {
  for (const auto& ref : step.branches) PFS_TRY(publish(ref));
  PFS_TRY_ASSIGN(const auto target, load_commit(edit_.reader(), step.id));
  const auto name = fmt::format("commit {}@{}", step.repo.str(), step.id.hex());
  if (target.repo != step.repo) return Error{Code::kNotFound, fmt::format("{}: it is of repo {}", name, target.repo.str())};
  if (!target.provenance.empty()) {
    const auto& cause = target.provenance.front();
    return Error{Code::kReadOnly, fmt::format("{}: was made by a job; delete the commit that it was made from, {}@{}", name,
                                              cause.branch.repo.str(), cause.commit.hex())};
  }
  PFS_TRY_ASSIGN(const auto deletion, expected_deletion(step.id));
  const bool has_child =
      std::any_of(deletion.descendants.begin(), deletion.descendants.end(), [&](const Commit& one) { return one.parent == step.id; });
  if (step.only_inner && !has_child) {
    return Error{Code::kInvalid, fmt::format("{}: no commit came after it to keep its content; use delete commit", name)};
  }
  const std::set<BranchRef> claimed(step.branches.begin(), step.branches.end());
  for (const auto& ref : effects_.changed) {
    if (claimed.contains(ref)) continue;
    const auto branch = load_branch(edit_.reader(), ref);
    if (branch && branch->head && deletion.doomed.contains(*branch->head)) {
      return Error{Code::kBusy, fmt::format("{}: branch {} is moved to it by the same transaction; delete it after that", name, ref.str())};
    }
  }
  std::map<CommitId, std::optional<CommitId>> parent_of_doomed;
  for (const auto& id : deletion.doomed) {
    PFS_TRY_ASSIGN(const auto commit, load_commit(edit_.reader(), id));
    parent_of_doomed[id] = commit.parent;
    erase_commit(commit);
  }
  // whose parent is gone has that one's nearest ancestor that stays
  for (const auto& planned : deletion.descendants) {
    PFS_TRY_ASSIGN(const auto record, edit_.get(commit_key(planned.id)));
    if (!record) continue;  // deleted by a step before
    PFS_TRY_ASSIGN(auto commit, decode_commit(*record));
    auto parent = commit.parent;
    for (auto found = parent ? parent_of_doomed.find(*parent) : parent_of_doomed.end(); found != parent_of_doomed.end();
         found = parent ? parent_of_doomed.find(*parent) : parent_of_doomed.end()) {
      parent = found->second;
    }
    PFS_TRY(rewrite(std::move(commit), parent));
  }
  for (const auto& ref : deletion.branches) {
    if (!claimed.contains(ref)) {
      return Error{Code::kConflict, fmt::format("{}: branch {} has just been moved to it; try again", name, ref.str())};
    }
    PFS_TRY_ASSIGN(auto branch, load_branch(edit_.reader(), ref));
    if (!branch.head || !deletion.doomed.contains(*branch.head)) continue;  // it has moved on in this transaction
    auto head = branch.head;
    while (head && deletion.doomed.contains(*head)) head = parent_of_doomed[*head];
    std::optional<Commit> commit;
    if (head) {
      PFS_TRY_ASSIGN(commit, load_commit(edit_.reader(), *head));
      move_head(branch, *commit, "delete commit", Moving::kQuiet);
    } else {
      branch.head.reset();
      edit_.event("head", ref.str(), "");
      put(branch);
    }
    effects_.trees.push_back({ref, std::move(commit), branch.open});
  }
  return StepResult{step.id, true};
}

Result<StepResult> RefSteps::apply_one(const EraseRecord& step) {
  PFS_TRY_ASSIGN(const auto there, edit_.get(step.key));
  if (!there) return Error{Code::kNotFound, fmt::format("{}: no such record", printable(step.key))};
  edit_.erase(step.key);
  return StepResult{};
}

Result<StepResult> RefSteps::apply_one(const RequireBranch& step) {
  PFS_TRY_ASSIGN(const auto branch, load_branch(edit_.reader(), step.ref));
  return StepResult{branch.head.value_or(CommitId{}), false};
}

Result<StepResult> RefSteps::apply_one(const SetOutput& step) {
  PFS_TRY_ASSIGN(auto branch, load_branch(edit_.reader(), step.ref));
  if (branch.output_of == step.pipeline) return StepResult{branch.head.value_or(CommitId{}), false};
  if (!branch.output_of.empty() && !step.pipeline.empty()) {
    return Error{Code::kBusy, fmt::format("branch {}: written by pipeline {}", step.ref.str(), branch.output_of)};
  }
  if (!step.pipeline.empty()) PFS_TRY(refuse_by_hand(branch));
  branch.output_of = step.pipeline;
  put(branch);
  effects_.outputs[step.ref] = !step.pipeline.empty();
  return StepResult{branch.head.value_or(CommitId{}), true};
}

Result<StepResult> RefSteps::apply_one(const AddRecords& step) {
  effects_.records.push_back(step);
  return StepResult{};
}

Result<void> RefSteps::rewrite(Commit commit, const std::optional<CommitId>& parent) {
  commit.parent = parent;
  commit.generation = 1;
  commit.skip.reset();
  commit.skip_generation = 0;
  PFS_TRY(link_to_parent(edit_.reader(), commit));
  edit_.event("commit", commit.id.hex(), "changed");
  return put_commit(commit);
}

}  // namespace pfs::store
