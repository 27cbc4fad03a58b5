#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/sync.h"
#include "fs/inode.h"
#include "fs/node_names.h"

namespace pfs::fs {

/// The nodes that the kernel knows, with how often it has looked each one up.
///
/// A node is dropped when the kernel has forgotten every lookup. A stored node is one node by
/// whatever name it is found, also after a rename. Thread-safe; holds its lock for map operations
/// only.
class InodeTable {
 public:
  /// `root` becomes kRootNode and stays. Without `names` an id and generation mean a node until the kernel has forgotten it.
  explicit InodeTable(Found root, NodeNames* names = nullptr);

  /// The node of what was found as `name` in `parent`; its lookup count is one higher when it
  /// returns.
  InodePtr remember(const Found& found, const Inode& parent, std::string_view name)
      PFS_EXCLUDES(mutex_);
  /// The same with the id and generation that it had; the node by which it is known already; null where the id is another's.
  InodePtr remember_as(NodeId id, std::uint32_t generation, const Found& found) PFS_EXCLUDES(mutex_);
  /// As find(), and its lookup count is one higher. Errors: kStale.
  Result<InodePtr> find_again(NodeId id) PFS_EXCLUDES(mutex_);
  /// Errors: kStale (the kernel never heard of it, or has forgotten it).
  Result<InodePtr> find(NodeId id) const PFS_EXCLUDES(mutex_);
  void forget(NodeId id, std::uint64_t count) PFS_EXCLUDES(mutex_);

  /// The ids of those nodes that are known, in the same order.
  std::vector<NodeId> known(const std::vector<store::NodePtr>& nodes) const PFS_EXCLUDES(mutex_);
  std::size_t size() const PFS_EXCLUDES(mutex_);

 private:
  struct Slot {
    InodePtr inode;
    std::uint64_t lookups = 0;
    std::string key;  ///< of nodes that are not stored
  };
  struct Identity {
    NodeId id;
    std::uint32_t generation = 0;
  };
  Identity new_identity(const Found& found, const Inode& parent, std::string_view name) PFS_EXCLUDES(mutex_);
  bool is_taken(NodeId id) const PFS_EXCLUDES(mutex_);
  InodePtr known_again(const Found& found, const std::string& key) PFS_REQUIRES(mutex_);
  InodePtr add(const Identity& identity, const Found& found, const std::string& key) PFS_EXCLUDES(mutex_);

  NodeNames* const names_;
  mutable Mutex mutex_{LockRank::kInodeTable};
  std::unordered_map<NodeId, Slot> slots_ PFS_GUARDED_BY(mutex_);
  std::unordered_map<const store::LiveNode*, NodeId> by_node_ PFS_GUARDED_BY(mutex_);
  std::unordered_map<std::string, NodeId> by_key_ PFS_GUARDED_BY(mutex_);
};

}  // namespace pfs::fs
