#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/codec.h"
#include "base/fault.h"
#include "store/repo/delta_trees.h"

// A branch points elsewhere, or is gone: what was known below its root is orphaned, what was not committed is dropped.

namespace pfs::store {

namespace {

constexpr std::size_t kMaxOrphansTold = 4000;
constexpr Epoch kNewest{~std::uint64_t{0}};

}  // namespace

Result<DeltaTrees::Replaced> DeltaTrees::detach_root(const NodePtr& root) {
  Replaced replaced;
  replaced.root = root;
  for (const auto& [name, weak] : root->children) {
    const auto child = weak.lock();
    replaced.names.push_back(name);
    if (!child) continue;
    if (child->is_directory()) {
      child->link = NodeState::kOrphaned;
    } else {
      Lock lock(child->mutex);
      child->link = NodeState::kOrphaned;
    }
  }
  orphan_loaded(*root, replaced.orphans);
  root->info->open_links.clear();
  root->info->linked_nodes.clear();
  if (replaced.orphans.size() > kMaxOrphansTold) replaced.orphans.resize(kMaxOrphansTold);
  root->children.clear();
  if (root->directory) {
    LocalBatch batch;
    PFS_TRY(drop_rows_below(root->directory, batch));
    PFS_TRY(parts_.local->write(batch));
  }
  return replaced;
}

// What was not committed is given up. Files that somebody still holds keep their rows until the last one lets go. Only a name's
// newest row is followed: what an older one leads to may have been moved to another branch.
Result<void> DeltaTrees::drop_rows_below(DirId directory, LocalBatch& batch) {
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
  for (const auto file : files) {
    const auto found = files_.find(file);
    if (const NodePtr loaded = found == files_.end() ? nullptr : found->second.lock()) {
      Lock lock(loaded->mutex);
      if (loaded->link == NodeState::kLinked) loaded->link = NodeState::kOrphaned;
      continue;
    }
    PFS_TRY_ASSIGN(const auto newest, newest_numbered(file_begin(file), file_end(file), kNewest, nullptr));
    if (!newest) continue;
    PFS_TRY_ASSIGN(auto state, FileState::decode(newest->second));
    Lock leaf(leaf_);
    leftovers_.push_back({file, std::move(state), {}});
  }
  for (const auto below : directories) {
    PFS_TRY(drop_rows_below(below, batch));
    PFS_TRY(erase_rows(batch, Family::kInode, directory_begin(below), directory_end(below)));
    directories_.erase(below);
  }
  return {};
}

Result<std::optional<DeltaTrees::Replaced>> DeltaTrees::replace_root(const BranchRef& ref, const std::optional<Commit>& head,
                                                                     const CommitId& open) {
  Lock lock(mutex_);
  const auto found = branches_.find(ref);
  if (found == branches_.end()) return std::optional<Replaced>{};
  const auto& root = found->second;
  PFS_TRY_ASSIGN(auto replaced, detach_root(root));
  root->base = head ? head->root : empty_subtree();
  root->info->head = head ? std::optional(head->id) : std::nullopt;
  root->info->links = head ? head->links : empty_subtree().root;
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
