#include <map>

#include <fmt/format.h>

#include "store/repo/delta_trees.h"

// Names of hard links that go, move and are copied. docs/architecture.md "Hard links" tells how.

namespace pfs::store {

// ---- names that go

Result<DeltaTrees::Departure> DeltaTrees::open_departure(const NodePtr& directory, std::string_view name, bool with_content) {
  Departure departure;
  auto& info = *root_of(*directory).info;
  const bool tree_has_links = !info.open_links.empty() || info.links != empty_subtree().root;
  if (!tree_has_links) {
    departure.node = directory->children.find(std::string(name));
    if (departure.node || !with_content || !directory->has_rows) return departure;
    // what is staged of it is given up with it, also where nobody has loaded it
    PFS_TRY_ASSIGN(const auto row, newest_row(directory->directory, name));
    if (row && (std::holds_alternative<FileId>(row->row.what) || std::holds_alternative<DirId>(row->row.what))) {
      PFS_TRY_ASSIGN(departure.node, attach(directory, name, *row));
    }
    return departure;
  }
  auto found = lookup_locked(directory, name);
  if (!found) return found.error().code == Code::kNotFound ? Result<Departure>(departure) : std::move(found).error();
  departure.node = *found;
  std::map<std::uint64_t, std::set<OpenLink::Name>> going;
  if (departure.node->is_directory()) {
    if (!with_content) return departure;
    PFS_TRY(open_closed_below(departure.node));
    for (const auto& [id, link] : info.open_links) {
      for (const auto& at : link.names) {
        if (is_at_or_below(*at.directory, *departure.node)) going[id].insert(at);
      }
    }
  } else {
    PFS_TRY(open_link(departure.node));
    Lock lock(departure.node->mutex);
    if (departure.node->state.link_id != 0) going[departure.node->state.link_id].insert({directory, std::string(name)});
  }
  for (auto& [id, names] : going) {
    PFS_TRY_ASSIGN(auto node, lookup_locked(names.begin()->directory, names.begin()->name));
    Timestamp ctime;
    {
      Lock lock(node->mutex);
      ctime = node->state.attributes.ctime;
    }
    departure.links.push_back({id, std::move(node), std::move(names), ctime});
  }
  return departure;
}

// The rows of the names that stay. A file with one name left is an ordinary file again. Those that go with a directory lead
// to it no more: it may live on by the others, and is not to be dropped with what is in the directory.
Result<void> DeltaTrees::put_departure(const Departure& departure, TreeInfo& info, Change& change) {
  for (const auto& going : departure.links) {
    const auto& link = info.open_links.at(going.id);
    const auto left = link.names.size() - going.names.size();
    {
      Lock lock(going.node->mutex);
      going.node->state.attributes.ctime = parts_.clock->now();
      if (left == 1) going.node->state.link_id = 0;
    }
    if (left > 0) PFS_TRY(put_link(*going.node, link, &going.names, change));
    if (!departure.node->is_directory()) continue;
    for (const auto& at : going.names) {
      change.batch.put(Family::kDelta, delta_key(at.directory->directory, at.name, Epoch(epoch_)),
                       DeltaRow{DeltaRow::Tombstone{}}.encode());
    }
  }
  return {};
}

void DeltaTrees::end_departure(const Departure& departure, TreeInfo& info, LiveNode& directory, std::string_view name, bool done) {
  for (const auto& going : departure.links) {
    const auto link = info.open_links.find(going.id);
    Lock lock(going.node->mutex);
    if (!done) {
      going.node->state.attributes.ctime = going.ctime;
      going.node->state.link_id = going.id;
      continue;
    }
    auto& names = link->second.names;
    for (const auto& at : going.names) {
      names.erase(at);
      at.directory->children.erase(at.name);
    }
    going.node->links = static_cast<std::uint32_t>(names.size());
    if (!names.empty()) {
      going.node->marked = Epoch(epoch_);
      going.node->parent = names.begin()->directory;
      going.node->name = names.begin()->name;
    }
    if (names.size() > 1) continue;
    info.linked_nodes.erase(going.id);
    info.open_links.erase(link);
  }
  if (!done || !departure.node) return;
  // what has no other name is gone
  for (const auto& going : departure.links) {
    if (going.node->links == 0) lose_name(*going.node, NodeState::kRemoved);
  }
  if (departure.links.empty() || departure.node->is_directory()) lose_name(*departure.node, NodeState::kRemoved);
  if (departure.node->is_directory()) depart(*departure.node);
  directory.children.erase(std::string(name));
}

// ---- names that move

Result<std::vector<DeltaTrees::MovedLink>> DeltaTrees::open_moved_links(const NodePtr& node, const LiveNode& from, const LiveNode& to) {
  std::vector<MovedLink> moved;
  const auto& info = *from.info;
  const bool across = &from != &to;
  const auto refused = [&](const char* why) PFS_REQUIRES(mutex_) {
    return Error{Code::kCrossDevice, fmt::format("{}: {} other names, which would stay behind", path_locked(*node), why)};
  };
  if (!node->is_directory()) {
    if (!across) {
      PFS_TRY(open_link(node));
      return moved;
    }
    Lock lock(node->mutex);
    return node->state.link_id == 0 ? Result<std::vector<MovedLink>>(std::move(moved)) : refused("the file has");
  }
  PFS_TRY(open_links_below(node));
  if (!across) return moved;
  for (const auto& [id, link] : info.open_links) {
    std::size_t inside = 0;
    for (const auto& name : link.names) {
      if (is_at_or_below(*name.directory, *node)) ++inside;
    }
    if (inside == 0) continue;
    if (inside < link.names.size()) return refused("a file in it has");
    const auto& first = *link.names.begin();
    PFS_TRY_ASSIGN(auto file, lookup_locked(first.directory, first.name));
    // the branch that it comes to may know the old one
    PFS_TRY_ASSIGN(const auto new_id_there, new_link_id(*to.info));
    moved.push_back({id, new_id_there, std::move(file)});
  }
  return moved;
}

Result<void> DeltaTrees::put_moved_links(const std::vector<MovedLink>& moved, const TreeInfo& from, Change& change) {
  for (const auto& link : moved) {
    {
      Lock lock(link.node->mutex);
      link.node->state.link_id = link.new_id;
    }
    PFS_TRY(put_link(*link.node, from.open_links.at(link.old_id), nullptr, change));
  }
  return {};
}

void DeltaTrees::end_moved_links(const std::vector<MovedLink>& moved, TreeInfo& from, TreeInfo& to, bool done) {
  for (const auto& link : moved) {
    Lock lock(link.node->mutex);
    if (!done) {
      link.node->state.link_id = link.old_id;
      continue;
    }
    link.node->marked = Epoch(epoch_);
    to.open_links[link.new_id] = std::move(from.open_links.at(link.old_id));
    to.linked_nodes[link.new_id] = link.node;
    from.open_links.erase(link.old_id);
    from.linked_nodes.erase(link.old_id);
  }
}

// The rows of all names of a file that stay where they are.
Result<void> DeltaTrees::put_names(LiveNode& node, Change& change) {
  if (const auto* link = open_link_of(node)) return put_link(node, *link, nullptr, change);
  return put_name(*node.parent, node.name, node, change);
}

const OpenLink* DeltaTrees::open_link_of(LiveNode& node) {
  if (node.is_directory()) return nullptr;
  Lock lock(node.mutex);
  if (node.state.link_id == 0) return nullptr;
  const auto& links = root_of(node).info->open_links;
  const auto found = links.find(node.state.link_id);
  return found == links.end() ? nullptr : &found->second;
}

Result<void> DeltaTrees::put_renamed(LiveNode& node, const OpenLink::Name& from, LiveNode& to, std::string_view to_name, Change& change) {
  const auto* link = open_link_of(node);
  if (link == nullptr) return put_name(to, to_name, node, change);
  const std::set<OpenLink::Name> leaves{from};
  PFS_TRY(put_link(node, *link, &leaves, change));
  change.batch.put(Family::kDelta, delta_key(to.directory, to_name, Epoch(epoch_)), DeltaRow{link->file}.encode());
  return {};
}

void DeltaTrees::end_renamed(const NodePtr& node, const OpenLink::Name& from, const NodePtr& to, std::string_view to_name) {
  const OpenLink::Name renamed{to, std::string(to_name)};
  const bool linked = open_link_of(*node) != nullptr;
  if (linked) {
    Lock lock(node->mutex);
    auto& names = root_of(*node).info->open_links.at(node->state.link_id).names;
    names.erase(from);
    names.insert(renamed);
    node->marked = Epoch(epoch_);
  } else if (!node->is_directory()) {
    Lock lock(node->mutex);
    if (node->file) node->marked = Epoch(epoch_);  // its row was put in this epoch: the next goes over it
  }
  if (!linked || (node->parent == from.directory && node->name == from.name)) {
    node->parent = to;
    node->name = to_name;
  }
  to->children.put(renamed.name, node);
}

// ---- copies

// A finished directory with hard links below it, made a live one: its links are open from the start and have ids of their own,
// so that they are never one with those of what it was copied from.
Result<NodePtr> DeltaTrees::graft(const NodePtr& directory, const Entry& entry, Change& change, std::map<std::uint64_t, OpenLink>& links) {
  PFS_TRY_ASSIGN(const auto top, attach_entry(directory, entry));
  PFS_TRY(mark_directory(*top, change));
  struct Found {
    OpenLink::Name at;
    Entry entry;
  };
  std::map<std::uint64_t, std::vector<Found>> by_id;
  std::vector<NodePtr> next{top};
  while (!next.empty()) {
    const NodePtr at = std::move(next.back());
    next.pop_back();
    std::vector<Entry> entries;
    PFS_TRY(parts_.trees->diff_links(empty_subtree().root, at->base.root,
                                     [&](const std::optional<Entry>&, const std::optional<Entry>& found) {
                                       entries.push_back(*found);
                                       return true;
                                     }));
    for (const auto& found : entries) {
      if (found.is_directory()) {
        PFS_TRY_ASSIGN(auto below, attach_entry(at, found));
        next.push_back(std::move(below));
      } else {
        by_id[found.link_id].push_back({{at, found.name}, found});
      }
    }
  }
  auto& info = *root_of(*directory).info;
  const Epoch epoch(epoch_);
  for (auto& [old_id, found] : by_id) {
    if (found.size() == 1) {  // its other names were elsewhere
      auto& [at, alone] = found.front();
      PFS_TRY(mark_directory(*at.directory, change));
      alone.link_id = 0;
      change.batch.put(Family::kDelta, delta_key(at.directory->directory, at.name, epoch), DeltaRow{std::move(alone)}.encode());
      continue;
    }
    OpenLink link;
    PFS_TRY_ASSIGN(const auto id, new_link_id(info));
    PFS_TRY_ASSIGN(const auto number, new_id(info));
    link.file = FileId(number);
    auto state = FileState::from_entry(found.front().entry);
    state.link_id = id;
    change.batch.put(Family::kInode, file_key(link.file, epoch), state.encode());
    for (auto& [at, ignored] : found) {
      PFS_TRY(put_link_name(at, link.file, change));
      link.names.insert(std::move(at));
    }
    links[id] = std::move(link);
  }
  return top;
}

}  // namespace pfs::store
