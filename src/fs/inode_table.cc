#include "fs/inode_table.h"

#include <utility>

#include <fmt/format.h>
#include <xxhash.h>

#include "base/codec.h"

namespace pfs::fs {

namespace {

// What is not stored has no pointer to be known by; the role keeps a link apart from the directory
// that the same name becomes, when the open commit of that id is finished. The branch is in it
// because its top directory stays the same node when it is renamed.
std::string key_of(const Found& found, const Inode& parent, std::string_view name) {
  return fmt::format("{}/{}/{}/{}/{}", static_cast<int>(found.role), parent.number.value(), name,
                     found.branch.str(), found.text);
}

}  // namespace

InodeNumber inode_number(InodeNumber parent, std::string_view name, std::uint64_t salt) {
  const auto seen = Encoder().u64(parent.value()).u64(salt).raw(name).str();
  const std::uint64_t number = XXH3_64bits(seen.data(), seen.size());
  // 0 is no number to readdir's callers, and 1 is the root's
  return InodeNumber(number < 2 ? number + 2 : number);
}

InodeNumber inode_number(InodeNumber root, std::uint64_t link_id, std::uint64_t salt) {
  // no name has a slash
  return inode_number(root, Encoder().u8('/').u64(link_id).str(), salt);
}

InodeTable::InodeTable(Found root, NodeId last_used) : next_id_(last_used.value() + 1) {
  numbers_.insert(kRootNumber);
  slots_[kRootNode] = Slot{std::make_shared<Inode>(kRootNode, kRootNumber, std::move(root)), 1, {}};
}

InodePtr InodeTable::remember(const Found& found, const Inode& parent, std::string_view name) {
  const std::string key = found.node ? std::string() : key_of(found, parent, name);
  Lock lock(mutex_);
  NodeId known;
  if (found.node) {
    if (auto it = by_node_.find(found.node.get()); it != by_node_.end()) known = it->second;
  } else {
    if (auto it = by_key_.find(key); it != by_key_.end()) known = it->second;
  }
  if (known) {
    Slot& slot = slots_.at(known);
    ++slot.lookups;
    return slot.inode;
  }
  const NodeId id(next_id_++);
  auto inode = std::make_shared<Inode>(id, free_number(found, parent.number, name), found);
  numbers_.insert(inode->number);
  if (found.node) {
    by_node_[found.node.get()] = id;
  } else {
    by_key_[key] = id;
  }
  slots_[id] = Slot{inode, 1, key};
  return inode;
}

InodeNumber InodeTable::free_number(const Found& found, InodeNumber parent, std::string_view name) const {
  // a number is taken when its node was renamed away or orphaned, and is still known
  for (std::uint64_t salt = 0;; ++salt) {
    const auto number = found.link_id != 0 ? inode_number(found.context->number, found.link_id, salt) : inode_number(parent, name, salt);
    if (!numbers_.contains(number)) return number;
  }
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
  numbers_.erase(slot.inode->number);
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
