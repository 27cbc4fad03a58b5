#include "store/repo/ref_catalog.h"

#include <algorithm>

#include <fmt/format.h>

namespace pfs::store {

namespace {

// A transaction that loses a race is tried again this often; races are rare and short.
constexpr int kAttempts = 20;

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

std::string RefCatalog::txn_id() const { return new_commit_id().hex(); }

Result<void> RefCatalog::create_repo(const RepoName& name, const std::string& description) {
  const Repo repo{name, description, parts_.clock->now()};
  RefTxn txn;
  txn.id = txn_id();
  txn.expect.push_back({repo_key(name), std::nullopt});
  txn.put.push_back({repo_key(name), encode(repo)});
  auto committed = parts_.refs->commit(std::move(txn));
  if (!committed && committed.error().code == Code::kConflict) {
    return Error{Code::kExists, fmt::format("repo {}: exists", name.str())};
  }
  if (!committed) return std::move(committed).error();
  return {};
}

Result<Repo> RefCatalog::repo(const RepoName& name) const {
  PFS_TRY_ASSIGN(auto repo, load_repo(*parts_.refs, name));
  return std::move(repo.record);
}

Result<std::vector<Repo>> RefCatalog::repos() const {
  PFS_TRY_ASSIGN(auto all, load_all<Repo>(*parts_.refs, std::string(kRepoPrefix), decode_repo));
  std::stable_sort(all.begin(), all.end(), [](const Repo& a, const Repo& b) { return a.created > b.created; });
  return all;
}

Result<std::uint64_t> RefCatalog::last_log_number(const BranchRef& ref) const {
  std::uint64_t last = 0;
  Result<void> outcome;
  PFS_TRY(parts_.refs->scan(log_prefix(ref), "", [&](std::string_view, const RefValue& row) {
    auto entry = decode_log_entry(row.value);
    if (entry) last = entry->number;
    else outcome = std::move(entry).error();
    return false;
  }));
  PFS_TRY(std::move(outcome));
  return last;
}

Result<Branch> RefCatalog::create_branch(const BranchRef& ref, std::optional<CommitId> head, bool create_repo) {
  Outcome outcome;
  Branch branch;
  {
    Lock lock(publish_);
    branch.ref = ref;
    branch.open = new_commit_id();
    branch.created = parts_.clock->now();
    // a branch of that name may have been deleted: its log goes on
    PFS_TRY_ASSIGN(branch.log_length, last_log_number(ref));
    RefTxn txn;
    txn.id = txn_id();
    auto repo = load_repo(*parts_.refs, ref.repo);
    if (!repo && (repo.error().code != Code::kNotFound || !create_repo)) return std::move(repo).error();
    // the repo's record is written again, so that its deletion and a branch made in it exclude each other
    txn.expect.push_back({repo_key(ref.repo), repo ? std::optional(repo->version) : std::nullopt});
    txn.put.push_back({repo_key(ref.repo), encode(repo ? repo->record : Repo{ref.repo, "", branch.created})});
    if (head) {
      PFS_TRY_ASSIGN(const auto commit, load_commit(*parts_.refs, *head));
      if (commit.repo != ref.repo) {
        return Error{Code::kNotPermitted, fmt::format("branch {}: HEAD cannot come from repo {}", ref.str(), commit.repo.str())};
      }
      outcome.moves.push_back(add_move(txn, branch, std::nullopt, commit, std::nullopt, "created"));
      PFS_TRY(run_hook(outcome.moves, txn));
    } else {
      txn.expect.push_back({branch_key(ref), std::nullopt});
      txn.put.push_back({branch_key(ref), encode(branch)});
    }
    txn.events.push_back({{}, "branch", ref.str(), "created"});
    auto committed = parts_.refs->commit(std::move(txn));
    if (!committed && committed.error().code == Code::kConflict) {
      return Error{Code::kExists, fmt::format("branch {}: exists", ref.str())};
    }
    if (!committed) return std::move(committed).error();
    outcome.changed.push_back(ref);
  }
  tell(outcome);
  return branch;
}

Result<Branch> RefCatalog::branch(const BranchRef& ref) const {
  PFS_TRY_ASSIGN(auto branch, load_branch(*parts_.refs, ref));
  add_finishing(branch.record);
  return std::move(branch.record);
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
  if (repo) PFS_TRY(load_repo(*parts_.refs, *repo));
  const std::string prefix = std::string(kBranchPrefix) + (repo ? repo->str() + "/" : "");
  PFS_TRY_ASSIGN(auto all, load_all<Branch>(*parts_.refs, prefix, decode_branch));
  std::stable_sort(all.begin(), all.end(), [](const Branch& a, const Branch& b) {
    return a.ref.repo != b.ref.repo ? a.ref.repo < b.ref.repo : a.created > b.created;
  });
  for (auto& branch : all) add_finishing(branch);
  return all;
}

Result<void> RefCatalog::delete_branch(const BranchRef& ref, bool even_with_content) {
  Outcome outcome;
  {
    Lock lock(publish_);
    PFS_TRY_ASSIGN(const auto branch, load_branch(*parts_.refs, ref));
    if (PublishHook* hook = hook_) PFS_TRY(hook->on_delete(ref));
    if (!even_with_content) {
      PFS_TRY_ASSIGN(const bool empty, parts_.trees->is_empty(ref));
      if (!empty) return Error{Code::kNotEmpty, fmt::format("branch {}: it is not empty; remove its files first", ref.str())};
    }
    RefTxn txn;
    txn.id = txn_id();
    txn.expect.push_back({branch_key(ref), branch.version});
    txn.erase.push_back(branch_key(ref));
    txn.events.push_back({{}, "branch", ref.str(), "deleted"});
    PFS_TRY(parts_.refs->commit(std::move(txn)));
    PFS_TRY_ASSIGN(auto replaced, parts_.trees->drop_branch(ref));
    if (replaced) outcome.replaced.push_back(std::move(*replaced));
    outcome.changed.push_back(ref);
  }
  tell(outcome);
  return {};
}

Result<void> RefCatalog::set_output_of(const BranchRef& ref, const std::string& pipeline) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    PFS_TRY_ASSIGN(auto branch, load_branch(*parts_.refs, ref));
    branch.record.output_of = pipeline;
    RefTxn txn;
    txn.id = txn_id();
    txn.expect.push_back({branch_key(ref), branch.version});
    txn.put.push_back({branch_key(ref), encode(branch.record)});
    auto committed = parts_.refs->commit(std::move(txn));
    if (committed) {
      parts_.trees->set_output(ref, !pipeline.empty());
      return {};
    }
    if (committed.error().code != Code::kConflict) return std::move(committed).error();
  }
  return Error{Code::kConflict, fmt::format("branch {}: it keeps changing; try again", ref.str())};
}

Result<Commit> RefCatalog::commit(const CommitId& id) const { return load_commit(*parts_.refs, id); }

Result<Commit> RefCatalog::resolve(const CommitRef& ref) const {
  CommitId id;
  std::string name;
  if (ref.id) {
    id = *ref.id;
    name = ref.repo.str() + "@" + id.hex();
  } else {
    const BranchRef branch_ref{ref.repo, *ref.branch};
    name = branch_ref.str();
    PFS_TRY_ASSIGN(const auto branch, load_branch(*parts_.refs, branch_ref));
    if (!branch.record.head) return Error{Code::kNotFound, fmt::format("branch {}: nothing has been committed yet", name)};
    id = *branch.record.head;
  }
  PFS_TRY_ASSIGN(auto commit, load_commit(*parts_.refs, id));
  if (commit.repo != ref.repo) return Error{Code::kNotFound, fmt::format("commit {}: it is of repo {}", name, commit.repo.str())};
  switch (ref.ancestry.direction) {
    case Ancestry::Direction::kNone: return commit;
    case Ancestry::Direction::kBack:
      if (ref.ancestry.steps >= commit.generation) {
        return Error{Code::kNotFound, fmt::format("commit {}^{}: its chain has {} commits", name, ref.ancestry.steps, commit.generation)};
      }
      return ancestor_at(*parts_.refs, commit, commit.generation - ref.ancestry.steps);
    case Ancestry::Direction::kFromRoot:
      if (ref.ancestry.steps > commit.generation) {
        return Error{Code::kNotFound, fmt::format("commit {}.{}: its chain has {} commits", name, ref.ancestry.steps, commit.generation)};
      }
      return ancestor_at(*parts_.refs, commit, ref.ancestry.steps);
  }
  return commit;
}

Result<std::vector<Commit>> RefCatalog::commits(const RepoName& repo, const std::optional<BranchName>& branch,
                                                std::size_t limit) const {
  std::vector<Commit> all;
  if (branch) {
    PFS_TRY_ASSIGN(const auto record, load_branch(*parts_.refs, BranchRef{repo, *branch}));
    for (auto id = record.record.head; id && all.size() < limit; id = all.back().parent) {
      PFS_TRY_ASSIGN(auto commit, load_commit(*parts_.refs, *id));
      all.push_back(std::move(commit));
    }
    return all;
  }
  PFS_TRY(load_repo(*parts_.refs, repo));
  std::vector<CommitId> ids;
  PFS_TRY(parts_.refs->scan(repo_commit_prefix(repo), "", [&](std::string_view key, const RefValue&) {
    if (auto id = commit_of_repo_commit_key(key)) ids.push_back(*id);
    return ids.size() < limit;
  }));
  for (const auto& id : ids) {
    PFS_TRY_ASSIGN(auto commit, load_commit(*parts_.refs, id));
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
  PFS_TRY(load_repo(*parts_.refs, ref.repo));
  if (auto exists = load_branch(*parts_.refs, ref); !exists) {
    if (exists.error().code != Code::kNotFound) return std::move(exists).error();
    PFS_TRY(create_branch(ref, std::nullopt, false));
  }
  Lock lock(publish_);  // not between the freezing of a commit and its publishing: its id would be taken
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    PFS_TRY_ASSIGN(auto branch, load_branch(*parts_.refs, ref));
    if (!branch.record.output_of.empty()) {
      return Error{Code::kReadOnly, fmt::format("branch {}: only pipeline {} writes it", ref.str(), branch.record.output_of)};
    }
    if (branch.record.opened_by_hand) {
      return Error{Code::kBusy, fmt::format("branch {}: commit {} is open; finish it first", ref.str(), branch.record.open.hex())};
    }
    branch.record.opened_by_hand = true;
    branch.record.opened = parts_.clock->now();
    branch.record.open_description = description;
    RefTxn txn;
    txn.id = txn_id();
    txn.expect.push_back({branch_key(ref), branch.version});
    txn.put.push_back({branch_key(ref), encode(branch.record)});
    auto committed = parts_.refs->commit(std::move(txn));
    if (committed) return branch.record.open;
    if (committed.error().code != Code::kConflict) return std::move(committed).error();
  }
  return Error{Code::kConflict, fmt::format("branch {}: it keeps changing; try again", ref.str())};
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
  open.being_written = activity.being_written;
  open.finishing = record.finishing;
  return open;
}

void RefCatalog::await_finishes() const { Lock lock(publish_); }

}  // namespace pfs::store
