#include "api/internal/staged_change.h"

#include <fmt/format.h>

#include "api/internal/refs.h"

namespace pfs::api {
Result<StagedChange> StagedChange::begin(store::Store& store, const BranchRef& ref,
                                         const Caller& caller, const Options& options,
                                         Mutex& append_mutex) {
  PFS_TRY(LiveBranch::check(store, ref, options.if_missing));
  PFS_TRY_ASSIGN(auto staging, store.trees().scratch());
  return StagedChange(store, ref, caller, options, &append_mutex, std::move(staging));
}

Result<StagedChange> StagedChange::begin_in(store::Store& store, const BranchRef& ref,
                                            const Caller& caller, const Options& options,
                                            store::TreePtr view) {
  PFS_TRY_ASSIGN(auto staging, store.trees().scratch());
  StagedChange change(store, ref, caller, options, nullptr, std::move(staging));
  change.view_ = std::move(view);
  return change;
}

Result<store::NodePtr> StagedChange::staged_parent(const RepoPath& path) {
  PFS_TRY(LiveBranch::check_target(ref_, path));
  // files come directory by directory
  if (parent_ && parent_path_ == path.parent()) return parent_;
  PFS_TRY_ASSIGN(parent_, make_directories(store_->trees(), staged_root(), path.parent(), caller_));
  parent_path_ = path.parent();
  return parent_;
}

Result<store::NodePtr> StagedChange::make(const RepoPath& path, const store::MakeRequest& request) {
  PFS_TRY_ASSIGN(const auto directory, staged_parent(path));
  return store_->trees().make(directory, path.name(), request);
}

Result<store::NodePtr> StagedChange::copy(const store::NodePtr& source, const RepoPath& path) {
  PFS_TRY_ASSIGN(const auto directory, staged_parent(path));
  auto& trees = store_->trees();
  const auto there = trees.lookup(directory, path.name());
  if (there) return Error{Code::kExists, fmt::format("{}: exists", printable(path.str()))};
  return trees.copy_entry(source, directory, path.name());
}

Result<store::NodePtr> StagedChange::live(const RepoPath& path) {
  auto tree = view_;
  if (!tree) {
    PFS_TRY_ASSIGN(tree, store_->trees().branch(ref_));
  }
  return store_->trees().walk(store_->trees().root(tree), path);
}

Result<void> StagedChange::remove(const RepoPath& path) {
  PFS_TRY(LiveBranch::check_target(ref_, path));
  if (options_.append)
    return Error{Code::kInvalid, "put file: nothing is removed where files are made longer"};
  removed_.insert(path);
  return {};
}

Result<CommitId> StagedChange::finish() {
  PFS_TRY_ASSIGN(auto branch, LiveBranch::open(*store_, ref_, caller_, options_.if_missing));
  if (options_.append) {
    // two calls that append to one file must not both start from the same bytes; those that
    // replace do not wait
    Lock lock(*append_mutex_);
    PFS_TRY(join_appended(staged_root(), branch.root()));
    PFS_TRY(place(branch.root()));
  } else {
    PFS_TRY(place(branch.root()));
  }
  for (const auto& put : puts_) {
    branch.tell_mount(put.directory, put.name, losers_);
    losers_.clear();  // told with the first
  }
  for (std::size_t i = 0; i < touched_.size(); ++i)
    branch.tell_mount(touched_[i].first, touched_[i].second, {directories_[i].directory});
  return branch.commit();
}

Result<v1::StoredFiles> StagedChange::stored() {
  PFS_TRY_ASSIGN(const auto staged, store_->trees().snapshot(staged_root()));
  v1::StoredFiles files;
  files.set_repo(ref_.repo.str());
  files.set_branch(ref_.branch.str());
  auto& tree = *files.mutable_staged();
  tree.set_root(staged.root.bytes().data(), staged.root.bytes().size());
  tree.set_data_digest(staged.data_digest.bytes().data(), staged.data_digest.bytes().size());
  tree.set_files(staged.totals.files);
  tree.set_bytes(staged.totals.bytes);
  tree.set_links(staged.totals.links);
  for (const auto& path : removed_) files.add_removed(path.str());
  files.set_append(options_.append);
  files.set_set_directories(options_.set_directories);
  files.set_make_branch(options_.if_missing == LiveBranch::IfMissing::kCreate);
  files.set_uid(caller_.uid);
  files.set_gid(caller_.gid);
  return files;
}

Result<void> StagedChange::place_stored(store::Store& store, const v1::StoredFiles& files,
                                        const store::TreePtr& tree) {
  const auto& stored = files.staged();
  if (stored.root().size() != Digest::kSize || stored.data_digest().size() != Digest::kSize)
    return Error{Code::kCorrupt, "transaction: damaged record of files"};
  store::FinishedTree staged;
  staged.root.root = Digest::from_bytes(stored.root());
  staged.root.data_digest = Digest::from_bytes(stored.data_digest());
  staged.root.totals = {stored.files(), stored.bytes(), stored.links()};
  PFS_TRY_ASSIGN(const auto ref, branch_ref(files.repo(), files.branch()));
  PFS_TRY_ASSIGN(auto staging, store.trees().scratch_over(staged));
  Options options;
  options.append = files.append();
  options.set_directories = files.set_directories();
  Caller caller;
  caller.uid = files.uid();
  caller.gid = files.gid();
  StagedChange change(store, ref, caller, options, nullptr, std::move(staging));
  for (const auto& text : files.removed()) {
    PFS_TRY_ASSIGN(const auto path, RepoPath::parse(text));
    change.removed_.insert(path);
  }
  const auto root = store.trees().root(tree);
  if (options.append) PFS_TRY(change.join_appended(change.staged_root(), root));
  return change.place(root);
}

Result<void> StagedChange::place(const store::NodePtr& root) {
  PFS_TRY_ASSIGN(const auto staged, store_->trees().snapshot(staged_root()));
  PFS_TRY(meet(staged.root, root, RepoPath()));
  PFS_TRY(add_removals(root));
  PFS_TRY_ASSIGN(losers_, store_->trees().put_entries(puts_, directories_));
  return {};
}

Result<void> StagedChange::join_appended(const store::NodePtr& staged, const store::NodePtr& live) {
  auto& trees = store_->trees();
  return for_each_entry(trees, staged, [&](const store::ListedEntry& entry) -> Result<void> {
    auto there = trees.lookup(live, entry.name);
    if (!there && there.error().code == Code::kNotFound) return {};
    if (!there) return std::move(there).error();
    const auto kind = entry.stat.attributes.kind;
    if (kind != trees.kind(*there)) return {};  // replaced, or refused later
    PFS_TRY_ASSIGN(const auto from, trees.lookup(staged, entry.name));
    if (kind == store::Kind::kDirectory) return join_appended(from, *there);
    if (kind == store::Kind::kFile) return join_one(from, staged, entry.name, *there);
    return {};
  });
}

Result<void> StagedChange::join_one(const store::NodePtr& staged, const store::NodePtr& directory,
                                    const std::string& name, const store::NodePtr& live) {
  auto& trees = store_->trees();
  PFS_TRY_ASSIGN(const auto old, trees.stat(live));
  PFS_TRY_ASSIGN(const auto added, trees.stat(staged));
  PFS_TRY_ASSIGN(const auto scratch, trees.scratch());
  store::MakeRequest request;
  request.mode = old.attributes.mode;
  request.uid = old.attributes.uid;
  request.gid = old.attributes.gid;
  PFS_TRY_ASSIGN(const auto joined, trees.make(trees.root(scratch), name, request));
  PFS_TRY(trees.copy_range(live, 0, joined, 0, old.size));
  PFS_TRY(trees.copy_range(staged, 0, joined, old.size, added.size));
  PFS_TRY(trees.copy_entry(joined, directory, name));
  return {};
}

Result<void> StagedChange::meet(const Digest& staged, const store::NodePtr& live,
                                const RepoPath& path) {
  Result<void> outcome;
  PFS_TRY(store_->tree_reader().scan(staged, "", [&](const store::Entry& entry) {
    outcome = meet_entry(entry, live, path.joined(entry.name));
    return outcome.has_value();
  }));
  return outcome;
}

Result<void> StagedChange::meet_entry(const store::Entry& entry, const store::NodePtr& live,
                                      const RepoPath& path) {
  auto& trees = store_->trees();
  const bool replaces = removed_.contains(path);
  if (replaces) replaced_.insert(path);
  auto found = trees.lookup(live, entry.name);
  if (!found && found.error().code != Code::kNotFound) return std::move(found).error();
  if (!found || replaces) {
    puts_.push_back({live, entry.name, entry});
    return {};
  }
  const bool there_directory = trees.kind(*found) == store::Kind::kDirectory;
  if (entry.is_directory() && there_directory) {
    if (options_.set_directories) {
      directories_.push_back({*found, entry.attributes.mode, entry.attributes.mtime});
      touched_.emplace_back(live, entry.name);
    }
    return meet(entry.subtree.root, *found, path);
  }
  if (entry.is_directory() || there_directory) {
    return Error{there_directory ? Code::kIsDirectory : Code::kNotDirectory,
                 fmt::format("{}:{}: is {} directory; delete it first, or choose another path",
                             ref_.str(), printable(path.str()), there_directory ? "a" : "no")};
  }
  puts_.push_back({live, entry.name, entry});
  return {};
}

Result<void> StagedChange::add_removals(const store::NodePtr& live) {
  auto& trees = store_->trees();
  const auto goes_with_its_parent = [this](const RepoPath& path) {
    for (auto above = path.parent(); !above.is_root(); above = above.parent()) {
      if (removed_.contains(above)) return true;
    }
    return false;
  };
  for (const auto& path : removed_) {
    if (replaced_.contains(path) || goes_with_its_parent(path)) continue;
    auto directory = trees.walk(live, path.parent());
    if (!directory && (directory.error().code == Code::kNotFound ||
                       directory.error().code == Code::kNotDirectory))
      continue;
    if (!directory) return std::move(directory).error();
    const auto there = trees.lookup(*directory, path.name());
    if (there) puts_.push_back({*directory, path.name(), std::nullopt});
  }
  return {};
}

}  // namespace pfs::api
