#include <fmt/format.h>

#include "fs/vfs.h"

// File handles: name_to_handle_at(2), and NFS servers. What the kernel does not know any more, or was told by the process
// before, is found by its name where it was noted.

namespace pfs::fs {

// What is in a job's view is nobody else's.
void Vfs::note_place(Inode& inode, const Inode& directory, std::string_view name) {
  if (node_names_ == nullptr || !inode.is_stored() || inode.what.context->ownership) return;
  if (!inode.noted.exchange(true)) node_names_->note(inode.id, directory.id, name);
}

void Vfs::note_moved(const store::NodePtr& moved, NodeId directory, std::string_view name) {
  if (node_names_ == nullptr || !moved) return;
  for (const NodeId node : inodes_.known({moved})) node_names_->note(node, directory, name);
}

// From the nearest directory above it that is known, name by name. Each of them is remembered while we are at it.
Result<InodePtr> Vfs::remember_from_before(NodeId node) {
  const Error stale{Code::kStale, fmt::format("node {}: forgotten", node.value())};
  std::vector<std::pair<NodeId, std::string>> names;
  NodeId above = node;
  auto at = inodes_.find_again(above);
  while (!at) {
    auto place = node_names_ != nullptr ? node_names_->find(above) : std::nullopt;
    if (!place || names.size() > store::kMaxLevels) return stale;
    names.emplace_back(above, std::move(place->name));
    above = place->parent;
    at = inodes_.find_again(above);
  }
  InodePtr inode = *at;
  for (auto step = names.rbegin(); step != names.rend(); ++step) {
    auto found = find(Caller(), *inode, step->second);
    auto next = found && found->node ? inodes_.remember_as(step->first, *found, *inode, step->second) : nullptr;
    if (next) next->noted = true;
    inodes_.forget(inode->id, 1);
    if (next == nullptr) return stale;
    inode = std::move(next);
  }
  if (inode->id == node) return inode;
  // another file has its name, or it is known by another
  inodes_.forget(inode->id, 1);
  return stale;
}

Result<NameReply> Vfs::lookup_by_id(NodeId node) {
  PFS_TRY_ASSIGN(const auto inode, remember_from_before(node));
  auto stat = is_orphan(*inode) ? Result<NodeStat>(Error{Code::kStale, "of a branch that points elsewhere now"}) : stat_of(*inode);
  if (!stat) {
    inodes_.forget(inode->id, 1);
    return std::move(stat).error();
  }
  return NameReply{inode->id, *stat, validity(*inode)};
}

Result<NameReply> Vfs::lookup_parent(NodeId node) {
  if (node == kRootNode) return lookup_by_id(node);
  const auto place = node_names_ != nullptr ? node_names_->find(node) : std::nullopt;
  if (!place) return Error{Code::kStale, fmt::format("node {}: forgotten", node.value())};
  return lookup_by_id(place->parent);
}

}  // namespace pfs::fs
