#include "api/internal/live_branch.h"

#include <vector>

#include <fmt/format.h>

namespace pfs::api {
namespace {

constexpr std::size_t kPage = 1000;
constexpr std::uint32_t kDirectoryMode = 0755;

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
  PFS_TRY_ASSIGN(auto tree, store.trees().branch(ref));
  return LiveBranch(store, ref, caller, std::move(tree));
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

Result<CommitId> LiveBranch::commit() {
  PFS_TRY_ASSIGN(const auto branch, store_->catalog().branch(ref_));
  if (branch.opened_by_hand) return branch.open;
  store::FinishOptions options;
  options.author = caller_.name();
  options.keep_unchanged = true;
  PFS_TRY_ASSIGN(const auto finished, store_->catalog().finish(ref_, options));
  return finished.commit;
}

void LiveBranch::tell_mount(const store::NodePtr& directory, const std::string& name,
                            const std::vector<store::NodePtr>& losers) {
  if (auto* observer = store_->observer()) observer->name_changed(directory, name, losers);
}

}  // namespace pfs::api
