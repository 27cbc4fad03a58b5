#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "store/repo/delta_trees.h"

namespace pfs::store {

// The first change below a directory in an epoch puts a row for each directory on the way to the root, so that finishing
// finds its way from the top down to what changed.
Result<void> DeltaTrees::mark_directory(LiveNode& directory, Change& change) {
  if (directory.directory && directory.marked.value() == epoch_) return {};
  LiveNode& root = root_of(directory);
  if (directory.parent) PFS_TRY(mark_directory(*directory.parent, change));
  change.marked.push_back({directory.shared_from_this(), static_cast<bool>(directory.directory), directory.has_rows});
  if (!directory.directory) {
    PFS_TRY_ASSIGN(const auto number, new_id(*root.info));
    directory.directory = DirId(number);
  }
  directories_.put(directory.directory, directory.shared_from_this());
  const Epoch epoch(epoch_);
  directory.marked = epoch;
  directory.has_rows = true;
  put_directory_row(directory, change);
  if (directory.parent) {
    change.batch.put(Family::kDelta, delta_key(directory.parent->directory, directory.name, epoch),
                     DeltaRow{directory.directory}.encode());
  } else if (directory.info->of == TreeInfo::Of::kBranch) {
    put_branch_row(directory, change.batch);
  }
  return {};
}

void DeltaTrees::put_directory_row(LiveNode& directory, Change& change) {
  change.batch.put(Family::kInode, directory_key(directory.directory, Epoch(epoch_)),
                   DirectoryRow{directory.base, directory.attributes, directory.xattrs}.encode());
}

void DeltaTrees::put_branch_row(LiveNode& root, LocalBatch& batch) {
  const auto& info = *root.info;
  BranchRow row{root.directory, info.head, info.open, info.joined, info.frozen};
  row.joined.insert(info.frozen_joined.begin(), info.frozen_joined.end());
  batch.put(Family::kInode, branch_row_key(info.branch), row.encode());
}

Result<void> DeltaTrees::touch_directory(LiveNode& directory, Change& change) {
  directory.attributes.mtime = directory.attributes.ctime = parts_.clock->now();
  const bool marked_now = directory.marked.value() != epoch_ || !directory.directory;
  PFS_TRY(mark_directory(directory, change));
  if (!marked_now) put_directory_row(directory, change);
  return {};
}

Entry DeltaTrees::entry_of(const LiveNode& node) {
  Entry entry;
  entry.name = node.name;
  if (node.is_directory()) {
    entry.attributes = node.attributes;
    entry.subtree = node.base;
    entry.xattrs = node.xattrs;
  } else {
    entry.attributes = node.state.attributes;
    entry.content = node.state.base;
    entry.xattrs = node.state.xattrs;
    entry.link_id = node.state.link_id;
  }
  return entry;
}

Result<void> DeltaTrees::put_name(LiveNode& directory, std::string_view name, LiveNode& node, Change& change) {
  const Epoch epoch(epoch_);
  const std::string key = delta_key(directory.directory, name, epoch);
  if (node.is_directory() && node.has_rows) {
    put_directory_row(node, change);  // in this epoch, so that folding an older one keeps it
    change.batch.put(Family::kDelta, key, DeltaRow{node.directory}.encode());
    return {};
  }
  if (!node.is_directory()) {
    Lock lock(node.mutex);
    node.rows_unsynced = true;
    if (node.file) {
      change.batch.put(Family::kInode, file_key(node.file, epoch), node.state.encode());
      change.batch.put(Family::kDelta, key, DeltaRow{node.file}.encode());
      return {};
    }
  }
  Entry entry = entry_of(node);
  entry.name = name;
  change.batch.put(Family::kDelta, key, DeltaRow{std::move(entry)}.encode());
  return {};
}

Result<void> DeltaTrees::apply(Change& change) {
  PFS_TRY(parts_.local->write(change.batch));
  change.marked.clear();
  return {};
}

// The next change puts their rows again. A branch's root keeps no number either: the branch's row would name a directory
// that has none.
DeltaTrees::Change::~Change() {
  for (const auto& [directory, had_number, had_rows] : marked) {
    directory->marked = {};
    directory->has_rows = had_rows;
    if (!had_number) directory->directory = {};
  }
}

void DeltaTrees::note_change(LiveNode& node) {
  auto& info = *root_of(node).info;
  info.last_change = parts_.clock->steady();
  info.last_change_at = parts_.clock->now();
  if (!std::exchange(info.changed, true)) {
    info.changed_since = info.last_change;
    info.changed_since_at = info.last_change_at;
  }
}

void DeltaTrees::lose_name(LiveNode& node, NodeState state) {
  note_detached(node);
  if (node.is_directory()) {
    node.link = state;
    return;
  }
  Lock lock(node.mutex);
  cut_ahead_->forget(node.file);
  if (node.file) unnamed_.emplace(node.file, false);
  node.link = state;
  node.links = 0;
  node.state.attributes.ctime = parts_.clock->now();
  node.stale_row = false;
  Lock leaf(leaf_);
  stale_.erase(node.shared_from_this());
}

Result<NodePtr> DeltaTrees::make(const NodePtr& directory, std::string_view name, const MakeRequest& request) {
  reap();
  if (auto admitted = staging_->admit(1); !admitted) {
    if (!clear_for_room()) return std::move(admitted).error();
    PFS_TRY(staging_->admit(1));
  }
  PFS_TRY(check_entry_name(name));
  Lock lock(mutex_);
  wait_while_held(*directory);
  PFS_TRY(check_changeable(*directory));
  auto existing = lookup_locked(directory, name);
  if (existing) {
    if (!request.exclusive && (*existing)->kind == Kind::kFile && request.kind == Kind::kFile) return existing;
    return Error{Code::kExists, fmt::format("{}/{}: exists", path_locked(*directory), printable(name))};
  }
  if (existing.error().code != Code::kNotFound) return existing;
  if (request.kind == Kind::kDirectory) PFS_TRY(check_level(*directory, name));

  Change change;
  PFS_TRY(touch_directory(*directory, change));
  Attributes attributes;
  attributes.kind = request.kind;
  attributes.mode = request.mode & kPermissionBits;
  attributes.uid = request.uid;
  attributes.gid = request.gid;
  attributes.rdev = request.rdev;
  attributes.mtime = attributes.ctime = directory->attributes.mtime;
  auto node = new_node(request.kind, attributes);
  node->parent = directory;
  node->name = name;
  if (request.kind == Kind::kDirectory) {
    node->base = empty_subtree();
  } else {
    std::uint64_t number = 0;
    if (request.kind == Kind::kFile || request.target.size() > Content::kMaxInline) {
      PFS_TRY_ASSIGN(number, new_id(*root_of(*directory).info));
    }
    Lock file_lock(node->mutex);
    node->file = FileId(number);
    node->marked = Epoch(epoch_);
    if (request.kind == Kind::kSymlink && number == 0) {
      node->state.size = node->state.base.size = request.target.size();
      node->state.base.bytes = request.target;
    } else if (request.kind == Kind::kSymlink) {
      PFS_TRY(write_ready(*node, 0, as_bytes(request.target)));
    }
  }
  auto done = put_name(*directory, name, *node, change);
  if (done) done = apply(change);
  if (!done) {
    Lock file_lock(node->mutex);
    node->link = NodeState::kRemoved;  // what was staged of it goes with the node
    return std::move(done).error();
  }
  directory->children.put(node->name, node);
  if (node->file) files_.put(node->file, node);
  note_change(*directory);
  return node;
}

Result<void> DeltaTrees::remove(const NodePtr& directory, std::string_view name, bool is_directory) {
  reap();
  PFS_TRY(check_entry_name(name));
  Lock lock(mutex_);
  wait_while_held(*directory);
  PFS_TRY(check_changeable(*directory));
  PFS_TRY_ASSIGN(const auto node, lookup_locked(directory, name));
  if (is_directory != node->is_directory()) {
    return Error{is_directory ? Code::kNotDirectory : Code::kIsDirectory,
                 fmt::format("{}: {}", path_locked(*node), is_directory ? "not a directory" : "is a directory")};
  }
  if (is_directory) {
    PFS_TRY_ASSIGN(const bool empty, is_empty_locked(node));
    if (!empty) return Error{Code::kNotEmpty, fmt::format("{}: the directory is not empty", path_locked(*node))};
  }
  PFS_TRY_ASSIGN(auto departure, open_departure(directory, name, false));
  auto& info = *root_of(*directory).info;
  Change change;
  PFS_TRY(touch_directory(*directory, change));
  change.batch.put(Family::kDelta, delta_key(directory->directory, name, Epoch(epoch_)),
                   DeltaRow{DeltaRow::Tombstone{}}.encode());
  auto done = put_departure(departure, info, change);
  if (done) done = apply(change);
  end_departure(departure, info, *directory, name, done.has_value());
  PFS_TRY(std::move(done));
  note_change(*directory);
  return {};
}

Result<void> DeltaTrees::rename(const NodePtr& from, std::string_view from_name, const NodePtr& to, std::string_view to_name,
                                RenameMode mode) {
  reap();
  PFS_TRY(check_entry_name(from_name));
  PFS_TRY(check_entry_name(to_name));
  Lock lock(mutex_);
  while (root_of(*from).info->held || root_of(*to).info->held) released_.wait(mutex_);
  PFS_TRY(check_changeable(*from));
  PFS_TRY(check_changeable(*to));
  if (mode == RenameMode::kExchange) return exchange(from, from_name, to, to_name);
  PFS_TRY_ASSIGN(const auto node, lookup_locked(from, from_name));
  auto target = lookup_locked(to, to_name);
  if (!target && target.error().code != Code::kNotFound) return std::move(target).error();
  if (target) {
    const auto& old = *target;
    if (old == node) return {};
    if (mode == RenameMode::kNoReplace) return Error{Code::kExists, fmt::format("{}: exists", path_locked(*old))};
    if (old->is_directory() && !node->is_directory()) {
      return Error{Code::kIsDirectory, fmt::format("{}: is a directory", path_locked(*old))};
    }
    if (!old->is_directory() && node->is_directory()) {
      return Error{Code::kNotDirectory, fmt::format("{}: not a directory", path_locked(*old))};
    }
    if (old->is_directory()) {
      PFS_TRY_ASSIGN(const bool empty, is_empty_locked(old));
      if (!empty) return Error{Code::kNotEmpty, fmt::format("{}: the directory is not empty", path_locked(*old))};
    }
  }
  if (is_at_or_below(*to, *node)) {
    return Error{Code::kInvalid, fmt::format("{}: a directory cannot be moved into itself", path_locked(*node))};
  }
  if (node->is_directory()) PFS_TRY(check_level(*to, to_name));
  auto& from_info = *root_of(*from).info;
  auto& to_info = *root_of(*to).info;
  const bool across = &from_info != &to_info;
  if (across && (from_info.of != TreeInfo::Of::kBranch || to_info.of != TreeInfo::Of::kBranch)) {
    return Error{Code::kCrossDevice, fmt::format("{}: cannot be moved out of its view", path_locked(*node))};
  }

  PFS_TRY_ASSIGN(const auto moved, open_moved_links(node, root_of(*from), root_of(*to)));
  PFS_TRY_ASSIGN(auto departure, open_departure(to, to_name, false));
  Change change;
  PFS_TRY(touch_directory(*from, change));
  PFS_TRY(touch_directory(*to, change));
  const Timestamp ctime = exchange_ctime(*node, to->attributes.ctime);
  const auto put_rows = [&]() PFS_REQUIRES(mutex_) -> Result<void> {
    PFS_TRY(put_departure(departure, to_info, change));
    PFS_TRY(put_moved_links(moved, from_info, change));
    PFS_TRY(put_renamed(*node, {from, std::string(from_name)}, *to, to_name, change));
    change.batch.put(Family::kDelta, delta_key(from->directory, from_name, Epoch(epoch_)),
                     DeltaRow{DeltaRow::Tombstone{}}.encode());
    return {};
  };
  auto done = put_rows();
  const auto from_joined = from_info.joined;
  const auto to_joined = to_info.joined;
  if (across) {
    from_info.joined.insert(to_info.branch);
    to_info.joined.insert(from_info.branch);
    put_branch_row(root_of(*from), change.batch);
    put_branch_row(root_of(*to), change.batch);
  }
  if (done) done = apply(change);
  end_departure(departure, to_info, *to, to_name, done.has_value());
  end_moved_links(moved, from_info, to_info, done.has_value());
  if (!done) {
    exchange_ctime(*node, ctime);
    from_info.joined = from_joined;
    to_info.joined = to_joined;
    return done;
  }
  from->children.erase(std::string(from_name));
  end_renamed(node, {from, std::string(from_name)}, to, to_name);
  note_change(*from);
  note_change(*to);
  return {};
}

}  // namespace pfs::store
