#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/codec.h"
#include "base/fault.h"
#include "store/repo/delta_trees.h"
#include "store/tree/link_index.h"

namespace pfs::store {

namespace {

constexpr std::size_t kMaxOrphansTold = 4000;
constexpr Epoch kNewest{~std::uint64_t{0}};

// From where a file's rows are read until they are written folded, nobody may add a layer: the row that tells of it would
// be written over.
class FoldingFiles {
 public:
  FoldingFiles() = default;
  FoldingFiles(const FoldingFiles&) = delete;
  FoldingFiles& operator=(const FoldingFiles&) = delete;
  ~FoldingFiles() {
    for (const auto& file : files_) {
      Lock lock(file->mutex);
      file->folding = false;
    }
  }
  void add(const NodePtr& file) {
    if (!file) return;
    {
      Lock lock(file->mutex);
      file->folding = true;
    }
    files_.push_back(file);
  }

 private:
  std::vector<NodePtr> files_;
};

// Semantics S44: times of directories and ctime alone make no commit worth keeping.
bool worth_keeping(const Entry& before, Entry after) {
  after.attributes.ctime = before.attributes.ctime;
  if (after.is_directory()) {
    after.attributes.mtime = before.attributes.mtime;
    after.subtree = before.subtree;  // what changed below it was looked at there
  }
  return before != after;
}

}  // namespace

DeltaTrees::Activity DeltaTrees::activity(const BranchRef& ref, std::chrono::milliseconds idle_after) {
  std::vector<NodePtr> stale;
  {
    Lock leaf(leaf_);
    stale.assign(stale_.begin(), stale_.end());
  }
  Activity activity;
  Lock lock(mutex_);
  const auto found = branches_.find(ref);
  if (found == branches_.end()) {
    if (const auto row = branch_rows_.find(ref); row != branch_rows_.end()) {
      activity.changed = true;
      activity.frozen = row->second.frozen;
      activity.joined = row->second.joined;
    }
    return activity;
  }
  const auto& info = *found->second->info;
  activity.changed = info.changed;
  activity.last_change = info.last_change;
  activity.last_change_at = info.last_change_at;
  activity.frozen = info.frozen;
  activity.joined = info.joined;
  const auto now = parts_.clock->steady();
  for (const auto& file : stale) {
    if (&root_of(*file) != found->second.get() || state_locked(*file) != NodeState::kLinked) continue;
    Lock file_lock(file->mutex);
    activity.last_change = std::max(activity.last_change, file->last_write);
    if (file->writers > 0 && now - file->last_write < idle_after) activity.being_written.push_back(path_locked(*file));
  }
  return activity;
}

bool DeltaTrees::changed(const BranchRef& ref) {
  Lock lock(mutex_);
  if (const auto found = branches_.find(ref); found != branches_.end()) return found->second->info->changed;
  return branch_rows_.contains(ref);
}

std::set<BranchRef> DeltaTrees::joined(const BranchRef& ref) {
  Lock lock(mutex_);
  if (const auto found = branches_.find(ref); found != branches_.end()) {
    auto joined = found->second->info->joined;
    joined.insert(found->second->info->frozen_joined.begin(), found->second->info->frozen_joined.end());
    return joined;
  }
  const auto row = branch_rows_.find(ref);
  return row != branch_rows_.end() ? row->second.joined : std::set<BranchRef>();
}

std::optional<BranchRow::Frozen> DeltaTrees::frozen(const BranchRef& ref) {
  Lock lock(mutex_);
  if (const auto found = branches_.find(ref); found != branches_.end()) return found->second->info->frozen;
  const auto row = branch_rows_.find(ref);
  return row != branch_rows_.end() ? row->second.frozen : std::nullopt;
}

std::vector<BranchRef> DeltaTrees::changed_branches() {
  std::vector<BranchRef> refs;
  Lock lock(mutex_);
  for (const auto& [ref, root] : branches_) {
    if (root->info->changed || root->info->frozen) refs.push_back(ref);
  }
  for (const auto& [ref, row] : branch_rows_) refs.push_back(ref);
  return refs;
}

Result<std::optional<Epoch>> DeltaTrees::freeze(const std::map<BranchRef, BranchRow::Frozen>& frozen, const std::set<BranchRef>& claimed) {
  Lock lock(mutex_);
  for (const auto& [ref, under] : frozen) {
    PFS_TRY_ASSIGN(const auto root, branch_root_locked(ref));
    if (!std::includes(claimed.begin(), claimed.end(), root->info->joined.begin(), root->info->joined.end())) {
      return std::optional<Epoch>();
    }
  }
  const Epoch epoch(epoch_);
  // from here on writers put rows of the next epoch; those under way finish under their file's mutex, which flush_rows takes
  epoch_ = epoch.value() + 1;
  PFS_TRY(flush_rows());
  LocalBatch batch;
  batch.put(Family::kInode, counters_key(), Encoder().u8(1).u64(epoch.value() + 1).u64(reserved_id_).str());
  std::vector<std::shared_ptr<TreeInfo>> infos;
  for (const auto& [ref, under] : frozen) {
    PFS_TRY_ASSIGN(const auto root, branch_root_locked(ref));
    root->info->frozen = under;
    root->info->frozen->epoch = epoch;
    root->info->open = under.next;
    infos.push_back(root->info);
    if (!root->directory) {  // nothing was ever changed in it
      PFS_TRY_ASSIGN(const auto number, new_id(*root->info));
      root->directory = DirId(number);
      directories_[root->directory] = root;
      batch.put(Family::kInode, directory_key(root->directory, epoch),
                DirectoryRow{root->base, root->attributes, root->xattrs}.encode());
    }
    put_branch_row(*root, batch);
  }
  if (auto wrote = parts_.local->write(batch); !wrote) {
    for (const auto& info : infos) {
      info->open = info->frozen->commit;
      info->frozen.reset();
    }
    return std::move(wrote).error();
  }
  for (const auto& info : infos) {
    info->changed = false;
    info->frozen_joined = std::move(info->joined);
    info->joined.clear();
  }
  return std::optional(epoch);
}

Result<void> DeltaTrees::thaw(const BranchRef& ref, bool try_again) {
  Lock lock(mutex_);
  const auto found = branches_.find(ref);
  if (found == branches_.end()) return {};
  auto& info = *found->second->info;
  if (info.frozen) info.open = info.frozen->commit;
  info.frozen.reset();
  if (try_again) {
    info.changed = true;
    info.joined.merge(info.frozen_joined);
  }
  info.frozen_joined.clear();
  LocalBatch batch;
  put_branch_row(*found->second, batch);
  return parts_.local->write(batch);
}

Result<Walked> DeltaTrees::walk_frozen(const BranchRef& ref, Epoch epoch, ObjectWriter& writer, const Subtree* published) {
  const StagingLog::Pin pin(*staging_);
  DirId directory;
  Subtree base;
  Digest links;
  {
    Lock lock(mutex_);
    PFS_TRY_ASSIGN(const auto root, branch_root_locked(ref));
    directory = root->directory;
    base = root->base;
    links = root->info->links;
  }
  const auto at = parts_.local->snapshot();
  Walked walked;
  WalkContext context{epoch, at.get(), &writer, &walked};
  PFS_TRY_ASSIGN(const auto found, walk_directory(context, directory, base, owner_of_root(ref.repo.str()), published));
  walked.root = found.first;
  walked.keep = found.second;
  PFS_TRY(writer.flush());
  PFS_TRY_ASSIGN(walked.links, update_links(*parts_.trees, writer, links, base, walked.root));
  PFS_TRY(writer.flush());
  return walked;
}

Result<Subtree> DeltaTrees::snapshot(const NodePtr& node) {
  const StagingLog::Pin pin(*staging_);
  DirId directory;
  Subtree base;
  std::unique_ptr<LocalDb::Snapshot> at;
  {
    Lock lock(mutex_);
    if (!node->is_directory()) return Error{Code::kNotDirectory, fmt::format("{}: not a directory", path_locked(*node))};
    if (!node->has_rows) return node->base;
    PFS_TRY(flush_rows());
    seal_below(*node);
    directory = node->directory;
    base = node->base;
    at = parts_.local->snapshot();
  }
  ObjectWriter writer(*parts_.objects);
  Walked walked;
  WalkContext context{kNewest, at.get(), &writer, &walked};
  PFS_TRY_ASSIGN(const auto found, walk_directory(context, directory, base, owner_of_root(""), nullptr));
  PFS_TRY(writer.flush());
  return found.first;
}

Result<Entry> DeltaTrees::walk_file(WalkContext& context, FileId file, std::string_view name, Owner owner, WalkedDirectory& into) {
  if (const auto walked = context.walked->linked.find(file); walked != context.walked->linked.end()) {
    Entry entry = walked->second;
    entry.name = name;
    return entry;
  }
  PFS_TRY_ASSIGN(const auto row, newest_numbered(file_begin(file), file_end(file), context.epoch, context.at));
  if (!row) return Error{Code::kCorrupt, fmt::format("file {} ({}): its row is missing", file.value(), printable(name))};
  PFS_TRY_ASSIGN(auto state, FileState::decode(row->second, staging_.get()));
  state.seal_spools();  // those of files that were not loaded yet
  if (context.epoch == kNewest) state.follow_spool();
  Entry entry;
  entry.name = name;
  entry.attributes = state.attributes;
  entry.xattrs = state.xattrs;
  entry.link_id = state.link_id;
  if (state.attributes.kind == Kind::kFile || state.attributes.kind == Kind::kSymlink) {
    PFS_TRY_ASSIGN(entry.content, finish_file(state, *staging_, *parts_.contents, *context.writer, owner));
  }
  if (entry.link_id != 0) {
    context.walked->linked[file] = entry;
  } else {
    into.files.emplace_back(file, entry.content);
  }
  return entry;
}

Result<std::pair<Subtree, bool>> DeltaTrees::walk_directory(WalkContext& context, DirId directory, const Subtree& base, Owner owner,
                                                            const Subtree* published) {
  WalkedDirectory walked;
  walked.directory = directory;
  std::vector<std::pair<std::string, DeltaRow>> rows;
  Result<void> outcome;
  PFS_TRY(parts_.local->scan(
      Family::kDelta, delta_directory_begin(directory), delta_directory_end(directory),
      [&](std::string_view key, std::string_view value) {
        auto parsed = parse_delta_key(key);
        auto row = parsed ? DeltaRow::decode(value, parsed->name) : Result<DeltaRow>(parsed.error());
        if (!row) {
          outcome = std::move(row).error();
          return false;
        }
        if (parsed->epoch > context.epoch) return true;
        walked.row_keys.emplace_back(key);
        if (rows.empty() || rows.back().first != parsed->name) rows.emplace_back(std::move(parsed->name), std::move(*row));
        return true;
      },
      context.at));
  PFS_TRY(std::move(outcome));

  bool keep = false;
  std::vector<EntryChange> changes;
  changes.reserve(rows.size());
  for (auto& [name, row] : rows) {
    PFS_TRY_ASSIGN(const auto before, parts_.trees->find(base.root, name));
    if (std::holds_alternative<DeltaRow::Tombstone>(row.what)) {
      if (before) changes.push_back({name, std::nullopt});
      keep = keep || before;
      continue;
    }
    Entry entry;
    bool keep_below = false;
    if (auto* finished = std::get_if<Entry>(&row.what)) {
      entry = std::move(*finished);
      keep_below = before && entry.is_directory() && entry.subtree != before->subtree;
    } else if (const auto* file = std::get_if<FileId>(&row.what); file != nullptr && published != nullptr) {
      PFS_TRY_ASSIGN(entry, published_entry(*published, name));
      if (entry.link_id != 0) context.walked->linked[*file] = entry;
      else walked.files.emplace_back(*file, entry.content);
    } else if (file != nullptr) {
      PFS_TRY_ASSIGN(entry, walk_file(context, *file, name, owner_of_part(owner, 0, name), walked));
    } else {
      const auto below = std::get<DirId>(row.what);
      PFS_TRY_ASSIGN(const auto found, newest_numbered(directory_begin(below), directory_end(below), context.epoch, context.at));
      if (!found) return Error{Code::kCorrupt, fmt::format("directory {}: its row is missing", printable(name))};
      PFS_TRY_ASSIGN(const auto decoded, DirectoryRow::decode(found->second));
      std::optional<Subtree> published_below;
      if (published != nullptr) {
        PFS_TRY_ASSIGN(const auto out, published_entry(*published, name));
        published_below = out.subtree;
      }
      PFS_TRY_ASSIGN(const auto subtree,
                     walk_directory(context, below, decoded.base, owner_below(owner, name), published_below ? &*published_below : nullptr));
      entry.name = name;
      entry.attributes = decoded.attributes;
      entry.xattrs = decoded.xattrs;
      entry.subtree = subtree.first;
      keep_below = subtree.second;
      walked.directories.push_back(below);
    }
    keep = keep || keep_below || !before || worth_keeping(*before, entry);
    changes.push_back({name, std::move(entry)});
  }
  PFS_TRY_ASSIGN(walked.subtree, edit_tree(*parts_.trees, *context.writer, base.root, changes, owner));
  const Subtree subtree = walked.subtree;
  context.walked->directories.push_back(std::move(walked));
  return std::pair(subtree, keep);
}

Result<Entry> DeltaTrees::published_entry(const Subtree& published, std::string_view name) const {
  PFS_TRY_ASSIGN(auto entry, parts_.trees->find(published.root, name));
  if (!entry) return Error{Code::kCorrupt, fmt::format("{}: its commit is out and does not have it", printable(name))};
  return std::move(*entry);
}

// Children before parents: while a directory's row still leads to a folded one, that one's row must be there.
Result<void> DeltaTrees::fold(const BranchRef& ref, const Walked& walked, Epoch epoch, const CommitId& head) {
  for (const auto& directory : walked.directories) PFS_TRY(fold_directory(directory, epoch));
  PFS_FAULT_POINT("store.fold.before_branch_row");
  Lock lock(mutex_);
  PFS_TRY_ASSIGN(const auto root, branch_root_locked(ref));
  root->info->frozen.reset();
  root->info->frozen_joined.clear();
  root->info->head = head;
  root->info->links = walked.links;
  LocalBatch batch;
  std::vector<std::pair<StagedAt, std::uint64_t>> dropped;
  FoldingFiles folding;
  for (const auto& [file, entry] : walked.linked) {
    if (const auto found = files_.find(file); found != files_.end()) folding.add(found->second.lock());
  }
  PFS_TRY(fold_links(*root->info, walked, epoch, batch, dropped));
  put_branch_row(*root, batch);
  PFS_TRY(parts_.local->write(batch));
  for (const auto& [file, entry] : walked.linked) close_folded(file, entry.content, epoch);
  for (const auto& [at, bytes] : dropped) staging_->release(at, bytes);
  return {};
}

// Row by row: RocksDB searches every range deletion that is still in memory at each read, so thousands of small ones make
// all reads slow. One for a directory with many rows is worth it: their markers would be walked over one by one.
Result<void> DeltaTrees::erase_folded_rows(LocalBatch& batch, const WalkedDirectory& walked, Epoch epoch) const {
  constexpr std::size_t kMany = 1024;
  bool newer = false;
  if (walked.row_keys.size() > kMany) {
    PFS_TRY(parts_.local->scan(Family::kDelta, delta_directory_begin(walked.directory), delta_directory_end(walked.directory),
                               [&](std::string_view key, std::string_view) {
                                 const auto parsed = parse_delta_key(key);
                                 newer = parsed && parsed->epoch > epoch;
                                 return !newer;
                               }));
  }
  if (walked.row_keys.size() > kMany && !newer) {
    batch.erase_range(Family::kDelta, delta_directory_begin(walked.directory), delta_directory_end(walked.directory));
  } else {
    for (const auto& key : walked.row_keys) batch.erase(Family::kDelta, key);
  }
  return {};
}

Result<void> DeltaTrees::fold_directory(const WalkedDirectory& walked, Epoch epoch) {
  std::vector<std::pair<StagedAt, std::uint64_t>> dropped;
  Lock lock(mutex_);
  FoldingFiles folding;
  LocalBatch batch;
  PFS_TRY(erase_folded_rows(batch, walked, epoch));
  for (const auto& [file, content] : walked.files) {
    if (const auto found = files_.find(file); found != files_.end()) folding.add(found->second.lock());
  }
  for (const auto& [file, content] : walked.files) PFS_TRY(fold_file(batch, file, content, epoch, dropped));
  for (const auto below : walked.directories) {
    // folded before; nothing leads to its row any more unless it was changed again
    PFS_TRY_ASSIGN(const auto newest, newest_numbered(directory_begin(below), directory_end(below), kNewest, nullptr));
    if (newest && newest->first > epoch) continue;
    PFS_TRY(erase_rows(batch, Family::kInode, directory_begin(below), directory_end(below)));
    directories_.erase(below);
  }

  const auto known = directories_.find(walked.directory);
  const NodePtr node = known == directories_.end() ? nullptr : known->second.lock();
  PFS_TRY_ASSIGN(const auto newest,
                 newest_numbered(directory_begin(walked.directory), directory_end(walked.directory), kNewest, nullptr));
  if (!newest) return Error{Code::kCorrupt, fmt::format("directory {}: its row is missing", walked.directory.value())};
  PFS_TRY_ASSIGN(auto row, DirectoryRow::decode(newest->second));
  row.base = walked.subtree;
  PFS_TRY(erase_rows(batch, Family::kInode, directory_begin(walked.directory), directory_end(walked.directory)));
  batch.put(Family::kInode, directory_key(walked.directory, newest->first), row.encode());
  PFS_TRY(parts_.local->write(batch));

  if (node) {
    node->base = walked.subtree;
    if (newest->first <= epoch) node->has_rows = false;
  }
  for (const auto& [file, content] : walked.files) close_folded(file, content, epoch);
  for (const auto& [at, bytes] : dropped) staging_->release(at, bytes);
  return {};
}

void DeltaTrees::close_folded(FileId file, const Content& content, Epoch epoch) {
  const auto found = files_.find(file);
  const NodePtr loaded = found == files_.end() ? nullptr : found->second.lock();
  if (!loaded) {
    files_.erase(file);
    return;
  }
  Lock file_lock(loaded->mutex);
  loaded->state.fold(epoch, content, [](const StagedAt&, std::uint64_t) {});
  if (loaded->marked <= epoch && loaded->state.layers.empty() && loaded->link == NodeState::kLinked) {
    loaded->file = {};
    loaded->stale_row = false;
    files_.erase(file);
    Lock leaf(leaf_);
    stale_.erase(loaded);
  }
}

// The rows of a file whose content up to `epoch` is finished: none are left when nothing newer refers to it.
Result<void> DeltaTrees::fold_file(LocalBatch& batch, FileId file, const Content& content, Epoch epoch,
                                   std::vector<std::pair<StagedAt, std::uint64_t>>& dropped) {
  const auto note = [&](const StagedAt& at, std::uint64_t bytes) { dropped.emplace_back(at, bytes); };
  PFS_TRY_ASSIGN(const auto newest, newest_numbered(file_begin(file), file_end(file), kNewest, nullptr));
  if (!newest) return {};  // unlinked since, and closed
  PFS_TRY(erase_rows(batch, Family::kInode, file_begin(file), file_end(file)));
  const auto found = files_.find(file);
  if (const NodePtr loaded = found == files_.end() ? nullptr : found->second.lock()) {
    Lock lock(loaded->mutex);
    FileState state = loaded->state;  // it knows more than its row
    state.fold(epoch, content, note);
    if (newest->first > epoch && loaded->link == NodeState::kLinked) {
      batch.put(Family::kInode, file_key(file, newest->first), state.encode());
    }
    return {};
  }
  PFS_TRY_ASSIGN(auto state, FileState::decode(newest->second));
  state.fold(epoch, content, note);
  if (newest->first > epoch) batch.put(Family::kInode, file_key(file, newest->first), state.encode());
  return {};
}

// ---- retarget and delete

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

Result<bool> DeltaTrees::is_empty(const BranchRef& ref) {
  Lock lock(mutex_);
  PFS_TRY_ASSIGN(const auto root, branch_root_locked(ref));
  return is_empty_locked(root);
}

}  // namespace pfs::store
