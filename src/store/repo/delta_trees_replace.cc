#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/codec.h"
#include "base/fault.h"
#include "store/repo/delta_trees.h"

// A branch points elsewhere, or is gone: what was known below its root is orphaned, what was not committed is dropped. Or it
// has another name, and everything stays.

namespace pfs::store {

namespace {

constexpr std::size_t kMaxOrphansTold = 4000;
constexpr std::size_t kMaxOrphansLookedAt = 2 * kMaxOrphansTold;
constexpr std::size_t kMaxLookedAtBelow = 2000;  // below the top: for walks that do not begin there
constexpr std::size_t kNamesDroppedAtOnce = 1000;

}  // namespace

Result<DeltaTrees::Replaced> DeltaTrees::detach_root(const NodePtr& root) {
  Replaced replaced;
  replaced.root = root;
  for (const auto& [name, weak] : root->children) {
    const auto child = weak.lock();
    replaced.names.push_back(name);
    if (!child) continue;
    note_detached(*child);
    if (child->is_directory()) {
      child->link = NodeState::kOrphaned;
    } else {
      Lock lock(child->mutex);
      child->link = NodeState::kOrphaned;
    }
  }
  replaced.orphans = loaded_below(root);
  root->info->open_links.clear();
  root->info->linked_nodes.clear();
  root->children.clear();
  if (root->directory) {
    LocalBatch batch;
    std::vector<Leftover> leftovers;
    PFS_TRY(drop_rows_below(root->directory, batch, leftovers));
    PFS_TRY(parts_.local->write(batch));
    Lock leaf(leaf_);
    leftovers_.insert(leftovers_.end(), std::make_move_iterator(leftovers.begin()), std::make_move_iterator(leftovers.end()));
  }
  return replaced;
}

// Those that a walk from the root asks for first: what is at the top, and directories, each of which the kernel asks for its
// mode before it goes on to what is in it. So a file below one of them need not be told of. Not more than a retarget has
// the time for, however many the kernel knows. Source: fuse_permission() in fs/fuse/dir.c.
std::vector<NodePtr> DeltaTrees::loaded_below(const NodePtr& root) const {
  std::vector<NodePtr> found;
  std::size_t looked_at = 0;
  std::size_t bound = kMaxOrphansLookedAt;
  const auto look_into = [&](const LiveNode& directory) {
    for (const auto& [name, weak] : directory.children) {
      if (found.size() == kMaxOrphansTold || ++looked_at > bound) return;
      auto child = weak.lock();
      if (child && (&directory == root.get() || child->is_directory())) found.push_back(std::move(child));
    }
  };
  look_into(*root);
  bound = std::min(bound, looked_at + kMaxLookedAtBelow);
  for (std::size_t next = 0; next < found.size(); ++next) {
    if (found[next]->is_directory()) look_into(*found[next]);
  }
  return found;
}

// What was not committed is given up. Files that somebody still holds keep their rows until the last one lets go. Only a name's
// newest row is followed: what an older one leads to may have been moved to another branch.
Result<void> DeltaTrees::drop_rows_below(DirId directory, LocalBatch& batch, std::vector<Leftover>& leftovers) {
  std::set<DirId> directories;
  std::set<FileId> files;
  std::optional<std::string> last_name;
  Result<void> outcome;
  PFS_TRY(parts_.local->scan(Family::kDelta, delta_directory_begin(directory), delta_directory_end(directory),
                             [&](std::string_view key, std::string_view value) {
                               batch.erase(Family::kDelta, std::string(key));
                               auto parsed = parse_delta_key(key);
                               auto row = parsed ? DeltaRow::decode(value, "") : Result<DeltaRow>(parsed.error());
                               if (!row) {
                                 outcome = std::move(row).error();
                                 return false;
                               }
                               if (last_name == parsed->name) return true;
                               last_name = std::move(parsed->name);
                               if (const auto* below = std::get_if<DirId>(&row->what)) directories.insert(*below);
                               if (const auto* file = std::get_if<FileId>(&row->what)) files.insert(*file);
                               return true;
                             }));
  PFS_TRY(std::move(outcome));
  for (const auto file : files) PFS_TRY(drop_with_directory(file, leftovers));
  for (const auto below : directories) {
    PFS_TRY(drop_rows_below(below, batch, leftovers));
    PFS_TRY(erase_rows(batch, Family::kInode, directory_begin(below), directory_end(below)));
    directories_.erase(below);
  }
  return {};
}

Result<void> DeltaTrees::drop_with_directory(FileId file, std::vector<Leftover>& leftovers) {
  cut_ahead_->forget(file);
  if (const NodePtr loaded = files_.find(file)) {
    unnamed_.emplace(file, false);
    note_detached(*loaded);
    Lock lock(loaded->mutex);
    if (loaded->link == NodeState::kLinked) loaded->link = NodeState::kOrphaned;
    loaded->stale_row = false;
    Lock leaf(leaf_);
    stale_.erase(loaded);
    return {};
  }
  PFS_TRY_ASSIGN(const auto newest, newest_numbered(file_begin(file), file_end(file), kNewest, nullptr));
  if (!newest) return {};
  PFS_TRY_ASSIGN(auto state, FileState::decode(newest->second));
  if (unnamed_.emplace(file, false).second) leftovers.push_back({file, std::move(state)});  // else met by another of its names
  return {};
}

// What is in a directory goes with it, and so do its rows. A commit that was frozen before may still find its way by them; one
// that is frozen later has the directory no more.
void DeltaTrees::depart(LiveNode& directory) {
  if (!directory.has_rows) return;
  departed_[Epoch(epoch_)].push_back({directory.directory, delta_directory_begin(directory.directory)});
  any_postponed_ = true;
  directories_.erase(directory.directory);  // no commit is to become the base of what somebody still has open
  directory.has_rows = false;
  directory.base = empty_subtree();
}

bool DeltaTrees::can_drop_departed() const {
  if (departed_.empty()) return false;
  Epoch first = kNewest;
  for (const auto& [ref, root] : branches_) {
    if (root->info->frozen) first = std::min(first, root->info->frozen->epoch);
  }
  for (const auto& [ref, row] : branch_rows_) {
    if (row.frozen) first = std::min(first, row.frozen->epoch);
  }
  return departed_.begin()->first <= first;
}

// Only a name's newest row is followed, as in drop_rows_below().
Result<void> DeltaTrees::drop_departed(LocalBatch& batch, std::vector<Leftover>& leftovers) {
  const auto first = departed_.begin();
  const Epoch since = first->first;
  const Departed going = std::move(first->second.back());
  first->second.pop_back();
  if (first->second.empty()) departed_.erase(first);
  std::vector<FileId> files;
  std::vector<DirId> directories;
  std::optional<std::string> last_name;
  std::optional<std::string> rest;
  std::size_t names = 0;
  Result<void> outcome;
  PFS_TRY(parts_.local->scan(Family::kDelta, going.from, delta_directory_end(going.directory),
                             [&](std::string_view key, std::string_view value) {
                               auto parsed = parse_delta_key(key);
                               auto row = parsed ? DeltaRow::decode(value, "") : Result<DeltaRow>(parsed.error());
                               if (!row) {
                                 outcome = std::move(row).error();
                                 return false;
                               }
                               const bool newest = last_name != parsed->name;
                               if (newest && ++names > kNamesDroppedAtOnce) {
                                 rest = key;
                                 return false;
                               }
                               batch.erase(Family::kDelta, std::string(key));
                               if (!newest) return true;
                               last_name = std::move(parsed->name);
                               if (const auto* below = std::get_if<DirId>(&row->what)) directories.push_back(*below);
                               if (const auto* file = std::get_if<FileId>(&row->what)) files.push_back(*file);
                               return true;
                             }));
  PFS_TRY(std::move(outcome));
  if (rest) {
    departed_[since].push_back({going.directory, *std::move(rest)});
  } else {
    directories_.erase(going.directory);
    PFS_TRY(erase_rows(batch, Family::kInode, directory_begin(going.directory), directory_end(going.directory)));
  }
  for (const auto below : directories) departed_[since].push_back({below, delta_directory_begin(below)});
  for (const auto file : files) PFS_TRY(drop_with_directory(file, leftovers));
  return {};
}

Result<DeltaTrees::Hold> DeltaTrees::hold(const std::set<BranchRef>& refs) {
  Lock lock(mutex_);
  std::vector<NodePtr> roots;
  for (const auto& ref : refs) {
    auto root = branch_root_locked(ref);
    if (!root && root.error().code == Code::kNotFound) continue;  // it is about to be made
    if (!root) return std::move(root).error();
    roots.push_back(*std::move(root));
  }
  for (const auto& root : roots) root->info->held = true;
  return Hold(this, [this, roots = std::move(roots)](const void*) { let_go(roots); });
}

void DeltaTrees::let_go(const std::vector<NodePtr>& held) {
  {
    Lock lock(mutex_);
    for (const auto& root : held) root->info->held = false;
  }
  released_.notify_all();
}

void DeltaTrees::wait_while_held(LiveNode& node) {
  while (root_of(node).info->held) released_.wait(mutex_);
}

Result<bool> DeltaTrees::begins_with(const BranchRef& ref, const std::optional<Commit>& head, const std::optional<FinishedTree>& begins) {
  Lock lock(mutex_);
  PFS_TRY_ASSIGN(const auto root, branch_root_locked(ref));
  return root->info->head == (head ? std::optional(head->id) : std::nullopt) &&
         root->base == (begins ? begins->root : head ? head->root : empty_subtree());
}

Result<std::optional<DeltaTrees::Replaced>> DeltaTrees::replace_root(const BranchRef& ref, const std::optional<Commit>& head,
                                                                     const CommitId& open, const std::optional<FinishedTree>& begins) {
  Lock lock(mutex_);
  if (!branches_.contains(ref) && !branch_rows_.contains(ref)) return std::optional<Replaced>{};
  PFS_TRY_ASSIGN(const auto root, branch_root_locked(ref));  // rows of a branch that nobody has looked at yet go, too
  // whoever met a new branch as soon as the transaction was there has loaded it as it is to be, and may have written to it
  const auto base = begins ? begins->root : head ? head->root : empty_subtree();
  if (root->info->open == open && root->info->head == (head ? std::optional(head->id) : std::nullopt) && root->base == base) {
    return std::optional<Replaced>{};
  }
  PFS_TRY_ASSIGN(auto replaced, detach_root(root));
  root->base = base;
  root->info->head = head ? std::optional(head->id) : std::nullopt;
  root->info->links = begins ? begins->links : head ? head->links : empty_subtree().root;
  root->info->open = open;
  root->info->changed = false;
  root->info->joined.clear();
  // strictly newer, also on a coarse clock: the kernel drops its cached listing when the time differs
  root->attributes.mtime = root->attributes.ctime =
      Timestamp{std::max(parts_.clock->now().nanoseconds, root->attributes.mtime.nanoseconds + 1)};
  if (root->directory) {
    LocalBatch batch;
    PFS_TRY(erase_rows(batch, Family::kInode, directory_begin(root->directory), directory_end(root->directory)));
    batch.put(Family::kInode, directory_key(root->directory, Epoch(epoch_)),
              DirectoryRow{root->base, root->attributes, root->xattrs}.encode());
    root->marked = {};
    put_branch_row(*root, batch);
    PFS_TRY(parts_.local->write(batch));
  }
  return std::optional<Replaced>(std::move(replaced));
}

Result<std::optional<DeltaTrees::Replaced>> DeltaTrees::drop_branch(const BranchRef& ref) {
  Lock lock(mutex_);
  branch_rows_.erase(ref);
  LocalBatch batch;
  batch.erase(Family::kInode, branch_row_key(ref));
  PFS_TRY(parts_.local->write(batch));
  const auto found = branches_.find(ref);
  if (found == branches_.end()) return std::optional<Replaced>{};
  const NodePtr root = found->second;
  PFS_TRY_ASSIGN(auto replaced, detach_root(root));
  root->has_rows = false;
  root->base = empty_subtree();
  root->link = NodeState::kRemoved;
  branches_.erase(found);
  return std::optional<Replaced>(std::move(replaced));
}

Result<void> DeltaTrees::begin_rename(const BranchRef& from, const BranchRef& to) {
  Lock lock(mutex_);
  PFS_TRY_ASSIGN(auto root, branch_root_locked(from));
  renaming_[to] = std::move(root);
  return {};
}

void DeltaTrees::end_rename(const BranchRef& to) {
  Lock lock(mutex_);
  renaming_.erase(to);
}

// In memory first: where the rows cannot be written, the next start finds by the open commit's id whose they are.
Result<void> DeltaTrees::rename_branch(const BranchRef& from, const BranchRef& to) {
  Lock lock(mutex_);
  const auto found = branches_.find(from);
  if (found == branches_.end()) return Error{Code::kNotFound, fmt::format("branch {}: not loaded", from.str())};
  const NodePtr root = found->second;
  branches_.erase(found);
  branches_[to] = root;
  root->info->branch = to;
  LocalBatch batch;
  batch.erase(Family::kInode, branch_row_key(from));
  if (root->directory) put_branch_row(*root, batch);
  rename_in_joined(from, to, batch);
  return parts_.local->write(batch);
}

// The row of a branch that is not loaded.
void DeltaTrees::rename_row(const BranchRef& from, const BranchRef& to, LocalBatch& batch) {
  auto row = branch_rows_.extract(from);
  row.key() = to;
  batch.erase(Family::kInode, branch_row_key(from));
  batch.put(Family::kInode, branch_row_key(to), row.mapped().encode());
  branch_rows_.insert(std::move(row));
  rename_in_joined(from, to, batch);
}

// What is published together knows each other by name.
void DeltaTrees::rename_in_joined(const BranchRef& from, const BranchRef& to, LocalBatch& batch) {
  for (const auto& [ref, root] : branches_) {
    bool named = false;
    for (auto* joined : {&root->info->joined, &root->info->frozen_joined}) {
      if (joined->erase(from) == 0) continue;
      joined->insert(to);
      named = true;
    }
    if (named) put_branch_row(*root, batch);
  }
  for (auto& [ref, row] : branch_rows_) {
    if (row.joined.erase(from) == 0) continue;
    row.joined.insert(to);
    batch.put(Family::kInode, branch_row_key(ref), row.encode());
  }
}

// A branch was moved, discarded or deleted, and the process died before its live tree followed: the rows go with a commit
// that is not the branch's open one. Of one that was renamed they go with the open commit of another.
Result<void> DeltaTrees::drop_outdated_rows() {
  std::vector<BranchRef> outdated;
  Lock lock(mutex_);
  for (const auto& [ref, row] : branch_rows_) {
    const auto state = parts_.branch_state(ref);
    if (!state && state.error().code != Code::kNotFound) return state.error();
    bool stays = state && (row.frozen || (row.head == state->head && row.open == state->open));
    if (stays && state->begins_elsewhere) {
      // the open commit is the same one before and after files were put into it
      PFS_TRY_ASSIGN(const auto newest, newest_numbered(directory_begin(row.root), directory_end(row.root), kNewest, nullptr));
      if (newest) {
        PFS_TRY_ASSIGN(const auto directory, DirectoryRow::decode(newest->second));
        stays = directory.base == state->root;
      }
    }
    if (!stays) outdated.push_back(ref);
  }
  LocalBatch batch;
  for (const auto& ref : outdated) {
    PFS_TRY_ASSIGN(const auto renamed, parts_.branch_of_open(ref.repo, branch_rows_.at(ref).open));
    if (renamed && !branch_rows_.contains(*renamed)) {
      rename_row(ref, *renamed, batch);
      continue;
    }
    batch.erase(Family::kInode, branch_row_key(ref));
    branch_rows_.erase(ref);
  }
  return parts_.local->write(batch);
}

void DeltaTrees::set_output(const BranchRef& ref, bool output) {
  Lock lock(mutex_);
  if (const auto found = branches_.find(ref); found != branches_.end()) found->second->info->output = output;
}

void DeltaTrees::set_commits_at_close(const BranchRef& ref, bool at_close) {
  Lock lock(mutex_);
  if (const auto found = branches_.find(ref); found != branches_.end()) found->second->info->commits_at_close = at_close;
}

Result<bool> DeltaTrees::is_empty(const BranchRef& ref) {
  Lock lock(mutex_);
  PFS_TRY_ASSIGN(const auto root, branch_root_locked(ref));
  return is_empty_locked(root);
}

}  // namespace pfs::store
