#include <algorithm>

#include <fmt/format.h>

#include "store/repo/delta_trees.h"
#include "store/tree/xattr_set.h"

namespace pfs::store {

namespace {

constexpr std::size_t kPage = 256;

Error not_found(std::string path, std::string_view name) {
  return Error{Code::kNotFound, fmt::format("{}{}{}: no such file or directory", path, path == "/" ? "" : "/", printable(name))};
}

}  // namespace

Result<std::optional<DeltaTrees::FoundRow>> DeltaTrees::newest_row(DirId directory, std::string_view name) const {
  std::optional<FoundRow> found;
  Result<void> outcome;
  PFS_TRY(parts_.local->scan(Family::kDelta, delta_name_begin(directory, name), delta_name_end(directory, name),
                             [&](std::string_view key, std::string_view value) {
                               auto parsed = parse_delta_key(key);
                               auto row = DeltaRow::decode(value, name);
                               if (!parsed || !row) {
                                 outcome = parsed ? std::move(row).error() : std::move(parsed).error();
                               } else {
                                 found = FoundRow{std::move(*row), parsed->epoch};
                               }
                               return false;
                             }));
  PFS_TRY(std::move(outcome));
  return found;
}

Result<std::optional<std::pair<Epoch, std::string>>> DeltaTrees::newest_numbered(const std::string& begin, const std::string& end,
                                                                                 Epoch up_to,
                                                                                 const LocalDb::Snapshot* at) const {
  std::optional<std::pair<Epoch, std::string>> found;
  PFS_TRY(parts_.local->scan(
      Family::kInode, begin, end,
      [&](std::string_view key, std::string_view value) {
        const auto parsed = parse_numbered_key(key);
        if (parsed && parsed->epoch > up_to) return true;
        if (parsed) found.emplace(parsed->epoch, value);
        return false;
      },
      at));
  return found;
}

Result<NodePtr> DeltaTrees::attach_entry(const NodePtr& directory, const Entry& entry) {
  auto& info = *root_of(*directory).info;
  std::uint32_t names = 1;
  if (entry.link_id != 0) {
    // its names are folded one after the other: the file is what its row says until the last one is
    if (const auto open = info.open_links.find(entry.link_id); open != info.open_links.end()) {
      return attach(directory, entry.name, FoundRow{DeltaRow{open->second.file}, Epoch(~std::uint64_t{0})});
    }
    if (const auto loaded = info.linked_nodes.find(entry.link_id); loaded != info.linked_nodes.end()) {
      if (auto node = loaded->second.lock()) {
        directory->children.put(entry.name, node);
        return node;
      }
    }
    PFS_TRY_ASSIGN(names, count_names(info, entry.link_id));
  }
  auto node = new_node(entry.attributes.kind, entry.attributes);
  node->parent = directory;
  node->name = entry.name;
  if (entry.is_directory()) {
    node->base = entry.subtree;
    node->xattrs = entry.xattrs;
  } else {
    Lock lock(node->mutex);
    node->state = FileState::from_entry(entry);
    node->links = names;
    if (names == 1) node->state.link_id = 0;
    if (names > 1) info.linked_nodes[entry.link_id] = node;
  }
  directory->children.put(entry.name, node);
  return node;
}

Result<NodePtr> DeltaTrees::attach(const NodePtr& directory, std::string_view name, const FoundRow& found) {
  if (const auto* entry = std::get_if<Entry>(&found.row.what)) return attach_entry(directory, *entry);
  if (const auto* file = std::get_if<FileId>(&found.row.what)) {
    if (auto node = files_.find(*file)) {  // by another of its names
      directory->children.put(std::string(name), node);
      return node;
    }
    PFS_TRY_ASSIGN(const auto newest, newest_numbered(file_begin(*file), file_end(*file), Epoch(~std::uint64_t{0}), nullptr));
    if (!newest) return Error{Code::kCorrupt, fmt::format("{}/{}: its row is missing", path_locked(*directory), printable(name))};
    PFS_TRY_ASSIGN(auto state, FileState::decode(newest->second, staging_.get()));
    auto node = new_node(state.attributes.kind, state.attributes);
    node->parent = directory;
    node->name = name;
    {
      Lock lock(node->mutex);
      node->file = *file;
      // both rows must be of this epoch for a write to go ahead without putting them again
      node->marked = std::min(found.epoch, newest->first);
      node->state = std::move(state);
      node->cut_ahead = cut_ahead_->known(*file);
      if (const auto id = node->state.link_id; id != 0) {
        auto& info = *root_of(*directory).info;
        PFS_TRY_ASSIGN(node->links, count_names(info, id));
        info.linked_nodes[id] = node;
      }
    }
    directory->children.put(node->name, node);
    files_.put(*file, node);
    return node;
  }
  if (const auto* below = std::get_if<DirId>(&found.row.what)) {
    PFS_TRY_ASSIGN(const auto newest, newest_numbered(directory_begin(*below), directory_end(*below), Epoch(~std::uint64_t{0}), nullptr));
    if (!newest) return Error{Code::kCorrupt, fmt::format("{}/{}: its row is missing", path_locked(*directory), printable(name))};
    PFS_TRY_ASSIGN(auto row, DirectoryRow::decode(newest->second));
    auto node = new_node(Kind::kDirectory, row.attributes);
    node->parent = directory;
    node->name = name;
    node->directory = *below;
    node->base = row.base;
    node->xattrs = std::move(row.xattrs);
    node->has_rows = true;
    node->marked = std::min(found.epoch, newest->first);
    directory->children.put(node->name, node);
    directories_.put(*below, node);
    return node;
  }
  return not_found(path_locked(*directory), name);
}

Result<NodePtr> DeltaTrees::lookup_locked(const NodePtr& directory, std::string_view name) {
  if (!directory->is_directory()) {
    return Error{Code::kNotDirectory, fmt::format("{}: not a directory", path_locked(*directory))};
  }
  if (auto node = directory->children.find(std::string(name))) return node;
  if (directory->has_rows) {
    PFS_TRY_ASSIGN(const auto found, newest_row(directory->directory, name));
    if (found) return attach(directory, name, *found);
  }
  PFS_TRY_ASSIGN(const auto entry, parts_.trees->find(directory->base.root, name));
  if (!entry) return not_found(path_locked(*directory), name);
  return attach_entry(directory, *entry);
}

Result<NodePtr> DeltaTrees::lookup(const NodePtr& directory, std::string_view name) {
  Lock lock(mutex_);
  if (state_locked(*directory) == NodeState::kOrphaned) {
    return Error{Code::kStale, fmt::format("{}: its branch points elsewhere now", path_locked(*directory))};
  }
  return lookup_locked(directory, name);
}

Result<NodePtr> DeltaTrees::walk(const NodePtr& directory, const RepoPath& path) {
  NodePtr node = directory;
  for (const auto& part : path.parts()) {
    PFS_TRY_ASSIGN(node, lookup(node, part));
  }
  return node;
}

Result<Stat> DeltaTrees::stat(const NodePtr& node) {
  if (node->is_directory()) {
    Lock lock(mutex_);
    return Stat{node->attributes, node->base.totals.bytes, 1, 0};
  }
  Lock lock(node->mutex);
  return Stat{node->state.attributes, node->state.size, node->links, node->state.link_id};
}

Result<Stat> DeltaTrees::stat_of_entry(const TreeInfo& info, const Entry& entry) const {
  PFS_TRY_ASSIGN(const auto names, count_names(info, entry.link_id));
  return Stat{entry.attributes, entry.size(), names, names > 1 ? entry.link_id : 0};
}

Result<Stat> DeltaTrees::stat_of_row(const TreeInfo& info, const DeltaRow& row) const {
  if (const auto* entry = std::get_if<Entry>(&row.what)) return stat_of_entry(info, *entry);
  if (const auto* file = std::get_if<FileId>(&row.what)) {
    PFS_TRY_ASSIGN(const auto newest, newest_numbered(file_begin(*file), file_end(*file), Epoch(~std::uint64_t{0}), nullptr));
    if (!newest) return Error{Code::kCorrupt, fmt::format("file {}: its row is missing", file->value())};
    PFS_TRY_ASSIGN(const auto state, FileState::decode(newest->second));
    PFS_TRY_ASSIGN(const auto names, count_names(info, state.link_id));
    return Stat{state.attributes, state.size, names, state.link_id};
  }
  const auto directory = std::get<DirId>(row.what);
  PFS_TRY_ASSIGN(const auto newest,
                 newest_numbered(directory_begin(directory), directory_end(directory), Epoch(~std::uint64_t{0}), nullptr));
  if (!newest) return Error{Code::kCorrupt, fmt::format("directory {}: its row is missing", directory.value())};
  PFS_TRY_ASSIGN(const auto decoded, DirectoryRow::decode(newest->second));
  return Stat{decoded.attributes, decoded.base.totals.bytes, 1, 0};
}

// Up to kPage names after `after`: the base's entries and the newest row of each name, merged.
Result<std::vector<ListedEntry>> DeltaTrees::merge_page(const NodePtr& directory, const std::string& after, std::string& seen, bool& more) {
  std::vector<std::pair<std::string, DeltaRow>> rows;
  bool more_rows = false;
  Result<void> outcome;
  if (directory->has_rows) {
    const auto from = after.empty() ? delta_directory_begin(directory->directory) : delta_name_end(directory->directory, after);
    PFS_TRY(parts_.local->scan(Family::kDelta, from, delta_directory_end(directory->directory),
                               [&](std::string_view key, std::string_view value) {
                                 auto parsed = parse_delta_key(key);
                                 if (!parsed) {
                                   outcome = std::move(parsed).error();
                                   return false;
                                 }
                                 if (!rows.empty() && rows.back().first == parsed->name) return true;  // an older row
                                 if (rows.size() == kPage) {
                                   more_rows = true;
                                   return false;
                                 }
                                 auto row = DeltaRow::decode(value, parsed->name);
                                 if (!row) {
                                   outcome = std::move(row).error();
                                   return false;
                                 }
                                 rows.emplace_back(std::move(parsed->name), std::move(*row));
                                 return true;
                               }));
    PFS_TRY(std::move(outcome));
  }
  std::vector<Entry> entries;
  bool more_entries = false;
  PFS_TRY(parts_.trees->scan(directory->base.root, after, [&](const Entry& entry) {
    if (entries.size() == kPage) {
      more_entries = true;
      return false;
    }
    entries.push_back(entry);
    return true;
  }));
  // beyond the last name that a cut-off side gave, the other side cannot be merged yet
  std::string last;
  if (more_rows) last = rows.back().first;
  if (more_entries && (last.empty() || entries.back().name < last)) last = entries.back().name;
  more = more_rows || more_entries;

  const TreeInfo& info = *root_of(*directory).info;
  std::vector<ListedEntry> page;
  auto row = rows.begin();
  auto entry = entries.begin();
  const auto within = [&](const std::string& name) { return last.empty() || name <= last; };
  while ((row != rows.end() && within(row->first)) || (entry != entries.end() && within(entry->name))) {
    const bool take_row = row != rows.end() && within(row->first) &&
                          (entry == entries.end() || !within(entry->name) || row->first <= entry->name);
    if (!take_row) {
      PFS_TRY_ASSIGN(const auto stat, stat_of_entry(info, *entry));
      page.push_back({entry->name, stat});
      ++entry;
      continue;
    }
    if (entry != entries.end() && entry->name == row->first) ++entry;
    if (!std::holds_alternative<DeltaRow::Tombstone>(row->second.what)) {
      // a loaded file knows its size better than its row
      NodePtr loaded = directory->children.find(row->first);
      const auto* file = std::get_if<FileId>(&row->second.what);
      if (file != nullptr && !loaded) loaded = files_.find(*file);  // by another of its names
      if (loaded && !loaded->is_directory()) {
        Lock lock(loaded->mutex);
        page.push_back({row->first, Stat{loaded->state.attributes, loaded->state.size, loaded->links, loaded->state.link_id}});
      } else {
        PFS_TRY_ASSIGN(const auto stat, stat_of_row(info, row->second));
        page.push_back({row->first, stat});
      }
    }
    ++row;
  }
  seen = std::move(last);
  return page;
}

Result<std::vector<ListedEntry>> DeltaTrees::list_page(const NodePtr& directory, std::string after, bool& more) {
  more = true;
  std::vector<ListedEntry> page;
  while (page.empty() && more) {  // behind a page of tombstones there may be names
    std::string seen;
    PFS_TRY_ASSIGN(page, merge_page(directory, after, seen, more));
    after = std::move(seen);
  }
  return page;
}

Result<void> DeltaTrees::list(const NodePtr& directory, std::string_view after,
                              const std::function<bool(const ListedEntry&)>& visit) {
  if (!directory->is_directory()) return Error{Code::kNotDirectory, fmt::format("{}: not a directory", path(directory))};
  std::string last(after);
  bool more = true;
  while (more) {
    std::vector<ListedEntry> page;
    {
      Lock lock(mutex_);
      PFS_TRY_ASSIGN(page, list_page(directory, last, more));
    }
    for (const auto& entry : page) {
      if (!visit(entry)) return {};
    }
    if (!page.empty()) last = page.back().name;
  }
  return {};
}

Result<bool> DeltaTrees::is_empty_locked(const NodePtr& directory) {
  bool more = false;
  PFS_TRY_ASSIGN(const auto page, list_page(directory, "", more));
  return page.empty();
}

Result<std::size_t> DeltaTrees::read(const NodePtr& file, std::uint64_t offset, std::span<std::byte> out) {
  if (file->is_directory()) return Error{Code::kIsDirectory, fmt::format("{}: is a directory", path(file))};
  const StagingLog::Pin pin(*staging_);
  std::vector<FileState::Piece> pieces;
  {
    Lock lock(file->mutex);
    pieces = file->state.pieces_of(offset, out.size());
  }
  return read_pieces(pieces, *staging_, *parts_.contents, offset, out);
}

Result<std::string> DeltaTrees::read_link(const NodePtr& symlink) {
  if (symlink->kind != Kind::kSymlink) return Error{Code::kInvalid, fmt::format("{}: not a symlink", path(symlink))};
  PFS_TRY_ASSIGN(const auto stat_now, stat(symlink));
  std::string target(static_cast<std::size_t>(stat_now.size), '\0');
  PFS_TRY_ASSIGN(const auto got, read(symlink, 0, std::as_writable_bytes(std::span(target))));
  target.resize(got);
  return target;
}

Result<Xattrs> DeltaTrees::xattrs(const NodePtr& node) { return load_xattrs(*parts_.objects, kept_xattrs(*node)); }

Xattrs DeltaTrees::kept_xattrs(LiveNode& node) const {
  if (node.is_directory()) {
    Lock lock(mutex_);
    return node.xattrs;
  }
  Lock lock(node.mutex);
  return node.state.xattrs;
}

Result<std::optional<Entry>> DeltaTrees::finished_entry(const NodePtr& node) {
  Lock lock(mutex_);
  if (node->is_directory()) {
    if (node->has_rows) return std::optional<Entry>{};
  } else {
    Lock file_lock(node->mutex);
    if (node->file) return std::optional<Entry>{};
  }
  Entry entry = entry_of(*node);
  return std::optional<Entry>(std::move(entry));
}

}  // namespace pfs::store
