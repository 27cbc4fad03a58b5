#include "api/internal/live_branch.h"

#include <array>
#include <vector>

#include <fmt/format.h>

#include "api/internal/refs.h"

namespace pfs::api {
namespace {

constexpr std::size_t kPage = 1000;
constexpr std::uint32_t kDirectoryMode = 0755;
// A commit that loses a race against another change of the branch's record is tried again this often.
constexpr int kAttempts = 8;

}  // namespace

Result<void> make_branch_if_missing(store::Store& store, const BranchRef& ref,
                                    const Caller& owner) {
  const auto there = store.catalog().branch(ref);
  if (there || there.error().code != Code::kNotFound) return {};
  PFS_TRY(store.catalog().repo(ref.repo));
  const auto made = store.catalog().create_branch(ref, std::nullopt, false, {},
                                                  store::DirectoryOwner{owner.uid, owner.gid});
  // somebody else was first: as good as ours
  if (!made && made.error().code != Code::kExists) return made.error();
  return {};
}

Result<store::NodePtr> make_directories(store::LiveTrees& trees, const store::NodePtr& root,
                                        const RepoPath& path, const Caller& owner) {
  store::NodePtr directory = root;
  for (const auto& part : path.parts()) {
    auto child = trees.lookup(directory, part);
    if (!child && child.error().code == Code::kNotFound) {
      store::MakeRequest request;
      request.kind = store::Kind::kDirectory;
      request.mode = kDirectoryMode;
      request.uid = owner.uid;
      request.gid = owner.gid;
      child = trees.make(directory, part, request);
      // made by somebody else since we looked
      if (!child && child.error().code == Code::kExists) child = trees.lookup(directory, part);
    }
    if (!child) return std::move(child).error();
    if (trees.kind(*child) != store::Kind::kDirectory) {
      return Error{Code::kNotDirectory,
                   fmt::format("{}: is no directory", printable(trees.path(*child)))};
    }
    directory = *child;
  }
  return directory;
}

Result<void> for_each_entry(store::LiveTrees& trees, const store::NodePtr& directory,
                            const std::function<Result<void>(const store::ListedEntry&)>& visit) {
  std::string after;
  while (true) {
    std::vector<store::ListedEntry> page;
    PFS_TRY(trees.list(directory, after, [&page](const store::ListedEntry& entry) {
      page.push_back(entry);
      return page.size() < kPage;
    }));
    for (const auto& entry : page) PFS_TRY(visit(entry));
    if (page.size() < kPage) return {};
    after = page.back().name;
  }
}

Result<void> LiveBranch::check(store::Store& store, const BranchRef& ref, IfMissing if_missing) {
  const auto branch = store.catalog().branch(ref);
  if (!branch && branch.error().code == Code::kNotFound && if_missing == IfMissing::kCreate) {
    PFS_TRY(store.catalog().repo(ref.repo));
    return {};
  }
  if (!branch) return branch.error();
  if (!branch->output_of.empty()) {
    return Error{
        Code::kReadOnly,
        fmt::format(
            "branch {}: is written by pipeline {} alone; write to its input, or to another branch",
            ref.str(), branch->output_of)};
  }
  return {};
}

Result<LiveBranch> LiveBranch::open(store::Store& store, const BranchRef& ref, const Caller& caller,
                                    IfMissing if_missing) {
  PFS_TRY(check(store, ref, if_missing));
  if (if_missing == IfMissing::kCreate) PFS_TRY(make_branch_if_missing(store, ref, caller));
  PFS_TRY_ASSIGN(const auto branch, store.catalog().branch(ref));
  PFS_TRY_ASSIGN(auto tree, store.trees().branch(ref));
  return LiveBranch(store, ref, caller, branch.open, std::move(tree));
}

Result<void> LiveBranch::check_target(const BranchRef& ref, const RepoPath& path) {
  if (path.is_root()) {
    return Error{Code::kNotPermitted,
                 fmt::format("{}:/: is the branch's root; name a path in it", ref.str())};
  }
  const auto& top = path.parts().front();
  if (top == ".pfs" || top.starts_with(ref.repo.str() + "@")) {
    return Error{Code::kNotPermitted,
                 fmt::format("{}:/{}: names a part of the file system itself; choose another name",
                             ref.str(), printable(top))};
  }
  return {};
}

// Between the changes and this, and between any two looks in here, others may commit the branch, or
// start a commit by hand, which is theirs to finish.
Result<CommitId> LiveBranch::commit() {
  auto& catalog = store_->catalog();
  PFS_TRY_ASSIGN(const auto changed, catalog.branch(ref_));
  if (changed.opened_by_hand) return changed.open;
  const bool all_in_found = changed.open == found_ && !changed.finishing;
  // as for any commit that is asked for; an automatic one does not ask for it
  if (auto* observer = store_->observer()) (void)observer->write_back(ref_);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    store::FinishOptions options;
    options.author = caller_.name();
    options.automatic = true;
    PFS_TRY_ASSIGN(const auto finished, catalog.finish(ref_, options));
    if (finished.made) return finished.commit;
    // the record before what is decided by it
    PFS_TRY_ASSIGN(const auto row, store_->refs().get(branch_record(ref_)));
    PFS_TRY_ASSIGN(const auto next, catalog.open_commit(ref_));
    const bool committed_since = next.id != found_;
    // as good as ours; what has come since is others'
    if (all_in_found && committed_since && next.finishing != found_) return committed(true, next.by_hand);
    if (next.by_hand && (next.changed || !committed_since)) return next.id;
    if (next.finishing) {
      catalog.await_finish(ref_);
      continue;
    }
    const bool waits = next.policy.when == store::CommitWhen::kManual && next.changed;
    if (committed_since && (next.by_hand || !waits)) return committed(all_in_found, next.by_hand);
    if (!row) continue;  // deleted meanwhile, which the next attempt is told
    PFS_TRY_ASSIGN(const auto made, commit_at(row->version, !committed_since));
    if (made) return *made;
  }
  return Error{Code::kConflict,
               fmt::format("branch {}: it keeps changing; what was put is there, and becomes a "
                           "commit with what others change",
                           ref_.str())};
}

Result<CommitId> LiveBranch::committed(bool all_in_found, bool by_hand) const {
  auto& catalog = store_->catalog();
  if (all_in_found && catalog.commit(found_)) return found_;
  PFS_TRY_ASSIGN(const auto branch, catalog.branch(ref_));
  // a transaction that starts a commit by hand gives it the id that it has promised
  if (branch.head && (!all_in_found || by_hand)) return *branch.head;
  return Error{Code::kConflict,
               fmt::format("branch {}: its changes were dropped while something was put; put it again",
                           ref_.str())};
}

Result<std::optional<CommitId>> LiveBranch::commit_at(store::Seq version, bool keep_unchanged) {
  store::FinishOptions options;
  options.author = caller_.name();
  options.keep_unchanged = keep_unchanged;
  bool changed = false;
  const auto as_it_was = [&](store::RefTxn& txn) -> Result<void> {
    auto key = branch_record(ref_);
    PFS_TRY_ASSIGN(const auto row, store_->refs().get(key));
    changed = !row || row->version != version;
    if (changed)
      return Error{Code::kConflict, fmt::format("branch {}: it was changed meanwhile", ref_.str())};
    txn.expect.push_back({std::move(key), version});
    return {};
  };
  const std::array<store::RefStep, 2> steps{store::FinishCommit{ref_, options},
                                            store::AddRecords{as_it_was}};
  const auto results = store_->catalog().transact(steps);
  if (!results && changed) return std::optional<CommitId>();
  if (!results) return results.error();
  if (!results->front().changed) return std::optional<CommitId>();  // others were first
  return std::optional(results->front().commit);
}

void LiveBranch::tell_mount(const store::NodePtr& directory, const std::string& name,
                            const std::vector<store::NodePtr>& losers) {
  if (auto* observer = store_->observer()) observer->name_changed(directory, name, losers);
}

}  // namespace pfs::api
