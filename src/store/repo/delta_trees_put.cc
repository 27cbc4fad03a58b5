#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "store/repo/delta_trees.h"

// Finished entries that are put at names, and reference copies.

namespace pfs::store {

Result<std::vector<NodePtr>> DeltaTrees::put_entry(const NodePtr& directory, std::string_view name, const Entry& entry) {
  reap();
  PFS_TRY(check_entry_name(name));
  Lock lock(mutex_);
  wait_while_held(*directory);
  PFS_TRY(check_changeable(*directory));
  if (entry.is_directory()) PFS_TRY(check_level(*directory, name));
  refer_to(entry);
  std::vector<NodePtr> losers;
  PFS_TRY_ASSIGN(auto departure, open_departure(directory, name, true));
  PFS_TRY(put_one({directory, std::string(name), entry}, departure, losers));
  return losers;
}

void DeltaTrees::put_plain_row(const EntryPut& put, Change& change) {
  const auto key = delta_key(put.directory->directory, put.name, Epoch(epoch_));
  if (!put.entry) {
    change.batch.put(Family::kDelta, key, DeltaRow{DeltaRow::Tombstone{}}.encode());
    return;
  }
  Entry row = *put.entry;
  row.name = put.name;
  row.link_id = 0;
  row.attributes.ctime = put.directory->attributes.ctime;
  change.batch.put(Family::kDelta, key, DeltaRow{std::move(row)}.encode());
}

Result<void> DeltaTrees::put_one(const EntryPut& put, Departure& departure, std::vector<NodePtr>& losers) {
  auto& directory = *put.directory;
  auto& info = *root_of(directory).info;
  Change change;
  PFS_TRY(touch_directory(directory, change));
  auto done = put_departure(departure, info, change);
  std::map<std::uint64_t, OpenLink> links;
  NodePtr grafted;
  if (done && put.entry && put.entry->is_directory() && put.entry->subtree.totals.links > 0) {
    Entry row = *put.entry;
    row.name = put.name;
    row.link_id = 0;
    row.attributes.ctime = directory.attributes.ctime;
    auto made = graft(put.directory, row, change, links);
    if (made) {
      grafted = std::move(*made);
    } else {
      done = std::move(made).error();
    }
  } else {
    put_plain_row(put, change);
  }
  if (done) done = apply(change);
  end_departure(departure, info, directory, put.name, done.has_value());
  directory.children.erase(put.name);
  if (!done) {
    if (departure.node) directory.children.put(put.name, departure.node);
    return done;
  }
  if (grafted) directory.children.put(grafted->name, grafted);
  for (auto& [id, link] : links) info.open_links[id] = std::move(link);
  note_change(directory);
  if (departure.node) losers.push_back(std::move(departure.node));
  for (auto& going : departure.links) losers.push_back(std::move(going.node));
  return {};
}

// A file that somebody knows stays that file when another one is put in its place, as with cp: who has it open goes on with
// the new bytes.
bool DeltaTrees::can_overwrite(const NodePtr& there, const EntryPut& put) const {
  return there && there->kind == Kind::kFile && put.entry && put.entry->attributes.kind == Kind::kFile;
}

void DeltaTrees::begin_overwrite(const EntryPut& put, Overwrite& overwrite, Change& change) {
  LiveNode& node = *overwrite.node;
  const Epoch epoch(epoch_);
  const auto& content = put.entry->content;
  const auto drop = [&overwrite](const StagedAt& at, std::uint64_t bytes) { overwrite.dropped.emplace_back(at, bytes); };
  Lock lock(node.mutex);
  node.folding = true;  // no write comes between, which would be lost should the batch fail
  overwrite.before = node.state;
  if (overwrite.number) node.file = overwrite.number;
  cut_ahead_->changed(node);
  auto& state = node.state;
  if (last_frozen() == Epoch{}) {
    state.fold(Epoch(~std::uint64_t{0}), content, drop);
    state.size = content.size;
  } else {
    // the file's base may yet become what the commit has: only layers go over it
    state.truncate(epoch, 0, drop);
    if (content.size > 0) state.put(epoch, 0, Extent{content.size, Slice{content, 0}}, drop);
  }
  state.finished = false;  // no commit has had it
  state.attributes = put.entry->attributes;
  state.attributes.ctime = put.directory->attributes.ctime;
  state.xattrs = put.entry->xattrs;
  node.rows_unsynced = node.log_unsynced = true;
  change.batch.put(Family::kInode, file_key(node.file, epoch), state.encode());
  change.batch.put(Family::kDelta, delta_key(put.directory->directory, put.name, epoch), DeltaRow{node.file}.encode());
}

void DeltaTrees::end_overwrite(Overwrite& overwrite, bool done) {
  LiveNode& node = *overwrite.node;
  {
    Lock lock(node.mutex);
    node.folding = false;
    if (!done) {
      node.state = std::move(overwrite.before);
      if (overwrite.number) node.file = {};
      return;
    }
    node.marked = Epoch(epoch_);
  }
  files_.put(node.file, overwrite.node);
  release(overwrite.dropped);
}

Result<std::vector<NodePtr>> DeltaTrees::put_entries(std::span<const EntryPut> puts,
                                                     std::span<const DirectoryChange> directories) {
  reap();
  for (const auto& put : puts) PFS_TRY(check_entry_name(put.name));
  std::vector<NodePtr> losers;
  {
    Lock lock(mutex_);
    PFS_TRY_ASSIGN(losers, put_entries_locked(puts, directories));
  }
  reap_all();  // what was in a directory is for whoever took it away to clear up
  return losers;
}

Result<std::vector<NodePtr>> DeltaTrees::put_entries_locked(std::span<const EntryPut> puts,
                                                            std::span<const DirectoryChange> directories) {
  const auto is_held = [](const auto& one) { return root_of(*one.directory).info->held; };
  while (std::any_of(puts.begin(), puts.end(), is_held) || std::any_of(directories.begin(), directories.end(), is_held)) {
    released_.wait(mutex_);
  }
  for (const auto& put : puts) {
    PFS_TRY(check_changeable(*put.directory));
    if (put.entry && put.entry->is_directory()) PFS_TRY(check_level(*put.directory, put.name));
    if (put.entry) refer_to(*put.entry);
  }
  for (const auto& changed : directories) PFS_TRY(check_changeable(*changed.directory));
  std::vector<NodePtr> losers;
  std::vector<std::pair<const EntryPut*, Departure>> plain;
  std::vector<std::pair<const EntryPut*, Overwrite>> overwritten;
  for (const auto& put : puts) {
    PFS_TRY_ASSIGN(auto departure, open_departure(put.directory, put.name, true));
    const bool has_links = put.entry && put.entry->is_directory() && put.entry->subtree.totals.links > 0;
    if (departure.links.empty() && !has_links && can_overwrite(departure.node, put)) {
      overwritten.emplace_back(&put, Overwrite{std::move(departure.node), {}, {}, {}});
    } else if (departure.links.empty() && !has_links) {
      plain.emplace_back(&put, std::move(departure));
    } else {
      PFS_TRY(put_one(put, departure, losers));  // the rows of a link's names are made one departure at a time
    }
  }
  Change change;
  const LiveNode* touched = nullptr;
  for (const auto& [put, departure] : plain) {
    if (put->directory.get() != touched) PFS_TRY(touch_directory(*put->directory, change));
    touched = put->directory.get();
    put_plain_row(*put, change);
  }
  for (auto& [put, overwrite] : overwritten) {
    if (put->directory.get() != touched) PFS_TRY(touch_directory(*put->directory, change));
    touched = put->directory.get();
    if (!overwrite.node->file) {
      PFS_TRY_ASSIGN(const auto number, new_id(*root_of(*put->directory).info));
      overwrite.number = FileId(number);
    }
  }
  for (const auto& changed : directories) PFS_TRY(mark_directory(*changed.directory, change));
  std::vector<Attributes> before;
  for (const auto& changed : directories) {
    before.push_back(changed.directory->attributes);
    auto& attributes = changed.directory->attributes;
    attributes.mode = changed.mode & kPermissionBits;
    attributes.mtime = changed.mtime;
    attributes.ctime = parts_.clock->now();
    put_directory_row(*changed.directory, change);
  }
  for (auto& [put, overwrite] : overwritten) begin_overwrite(*put, overwrite, change);
  auto done = apply(change);
  for (auto& [put, departure] : plain) {
    end_departure(departure, *root_of(*put->directory).info, *put->directory, put->name, done.has_value());
    if (!done || !departure.node) continue;
    put->directory->children.erase(put->name);
    losers.push_back(std::move(departure.node));
  }
  for (auto& [put, overwrite] : overwritten) {
    end_overwrite(overwrite, done.has_value());
    losers.push_back(std::move(overwrite.node));
  }
  if (!done) {
    for (std::size_t i = 0; i < before.size(); ++i) directories[i].directory->attributes = before[i];
    return std::move(done).error();
  }
  for (const auto& [put, departure] : plain) note_change(*put->directory);
  for (const auto& [put, overwrite] : overwritten) note_change(*put->directory);
  for (const auto& changed : directories) note_change(*changed.directory);
  return losers;
}

Result<NodePtr> DeltaTrees::copy_entry(const NodePtr& source, const NodePtr& directory, std::string_view name) {
  PFS_TRY(check_entry_name(name));
  const auto use = parts_.objects->uses().begin();
  PFS_TRY_ASSIGN(auto entry, finished_entry(source));
  if (!entry && source->is_directory()) {
    // its uncommitted changes become a tree first: the cost follows them
    PFS_TRY_ASSIGN(const auto subtree, snapshot(source));
    Lock lock(mutex_);
    entry = entry_of(*source);
    entry->subtree = subtree;
  }
  {
    Lock lock(mutex_);
    PFS_TRY(check_changeable(*directory));
    auto existing = lookup_locked(directory, name);
    if (!existing && existing.error().code != Code::kNotFound) return existing;
    if (existing && (*existing)->is_directory()) {
      return Error{Code::kExists, fmt::format("{}: is a directory", path_locked(**existing))};
    }
  }
  if (entry) {
    PFS_TRY(put_entry(directory, name, *entry));
    return lookup(directory, name);
  }
  // a file with uncommitted bytes: its extents are shared, counted twice
  Lock lock(mutex_);
  wait_while_held(*directory);
  PFS_TRY(check_changeable(*directory));
  auto& info = *root_of(*directory).info;
  PFS_TRY_ASSIGN(auto departure, open_departure(directory, name, true));
  Change change;
  PFS_TRY(touch_directory(*directory, change));
  FileState copy;
  {
    Lock source_lock(source->mutex);
    source->state.seal_spools();  // from now on shared
    copy = source->state;
  }
  PFS_TRY_ASSIGN(const auto number, new_id(*root_of(*directory).info));
  refer_to(copy);
  copy.attributes.ctime = directory->attributes.ctime;
  copy.link_id = 0;
  copy.finished = false;
  auto node = new_node(source->kind, copy.attributes);
  node->parent = directory;
  node->name = name;
  copy.each_staged([&](const StagedAt& at, std::uint64_t bytes) { staging_->claim(at, bytes); });
  {
    Lock node_lock(node->mutex);
    node->file = FileId(number);
    node->marked = Epoch(epoch_);
    node->state = std::move(copy);
  }
  auto done = put_departure(departure, info, change);
  if (done) done = put_name(*directory, name, *node, change);
  if (done) done = apply(change);
  end_departure(departure, info, *directory, name, done.has_value());
  if (!done) {
    Lock node_lock(node->mutex);
    node->link = NodeState::kRemoved;  // what it has claimed goes with the node
    return std::move(done).error();
  }
  directory->children.put(node->name, node);
  files_.put(node->file, node);
  note_change(*directory);
  return node;
}

}  // namespace pfs::store
