#include "api/internal/refs.h"

#include <fmt/format.h>

namespace pfs::api {

Result<BranchRef> branch_ref(const std::string& repo, const std::string& branch) {
  BranchRef ref;
  PFS_TRY_ASSIGN(ref.repo, RepoName::parse(repo));
  PFS_TRY_ASSIGN(ref.branch, BranchName::parse(branch));
  return ref;
}

Result<CommitRef> commit_ref(const std::string& repo, const std::string& ref) {
  PFS_TRY_ASSIGN(const auto name, RepoName::parse(repo));
  return CommitRef::parse_in(name, ref);
}

Result<FileRef> file_ref(const v1::FileRef& ref) {
  FileRef file;
  PFS_TRY_ASSIGN(file.commit, commit_ref(ref.repo(), ref.ref()));
  PFS_TRY_ASSIGN(file.path, RepoPath::parse(ref.path()));
  return file;
}

std::string branch_record(const BranchRef& ref) {
  return fmt::format("branch/{}/{}", ref.repo.str(), ref.branch.str());
}

Result<std::optional<BranchRef>> branch_with_open(store::Catalog& catalog, const RepoName& repo,
                                                  const CommitId& open) {
  PFS_TRY_ASSIGN(const auto branches, catalog.branches(repo));
  for (const auto& branch : branches) {
    if (branch.finishing == open) {
      catalog.await_finish(branch.ref);
      return std::optional<BranchRef>();
    }
    if (branch.open == open) return std::optional(branch.ref);
  }
  return std::optional<BranchRef>();
}

Error never_changes(const CommitRef& ref) {
  return {Code::kReadOnly, fmt::format("{}: a commit never changes; name a branch", ref.str())};
}

Result<BranchRef> live_branch(store::Catalog& catalog, const CommitRef& ref) {
  if (ref.ancestry.direction != Ancestry::Direction::kNone) return never_changes(ref);
  if (ref.branch) return BranchRef{ref.repo, *ref.branch};
  PFS_TRY_ASSIGN(const auto open, branch_with_open(catalog, ref.repo, *ref.id));
  if (open) return *open;
  PFS_TRY(catalog.resolve(ref));
  return never_changes(ref);
}

Result<void> check_in_history(const store::Catalog& catalog, const BranchRef& branch,
                              const store::Commit& commit) {
  PFS_TRY_ASSIGN(const auto record, catalog.branch(branch));
  if (record.head) {
    PFS_TRY_ASSIGN(const auto head, catalog.commit(*record.head));
    if (head.generation >= commit.generation) {
      CommitRef ref;
      ref.repo = branch.repo;
      ref.id = head.id;
      ref.ancestry = {Ancestry::Direction::kBack, head.generation - commit.generation};
      PFS_TRY_ASSIGN(const auto ancestor, catalog.resolve(ref));
      if (ancestor.id == commit.id) return {};
    }
  }
  return Error{Code::kInvalid,
               fmt::format("commit {}@{}: is not in the history of branch {}; name one that 'pfs list "
                           "commit {}' shows",
                           commit.repo.str(), commit.id.hex(), branch.str(), branch.str())};
}

Result<store::TreePtr> tree_of(store::Store& store, const CommitRef& ref) {
  auto& catalog = store.catalog();
  if (ref.ancestry.direction == Ancestry::Direction::kNone) {
    if (ref.branch) return store.trees().branch(BranchRef{ref.repo, *ref.branch});
    PFS_TRY_ASSIGN(const auto live, branch_with_open(catalog, ref.repo, *ref.id));
    if (live) return store.trees().branch(*live);
  }
  PFS_TRY_ASSIGN(const auto commit, catalog.resolve(ref));
  return store.trees().commit(commit);
}

}  // namespace pfs::api
