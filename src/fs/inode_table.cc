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

InodeTable::InodeTable(Found root) {
  slots_[kRootNode] = Slot{std::make_shared<Inode>(kRootNode, kRootNumber, std::move(root)), 1, {}};
}

InodePtr InodeTable::remember(const Found& found, const Inode& parent, std::string_view name) {
  Lock lock(mutex_);
  return remember_locked(std::nullopt, found, parent, name);
}

InodePtr InodeTable::remember_as(NodeId id, const Found& found, const Inode& parent, std::string_view name) {
  Lock lock(mutex_);
  return remember_locked(InodeNumber(id.value()), found, parent, name);
}

Result<InodePtr> InodeTable::find_again(NodeId id) {
  Lock lock(mutex_);
  const auto it = slots_.find(id);
  if (it == slots_.end()) return Error{Code::kStale, fmt::format("node {}: forgotten", id.value())};
  ++it->second.lookups;
  return it->second.inode;
}

InodePtr InodeTable::remember_locked(std::optional<InodeNumber> wanted, const Found& found, const Inode& parent,
                                     std::string_view name) {
  const std::string key = found.node ? std::string() : key_of(found, parent, name);
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
  const bool as_wanted = wanted && !slots_.contains(NodeId(wanted->value()));
  const InodeNumber number = as_wanted ? *wanted : free_number(found, parent.number, name);
  const NodeId id(number.value());
  auto inode = std::make_shared<Inode>(id, number, found);
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
    if (!slots_.contains(NodeId(number.value()))) return number;
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
