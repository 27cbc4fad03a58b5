#include "fs/inode_table.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace pfs::fs {

namespace {

constexpr std::uint64_t kSaltsInOrder = 8;

std::uint64_t random_salt() { return std::uint64_t{random_generation()} << 32U | random_generation(); }

// What is not stored has no pointer to be known by; the role keeps a link apart from the directory
// that the same name becomes, when the open commit of that id is finished. The branch is in it
// because its top directory stays the same node when it is renamed.
std::string key_of(const Found& found, const Inode& parent, std::string_view name) {
  return fmt::format("{}/{}/{}/{}/{}", static_cast<int>(found.role), parent.number.value(), name,
                     found.branch.str(), found.text);
}

}  // namespace

InodeTable::InodeTable(Found root, NodeNames* names) : names_(names) {
  slots_[kRootNode] = Slot{std::make_shared<Inode>(kRootNode, 0, std::move(root)), 1, {}};
}

InodePtr InodeTable::remember(const Found& found, const Inode& parent, std::string_view name) {
  const std::string key = found.node ? std::string() : key_of(found, parent, name);
  {
    Lock lock(mutex_);
    if (auto known = known_again(found, key)) return known;
  }
  while (true) {
    // another thread may have the id meanwhile, for this node or for another one
    if (auto inode = add(new_identity(found, parent, name), found, key)) return inode;
  }
}

InodePtr InodeTable::remember_as(NodeId id, std::uint32_t generation, const Found& found) {
  return add({id, generation}, found, {});
}

Result<InodePtr> InodeTable::find_again(NodeId id) {
  Lock lock(mutex_);
  const auto it = slots_.find(id);
  if (it == slots_.end()) return Error{Code::kStale, fmt::format("node {}: forgotten", id.value())};
  ++it->second.lookups;
  return it->second.inode;
}

// Not under the lock: a note may wait for the disk.
InodeTable::Identity InodeTable::new_identity(const Found& found, const Inode& parent, std::string_view name) {
  // what is in a job's view is nobody else's
  NodeNames* const names = found.node && !found.context->ownership ? names_ : nullptr;
  const bool linked = found.link_id != 0;
  if (names != nullptr && !linked) {
    const auto id = names->renamed_to(parent.id, name);
    if (id && !is_taken(*id)) {
      if (const auto generation = names->claim(*id, parent.id, name, false)) return {*id, *generation};
    }
  }
  // an id is taken when its node was renamed away, or was orphaned and is still known
  for (std::uint64_t tried = 0;; ++tried) {
    // a name that was given to many files, each of which was renamed: their ids are not tried one by one
    const std::uint64_t salt = tried < kSaltsInOrder ? tried : random_salt();
    const auto number = linked ? inode_number(found.context->number, found.link_id, salt) : inode_number(parent.number, name, salt);
    const NodeId id(number.value());
    if (is_taken(id)) continue;
    if (names == nullptr) return {id, random_generation()};
    if (const auto generation = names->claim(id, parent.id, name, linked)) return {id, *generation};
  }
}

bool InodeTable::is_taken(NodeId id) const {
  Lock lock(mutex_);
  return slots_.contains(id);
}

InodePtr InodeTable::known_again(const Found& found, const std::string& key) {
  NodeId known;
  if (found.node) {
    if (auto it = by_node_.find(found.node.get()); it != by_node_.end()) known = it->second;
  } else {
    if (auto it = by_key_.find(key); it != by_key_.end()) known = it->second;
  }
  if (!known) return nullptr;
  Slot& slot = slots_.at(known);
  ++slot.lookups;
  return slot.inode;
}

InodePtr InodeTable::add(const Identity& identity, const Found& found, const std::string& key) {
  Lock lock(mutex_);
  if (auto known = known_again(found, key)) return known;
  if (slots_.contains(identity.id)) return nullptr;
  const bool is_top = found.role == Role::kBranchRoot || found.role == Role::kCommitRoot;
  if (is_top) found.context->number = InodeNumber(identity.id.value());  // nobody else has the context yet
  auto inode = std::make_shared<Inode>(identity.id, identity.generation, found);
  if (found.node) {
    by_node_[found.node.get()] = identity.id;
  } else {
    by_key_[key] = identity.id;
  }
  slots_[identity.id] = Slot{inode, 1, key};
  return inode;
}

Result<InodePtr> InodeTable::find(NodeId id) const {
  Lock lock(mutex_);
  auto it = slots_.find(id);
  if (it == slots_.end()) return Error{Code::kStale, fmt::format("node {}: forgotten", id.value())};
  return it->second.inode;
}

void InodeTable::forget(NodeId id, std::uint64_t count) {
  InodePtr last;  // its destructor may free a whole tree: after the lock
  Lock lock(mutex_);
  auto it = slots_.find(id);
  if (it == slots_.end() || id == kRootNode) return;
  Slot& slot = it->second;
  slot.lookups -= std::min(slot.lookups, count);
  if (slot.lookups > 0) return;
  if (slot.inode->is_stored()) {
    by_node_.erase(slot.inode->what.node.get());
  } else {
    by_key_.erase(slot.key);
  }
  last = std::move(slot.inode);
  slots_.erase(it);
}

std::vector<NodeId> InodeTable::known(const std::vector<store::NodePtr>& nodes) const {
  std::vector<NodeId> ids;
  Lock lock(mutex_);
  for (const auto& node : nodes) {
    if (auto it = by_node_.find(node.get()); it != by_node_.end()) ids.push_back(it->second);
  }
  return ids;
}

std::size_t InodeTable::size() const {
  Lock lock(mutex_);
  return slots_.size();
}

}  // namespace pfs::fs
