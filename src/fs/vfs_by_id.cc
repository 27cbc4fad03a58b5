#include <fmt/format.h>

#include "fs/vfs.h"

// File handles: name_to_handle_at(2), and NFS servers. What the kernel does not know any more, or was told by the process
// before, is found by its name where it was noted.

namespace pfs::fs {

void Vfs::note_moved(const store::NodePtr& moved, NodeId directory, std::string_view name) {
  if (node_names_ == nullptr || !moved) return;
  for (const NodeId node : inodes_.known({moved})) node_names_->renamed(node, directory, name);
}

void Vfs::note_removed(NodeId directory, std::string_view name) {
  if (node_names_ != nullptr) node_names_->removed(directory, name);
}

// What was put over a file that the kernel knows are its own bytes now; any other is another file.
void Vfs::note_changed(const store::NodePtr& directory, std::string_view name) {
  const auto above = noted(directory);
  const auto before = above ? node_names_->at(*above, name) : std::nullopt;
  if (!before) return;
  const auto now = trees_.lookup(directory, name);
  const auto known = now ? inodes_.known({*now}) : std::vector<NodeId>();
  if (known.empty() || known.front() != *before) node_names_->removed(*above, name);
}

std::optional<NodeId> Vfs::noted(const store::NodePtr& directory) {
  if (node_names_ == nullptr) return std::nullopt;
  if (const auto known = inodes_.known({directory}); !known.empty()) return known.front();
  const auto branch = trees_.branch_of(directory);
  if (!branch) return std::nullopt;
  auto id = node_names_->at(kRootNode, branch->str());
  const RepoPath path = trees_.repo_path(directory);
  for (const auto& name : path.parts()) {
    if (!id) break;
    id = node_names_->at(*id, name);
  }
  return id;
}

// From the nearest directory above it that is known, name by name. Each of them is remembered while we are at it.
Result<InodePtr> Vfs::remember_from_before(NodeId node) {
  const Error stale{Code::kStale, fmt::format("node {}: forgotten", node.value())};
  std::vector<std::pair<NodeId, NodeNames::Place>> places;
  NodeId above = node;
  auto at = inodes_.find_again(above);
  while (!at) {
    auto place = node_names_ != nullptr ? node_names_->find(above) : std::nullopt;
    if (!place || places.size() > store::kMaxLevels) return stale;
    places.emplace_back(above, *place);
    above = place->parent;
    at = inodes_.find_again(above);
  }
  InodePtr inode = *at;
  for (auto step = places.rbegin(); step != places.rend(); ++step) {
    const auto& [id, place] = *step;
    auto found = find(Caller(), *inode, place.name);
    auto next = found && found->node ? inodes_.remember_as(id, place.generation, *found) : nullptr;
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
  return NameReply{inode->id, inode->generation, *stat, validity(*inode)};
}

Result<NameReply> Vfs::lookup_parent(NodeId node) {
  if (node == kRootNode) return lookup_by_id(node);
  const auto place = node_names_ != nullptr ? node_names_->find(node) : std::nullopt;
  if (!place) return Error{Code::kStale, fmt::format("node {}: forgotten", node.value())};
  return lookup_by_id(place->parent);
}

}  // namespace pfs::fs
