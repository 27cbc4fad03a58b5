#include "store/repo/ref_catalog.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace pfs::store {

namespace {

template <class Record, class Decode>
Result<std::vector<Record>> load_all(const RefDb& refs, const std::string& prefix, Decode decode) {
  std::vector<Record> all;
  Result<void> outcome;
  PFS_TRY(refs.scan(prefix, "", [&](std::string_view, const RefValue& row) {
    auto record = decode(row.value);
    if (!record) {
      outcome = std::move(record).error();
      return false;
    }
    all.push_back(std::move(*record));
    return true;
  }));
  PFS_TRY(std::move(outcome));
  return all;
}

}  // namespace

Result<void> RefCatalog::create_repo(const RepoName& name, const std::string& description) {
  const std::array<RefStep, 1> step{CreateRepo{name, description}};
  PFS_TRY(transact(step));
  return {};
}

Result<Repo> RefCatalog::repo(const RepoName& name) const {
  return load_repo(read_from(*parts_.refs), name);
}

Result<std::vector<Repo>> RefCatalog::repos() const {
  PFS_TRY_ASSIGN(auto all, load_all<Repo>(*parts_.refs, std::string(kRepoPrefix), decode_repo));
  std::stable_sort(all.begin(), all.end(), [](const Repo& a, const Repo& b) { return a.created > b.created; });
  return all;
}

Result<Branch> RefCatalog::create_branch(const BranchRef& ref, std::optional<CommitId> head, bool create_repo,
                                         const PolicySettings& policy, const std::optional<DirectoryOwner>& owner) {
  std::optional<CommitRef> at;
  if (head) {
    at.emplace();
    // the step refuses a commit of another repo; a reference names the repo that the commit is of
    PFS_TRY_ASSIGN(const auto commit, load_commit(read_from(*parts_.refs), *head));
    at->repo = commit.repo;
    at->id = *head;
  }
  const std::array<RefStep, 1> step{CreateBranch{ref, at, create_repo, policy, false, owner}};
  PFS_TRY(transact(step));
  return branch(ref);
}

Result<Branch> RefCatalog::branch(const BranchRef& ref) const {
  PFS_TRY_ASSIGN(auto branch, load_branch(read_from(*parts_.refs), ref));
  add_finishing(branch);
  return branch;
}

// What is written from the freeze on belongs to the next commit, although the record names it only when this one is published.
void RefCatalog::add_finishing(Branch& branch) const {
  const auto frozen = parts_.trees->frozen(branch.ref);
  if (!frozen || frozen->commit != branch.open) return;
  branch.finishing = frozen->commit;
  branch.open = frozen->next;
  branch.opened_by_hand = false;
  branch.open_description.clear();
}

Result<std::vector<Branch>> RefCatalog::branches(const std::optional<RepoName>& repo) const {
  if (repo) PFS_TRY(load_repo(read_from(*parts_.refs), *repo));
  const std::string prefix = std::string(kBranchPrefix) + (repo ? repo->str() + "/" : "");
  PFS_TRY_ASSIGN(auto all, load_all<Branch>(*parts_.refs, prefix, decode_branch));
  std::stable_sort(all.begin(), all.end(), [](const Branch& a, const Branch& b) {
    return a.ref.repo != b.ref.repo ? a.ref.repo < b.ref.repo : a.created > b.created;
  });
  for (auto& branch : all) add_finishing(branch);
  return all;
}

Result<void> RefCatalog::delete_branch(const BranchRef& ref, bool even_with_content) {
  const std::array<RefStep, 1> step{DeleteBranch{ref, even_with_content}};
  PFS_TRY(transact(step));
  return {};
}

Result<void> RefCatalog::rename_branch(const BranchRef& ref, const BranchRef& to) {
  const std::array<RefStep, 1> step{RenameBranch{ref, to}};
  PFS_TRY(transact(step));
  return {};
}

// Changes a branch's record alone, whatever is being done to the branch meanwhile.
Result<Branch> RefCatalog::edit_branch(const BranchRef& ref, const std::function<Result<void>(Branch&)>& change) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    RefEdit edit(*parts_.refs);
    PFS_TRY_ASSIGN(auto branch, load_branch(edit.reader(), ref));
    PFS_TRY(change(branch));
    edit.put(branch_key(ref), encode(branch));
    auto committed = parts_.refs->commit(std::move(edit).take(new_commit_id().hex()));
    if (committed) return branch;
    if (committed.error().code != Code::kConflict) return std::move(committed).error();
  }
  return Error{Code::kConflict, fmt::format("branch {}: it keeps changing; try again", ref.str())};
}

Result<void> RefCatalog::set_output_of(const BranchRef& ref, const std::string& pipeline) {
  PFS_TRY(edit_branch(ref, [&](Branch& branch) -> Result<void> {
    branch.output_of = pipeline;
    return {};
  }));
  parts_.trees->set_output(ref, !pipeline.empty());
  return {};
}

Result<Branch> RefCatalog::set_policy(const BranchRef& ref, const std::function<void(PolicySettings&)>& edit) {
  PFS_TRY_ASSIGN(auto branch, edit_branch(ref, [&](Branch& record) {
    edit(record.policy);
    return refuse_output(record, "commits");
  }));
  parts_.trees->set_commits_at_close(ref, branch.policy.over(parts_.policy).when == CommitWhen::kClose);
  add_finishing(branch);
  return branch;
}

bool RefCatalog::ends_on_request(const Branch& branch) const {
  return branch.opened_by_hand || branch.policy.over(parts_.policy).when == CommitWhen::kManual;
}

Result<void> RefCatalog::refuse_on_request(const Branch& branch) const {
  PFS_TRY(refuse_by_hand(branch));
  if (!ends_on_request(branch) || !parts_.trees->changed(branch.ref)) return {};
  return Error{Code::kBusy, fmt::format("branch {}: it has changes and is committed on request only; finish its commit first",
                                        branch.ref.str())};
}

Result<Commit> RefCatalog::commit(const CommitId& id) const { return load_commit(read_from(*parts_.refs), id); }

Result<Commit> RefCatalog::resolve(const CommitRef& ref) const {
  RefEdit nothing(*parts_.refs);
  return resolve_finished(nothing, ref);
}

Result<std::vector<Commit>> RefCatalog::commits(const RepoName& repo, const std::optional<BranchName>& branch,
                                                std::size_t limit) const {
  std::vector<Commit> all;
  if (branch) {
    PFS_TRY_ASSIGN(const auto record, load_branch(read_from(*parts_.refs), BranchRef{repo, *branch}));
    for (auto id = record.head; id && all.size() < limit; id = all.back().parent) {
      PFS_TRY_ASSIGN(auto commit, load_commit(read_from(*parts_.refs), *id));
      all.push_back(std::move(commit));
    }
    return all;
  }
  PFS_TRY(load_repo(read_from(*parts_.refs), repo));
  std::vector<CommitId> ids;
  PFS_TRY(parts_.refs->scan(repo_commit_prefix(repo), "", [&](std::string_view key, const RefValue&) {
    if (ids.size() == limit) return false;
    if (auto id = commit_of_repo_commit_key(key)) ids.push_back(*id);
    return true;
  }));
  for (const auto& id : ids) {
    PFS_TRY_ASSIGN(auto commit, load_commit(read_from(*parts_.refs), id));
    all.push_back(std::move(commit));
  }
  return all;
}

Result<std::vector<LogEntry>> RefCatalog::log(const BranchRef& ref, std::size_t limit) const {
  std::vector<LogEntry> entries;
  Result<void> outcome;
  PFS_TRY(parts_.refs->scan(log_prefix(ref), "", [&](std::string_view, const RefValue& row) {
    auto entry = decode_log_entry(row.value);
    if (!entry) {
      outcome = std::move(entry).error();
      return false;
    }
    entries.push_back(std::move(*entry));
    return entries.size() < limit;
  }));
  PFS_TRY(std::move(outcome));
  return entries;
}

Result<CommitId> RefCatalog::start_commit(const BranchRef& ref, const std::string& description) {
  const std::array<RefStep, 1> step{StartCommit{ref, description}};
  PFS_TRY_ASSIGN(const auto results, transact(step));
  return results.front().commit;
}

Result<FinishResult> RefCatalog::finish(const BranchRef& ref, const FinishOptions& options) {
  const std::array<RefStep, 1> step{FinishCommit{ref, options}};
  PFS_TRY_ASSIGN(const auto results, transact(step));
  return FinishResult{results.front().commit, results.front().changed};
}

Result<bool> RefCatalog::retarget(const BranchRef& ref, const CommitRef& target) {
  const std::array<RefStep, 1> step{MoveHead{ref, target, {}}};
  PFS_TRY_ASSIGN(const auto results, transact(step));
  return results.front().changed;
}

Result<void> RefCatalog::discard(const BranchRef& ref) {
  const std::array<RefStep, 1> step{DiscardCommit{ref}};
  PFS_TRY(transact(step));
  return {};
}

Result<Commit> RefCatalog::publish_tree(const BranchRef& ref, const std::string& pipeline, const Subtree& root,
                                        std::vector<Commit::Cause> provenance, const FinishOptions& options,
                                        const std::function<Result<void>(const Commit&, RefTxn&)>& extend) {
  const std::array<RefStep, 1> step{PublishTree{ref, pipeline, root, std::move(provenance), options}};
  PFS_TRY_ASSIGN(const auto results, run(step, extend));
  return commit(results.front().commit);
}

Result<OpenCommit> RefCatalog::open_commit(const BranchRef& ref) const {
  PFS_TRY_ASSIGN(const auto record, branch(ref));
  const auto activity = parts_.trees->activity(ref, parts_.idle_after);
  OpenCommit open;
  open.id = record.open;
  open.by_hand = record.opened_by_hand;
  open.description = record.open_description;
  open.changed = activity.changed;
  open.last_change = activity.last_change_at;
  open.since = record.opened_by_hand ? record.opened : activity.changed_since;
  open.being_written = activity.being_written;
  open.finishing = record.finishing;
  open.policy = record.policy.over(parts_.policy);
  return open;
}

void RefCatalog::await_finish(const BranchRef& ref) const { claims_.await(ref); }

}  // namespace pfs::store
