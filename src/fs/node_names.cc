#include "fs/node_names.h"

#include <cstdint>

#include <spdlog/spdlog.h>

#include "store/live_trees.h"

namespace pfs::fs {

namespace {

NodeId id_of_path(NodeId parent, std::string_view name) { return NodeId(inode_number(InodeNumber(parent.value()), name, 0).value()); }

std::uint32_t next(std::uint32_t generation) { return generation == UINT32_MAX ? 1 : generation + 1; }

bool lies_at(const NodeNote& note, NodeId parent, std::string_view name) { return note.parent == parent && note.name == name; }

}  // namespace

Result<std::unique_ptr<NodeNames>> NodeNames::open(const std::string& path) {
  PFS_TRY_ASSIGN(auto log, NodeLog::open(path));
  std::unique_ptr<NodeNames> names(new NodeNames(std::move(log)));
  Lock lock(names->mutex_);
  names->index_all();
  return names;
}

void NodeNames::index_all() {
  offsets_.clear();
  renamed_.clear();
  for (auto offset = log_->begin(); offset < log_->end();) {
    const auto note = log_->at(offset);
    index(offset, *note);
    offset += NodeLog::size_of(*note);
  }
}

void NodeNames::index(std::uint64_t offset, const NodeNote& note) {
  if (const auto before = newest(note.node); before && !before->is_gone()) {
    const auto other = renamed_.find(id_of_path(before->parent, before->name));
    if (other != renamed_.end() && other->second == note.node) renamed_.erase(other);
  }
  offsets_[note.node] = static_cast<std::uint32_t>(offset);
  if (note.is_gone()) return;
  if (const auto path = id_of_path(note.parent, note.name); path != note.node) renamed_[path] = note.node;
}

void NodeNames::add(const NodeNote& note) {
  NodeNote kept = note;
  const std::string name(note.name);  // may lie in the file, which is about to be another
  if (!full_ && log_->is_full_with(note)) {
    if (auto newest = log_->keep_newest(); !newest) {
      spdlog::warn("{}; file handles of what is met from here on may be stale", newest.error().message);
      full_ = true;
    }
    index_all();
    kept.name = name;
  }
  if (const auto offset = log_->append(kept)) index(*offset, kept);
  else leave_out(note.node);
}

// What is noted of the node is not so any more.
void NodeNames::leave_out(NodeId node) {
  if (const auto before = newest(node); before && !before->is_gone()) {
    const auto other = renamed_.find(id_of_path(before->parent, before->name));
    if (other != renamed_.end() && other->second == node) renamed_.erase(other);
  }
  offsets_.erase(node);
  log_->spoil();
}

std::optional<NodeNote> NodeNames::newest(NodeId node) const {
  const auto found = offsets_.find(node);
  return found != offsets_.end() ? log_->at(found->second) : std::nullopt;
}

std::uint32_t NodeNames::era_of(NodeId directory) const {
  if (directory == kRootNode || replacing_.contains(directory)) return 0;
  const auto note = newest(directory);
  return note && !note->is_gone() ? note->era : 0;
}

// Below a directory of which nothing is known, nothing is.
bool NodeNames::is_of_now(const NodeNote& note) const {
  return note.parent == kRootNode || (note.parent_era != 0 && note.parent_era == era_of(note.parent));
}

bool NodeNames::is_there(NodeNote note) const {
  for (std::size_t level = 0; level < store::kMaxLevels; ++level) {
    if (note.is_gone() || !is_of_now(note)) return false;
    if (note.parent == kRootNode) return true;
    const auto parent = newest(note.parent);
    if (!parent) return false;
    note = *parent;
  }
  return false;
}

std::optional<std::uint32_t> NodeNames::claim(NodeId node, NodeId parent, std::string_view name, bool linked) {
  Lock lock(mutex_);
  const auto before = newest(node);
  if (before && lies_at(*before, parent, name) && is_of_now(*before)) return before->generation;
  const bool is_elsewhere = before && is_there(*before);
  if (is_elsewhere && !linked) return std::nullopt;
  NodeNote note;
  note.node = node;
  note.generation = is_elsewhere ? before->generation : before ? next(before->generation) : random_generation();
  note.era = before ? next(before->era) : note.generation;  // none that it has had, either
  note.parent = parent;
  note.parent_era = era_of(parent);
  note.name = name;
  add(note);
  return note.generation;
}

std::optional<NodeId> NodeNames::at_locked(NodeId parent, std::string_view name) const {
  const auto path = id_of_path(parent, name);
  if (const auto found = renamed_.find(path); found != renamed_.end()) {
    const auto note = newest(found->second);
    if (note && lies_at(*note, parent, name)) return found->second;
  }
  const auto note = newest(path);
  return note && lies_at(*note, parent, name) ? std::optional(path) : std::nullopt;
}

std::optional<NodeId> NodeNames::at(NodeId parent, std::string_view name) {
  Lock lock(mutex_);
  return at_locked(parent, name);
}

std::optional<NodeId> NodeNames::renamed_to(NodeId parent, std::string_view name) {
  Lock lock(mutex_);
  if (renamed_.empty()) return std::nullopt;
  const auto found = renamed_.find(id_of_path(parent, name));
  if (found == renamed_.end()) return std::nullopt;
  const auto note = newest(found->second);
  const bool lies_there = note && lies_at(*note, parent, name) && is_of_now(*note);
  return lies_there ? std::optional(found->second) : std::nullopt;
}

std::optional<NodeNames::Place> NodeNames::find(NodeId node) {
  Lock lock(mutex_);
  const auto note = newest(node);
  if (!note || !is_there(*note)) return std::nullopt;
  return Place{note->parent, std::string(note->name), note->generation};
}

void NodeNames::renamed(NodeId node, NodeId parent, std::string_view name) {
  Lock lock(mutex_);
  auto note = newest(node);
  if (!note) return;
  note->parent = parent;
  note->parent_era = era_of(parent);
  note->name = name;
  add(*note);
}

void NodeNames::removed(NodeId parent, std::string_view name) {
  Lock lock(mutex_);
  // a file with several names is noted under its own id, and may have been under the path's before
  while (const auto node = at_locked(parent, name)) {
    auto note = *newest(*node);
    note.parent = NodeId();
    note.parent_era = 0;
    note.name = {};
    add(note);
  }
}

void NodeNames::replacing(const std::vector<NodeId>& directories) {
  Lock lock(mutex_);
  for (const NodeId directory : directories) {
    ++replacing_[directory];
    auto note = newest(directory);
    if (!note) continue;
    note->era = next(note->era);
    add(*note);
  }
}

void NodeNames::replaced(const std::vector<NodeId>& directories) {
  Lock lock(mutex_);
  for (const NodeId directory : directories) {
    const auto found = replacing_.find(directory);
    if (found != replacing_.end() && --found->second == 0) replacing_.erase(found);
  }
}

}  // namespace pfs::fs
