#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/codec.h"
#include "store/repo/delta_trees.h"
#include "store/tree/link_index.h"

// Hard links in live trees. docs/architecture.md "Hard links" tells how.

namespace pfs::store {

namespace {

std::vector<std::string_view> parts_of(std::string_view path) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto slash = path.find('/');
    parts.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return parts;
    path.remove_prefix(slash + 1);
  }
}

}  // namespace

// Random, so that trees that come together later hardly ever meet in one; made sure of within the tree.
Result<std::uint64_t> DeltaTrees::new_link_id(const TreeInfo& info) const {
  for (;;) {
    const auto random = random_bytes_16();
    const auto id = Decoder({reinterpret_cast<const char*>(random.data()), random.size()}).u64();
    if (id == 0 || info.open_links.contains(id)) continue;
    PFS_TRY_ASSIGN(const auto names, link_count(*parts_.trees, info.links, id));
    if (names == 0) return id;
  }
}

Result<std::uint32_t> DeltaTrees::count_names(const TreeInfo& info, std::uint64_t link_id) const {
  if (link_id == 0) return std::uint32_t{1};
  if (const auto open = info.open_links.find(link_id); open != info.open_links.end()) {
    return static_cast<std::uint32_t>(open->second.names.size());
  }
  PFS_TRY_ASSIGN(const auto names, link_count(*parts_.trees, info.links, link_id));
  return std::max(names, std::uint32_t{1});
}

// The row that makes a name of an open link lead to its file.
Result<void> DeltaTrees::put_link_name(const OpenLink::Name& at, FileId file, Change& change) {
  PFS_TRY(mark_directory(*at.directory, change));
  change.batch.put(Family::kDelta, delta_key(at.directory->directory, at.name, Epoch(epoch_)), DeltaRow{file}.encode());
  return {};
}

// All names of an open link but for those of `except` in the current epoch, and the file's row.
Result<void> DeltaTrees::put_link(LiveNode& node, const OpenLink& link, const std::set<OpenLink::Name>* except, Change& change) {
  bool names_too = false;
  {
    Lock lock(node.mutex);
    names_too = node.marked.value() != epoch_;
    node.rows_unsynced = true;
    change.batch.put(Family::kInode, file_key(link.file, Epoch(epoch_)), node.state.encode());
  }
  if (!names_too) return {};
  for (const auto& name : link.names) {
    if (except == nullptr || !except->contains(name)) PFS_TRY(put_link_name(name, link.file, change));
  }
  return {};
}

// The names of a link that is not open: no directory with one of them below it was moved since the base was finished (that
// opens the link), so they are where the base has them.
Result<std::set<OpenLink::Name>> DeltaTrees::names_of_closed(const NodePtr& root, const NodePtr& node, std::uint64_t link_id) {
  PFS_TRY_ASSIGN(const auto paths, link_paths(*parts_.trees, root->info->links, link_id));
  std::set<OpenLink::Name> names;
  for (const auto& path : paths) {
    const auto parts = parts_of(path);
    NodePtr directory = root;
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      PFS_TRY_ASSIGN(directory, lookup_locked(directory, parts[i]));
    }
    PFS_TRY_ASSIGN(const auto found, lookup_locked(directory, parts.back()));
    if (found != node) {
      return Error{Code::kCorrupt, fmt::format("{}: its other name {} is another file", path_locked(*node), printable(path))};
    }
    names.insert({directory, std::string(parts.back())});
  }
  return names;
}

// Before a file with several names is changed in any way, each of them gets a row that leads to the file. Changes nothing that
// anybody could see.
Result<void> DeltaTrees::open_link(const NodePtr& node) {
  if (node->is_directory() || node->link != NodeState::kLinked) return {};
  LiveNode& top = root_of(*node);
  auto& info = *top.info;
  std::uint64_t id = 0;
  {
    Lock lock(node->mutex);
    id = node->state.link_id;
  }
  if (id == 0 || info.open_links.contains(id)) return {};
  OpenLink link;
  PFS_TRY_ASSIGN(link.names, names_of_closed(top.shared_from_this(), node, id));
  PFS_TRY_ASSIGN(const auto number, new_id(info));
  link.file = FileId(number);
  Change change;
  PFS_TRY(put_link(*node, link, nullptr, change));
  PFS_TRY(apply(change));
  {
    Lock lock(node->mutex);
    node->file = link.file;
    node->marked = Epoch(epoch_);
  }
  files_.put(link.file, node);
  info.open_links[id] = std::move(link);
  return {};
}

// A directory that moves takes its names with it: the links below it are opened, so that nobody looks for them where the base
// has them. Those that are frozen and not folded yet stay open, in the current epoch.
Result<void> DeltaTrees::open_links_below(const NodePtr& directory) {
  PFS_TRY(open_closed_below(directory));
  auto& info = *root_of(*directory).info;
  if (!info.frozen) return {};
  for (const auto& [id, link] : info.open_links) {
    const auto inside = std::find_if(link.names.begin(), link.names.end(),
                                     [&](const auto& name) { return is_at_or_below(*name.directory, *directory); });
    if (inside == link.names.end()) continue;
    PFS_TRY_ASSIGN(const auto node, lookup_locked(inside->directory, inside->name));
    Change change;
    PFS_TRY(put_link(*node, link, nullptr, change));
    PFS_TRY(apply(change));
    Lock lock(node->mutex);
    node->marked = Epoch(epoch_);
  }
  return {};
}

Result<void> DeltaTrees::open_closed_below(const NodePtr& directory) {
  if (directory->base.totals.links == 0) return {};
  std::vector<Entry> entries;
  PFS_TRY(parts_.trees->diff_links(empty_subtree().root, directory->base.root,
                                   [&](const std::optional<Entry>&, const std::optional<Entry>& entry) {
                                     entries.push_back(*entry);
                                     return true;
                                   }));
  for (const auto& entry : entries) {
    if (directory->has_rows) {
      PFS_TRY_ASSIGN(const auto row, newest_row(directory->directory, entry.name));
      // whatever a row says of a file is no closed link
      if (row && !std::holds_alternative<DirId>(row->row.what)) continue;
    }
    PFS_TRY_ASSIGN(const auto node, lookup_locked(directory, entry.name));
    if (node->is_directory()) {
      PFS_TRY(open_closed_below(node));
    } else {
      PFS_TRY(open_link(node));
    }
  }
  return {};
}

Result<void> DeltaTrees::link(const NodePtr& node, const NodePtr& directory, std::string_view name) {
  reap();
  PFS_TRY(check_entry_name(name));
  Lock lock(mutex_);
  wait_while_held(*directory);
  PFS_TRY(check_changeable(*directory));
  if (node->is_directory()) {
    return Error{Code::kNotPermitted, fmt::format("{}: a directory has one name only", path_locked(*node))};
  }
  if (node->link == NodeState::kRemoved) return Error{Code::kNotFound, "the file has been removed"};
  if (state_locked(*node) != NodeState::kLinked) {
    return Error{Code::kStale, fmt::format("{}: its branch points elsewhere now", path_locked(*node))};
  }
  LiveNode& top = root_of(*node);
  if (&top != &root_of(*directory)) {
    return Error{Code::kCrossDevice, fmt::format("{}: a hard link has all its names in one branch", path_locked(*node))};
  }
  auto existing = lookup_locked(directory, name);
  if (existing) return Error{Code::kExists, fmt::format("{}: exists", path_locked(**existing))};
  if (existing.error().code != Code::kNotFound) return std::move(existing).error();
  PFS_TRY(open_link(node));

  auto& info = *top.info;
  std::uint64_t id = 0;
  bool has_row = false;
  {
    Lock file_lock(node->mutex);
    id = node->state.link_id;
    has_row = static_cast<bool>(node->file);
  }
  const bool first = id == 0;
  OpenLink link;
  if (first) {
    PFS_TRY_ASSIGN(id, new_link_id(info));
    link.names.insert({node->parent, node->name});
    link.file = node->file;
    if (!has_row) {
      PFS_TRY_ASSIGN(const auto number, new_id(info));
      link.file = FileId(number);
    }
  } else {
    link.file = info.open_links[id].file;
    if (info.open_links[id].names.size() >= kMaxLinks) {
      return Error{Code::kTooManyLinks, fmt::format("{}: a file has {} names at most", path_locked(*node), kMaxLinks)};
    }
  }
  Change change;
  PFS_TRY(touch_directory(*directory, change));
  Timestamp ctime;
  {
    Lock file_lock(node->mutex);
    ctime = std::exchange(node->state.attributes.ctime, directory->attributes.mtime);
    node->state.link_id = id;
    if (!has_row) node->marked = {};  // its row was an entry
  }
  const OpenLink::Name added{directory, std::string(name)};
  Result<void> done = put_link(*node, first ? link : info.open_links[id], nullptr, change);
  if (done) done = put_link_name(added, link.file, change);
  if (done) done = apply(change);
  Lock file_lock(node->mutex);
  if (!done) {
    node->state.attributes.ctime = ctime;
    if (first) node->state.link_id = 0;
    return done;
  }
  node->file = link.file;
  node->marked = Epoch(epoch_);
  if (first) info.open_links[id] = std::move(link);
  auto& names = info.open_links[id].names;
  names.insert(added);
  node->links = static_cast<std::uint32_t>(names.size());
  info.linked_nodes[id] = node;
  files_.put(node->file, node);
  directory->children.put(added.name, node);
  note_change(*directory);
  return {};
}

// ---- over restarts and commits

// After a start: the rows of the branch are searched for names of the files that are open links.
Result<void> DeltaTrees::find_open_links(const NodePtr& root) {
  if (linked_files_.empty()) return {};
  std::vector<NodePtr> next{root};
  while (!next.empty()) {
    const NodePtr directory = std::move(next.back());
    next.pop_back();
    std::vector<std::pair<std::string, DeltaRow>> rows;
    Result<void> outcome;
    PFS_TRY(parts_.local->scan(Family::kDelta, delta_directory_begin(directory->directory), delta_directory_end(directory->directory),
                               [&](std::string_view key, std::string_view value) {
                                 auto parsed = parse_delta_key(key);
                                 auto row = parsed ? DeltaRow::decode(value, parsed->name) : Result<DeltaRow>(parsed.error());
                                 if (!row) {
                                   outcome = std::move(row).error();
                                   return false;
                                 }
                                 // the newest row of a name comes first
                                 if (rows.empty() || rows.back().first != parsed->name) {
                                   rows.emplace_back(std::move(parsed->name), std::move(*row));
                                 }
                                 return true;
                               }));
    PFS_TRY(std::move(outcome));
    for (const auto& [name, row] : rows) {
      if (std::holds_alternative<DirId>(row.what)) {
        PFS_TRY_ASSIGN(auto below, lookup_locked(directory, name));
        next.push_back(std::move(below));
      } else if (const auto* file = std::get_if<FileId>(&row.what); file != nullptr && linked_files_.contains(*file)) {
        auto& link = root->info->open_links[linked_files_.at(*file)];
        link.file = *file;
        link.names.insert({directory, name});
      }
    }
  }
  return {};
}

// The last step of folding: only when all directories have the new entries may the rows of the files go.
Result<void> DeltaTrees::fold_links(TreeInfo& info, const FoldContext& context, LocalBatch& batch, Dropped& dropped) {
  for (const auto& [file, link] : context.linked) {
    FileRows rows(*parts_.local, file, nullptr);
    PFS_TRY_ASSIGN(auto found, read_folded(rows, file, context.epoch));
    if (found.newest) PFS_TRY(fold_file(batch, file, found, link.content, context.epoch, dropped));
    if (found.newest > context.epoch) continue;
    const auto open = info.open_links.find(link.link_id);
    if (open != info.open_links.end() && open->second.file == file) info.open_links.erase(open);
  }
  std::erase_if(info.linked_nodes, [](const auto& each) { return each.second.expired(); });
  return {};
}

Result<Digest> DeltaTrees::links_of(const FinishedTree& base, const Subtree& root) {
  ObjectWriter writer(*parts_.objects);
  PFS_TRY_ASSIGN(const auto links, update_links(*parts_.trees, writer, base.links, base.root, root));
  PFS_TRY(writer.flush());
  return links;
}

}  // namespace pfs::store
