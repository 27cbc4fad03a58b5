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

namespace pfs::fs {

/// The st_ino of a name at first sight: the same path gives the same number after eviction and
/// restart. `salt` is 0 but where the number is taken by another live node. Source:
/// docs/semantics.md "Identity".
InodeNumber inode_number(InodeNumber parent, std::string_view name, std::uint64_t salt);
/// The same of a file with several names, by whichever it is found: `root` is the number of its tree's root.
InodeNumber inode_number(InodeNumber root, std::uint64_t link_id, std::uint64_t salt);

/// The nodes that the kernel knows, with how often it has looked each one up.
///
/// A node is dropped when the kernel has forgotten every lookup. A stored node is one node by
/// whatever name it is found, also after a rename. Thread-safe; holds its lock for map operations
/// only.
class InodeTable {
 public:
  /// `root` becomes kRootNode and stays.
  explicit InodeTable(Found root);

  /// The node of what was found as `name` in `parent`; its lookup count is one higher when it
  /// returns.
  InodePtr remember(const Found& found, const Inode& parent, std::string_view name)
      PFS_EXCLUDES(mutex_);
  /// The same with the id that it had; another id where it is known by that already.
  InodePtr remember_as(NodeId id, const Found& found, const Inode& parent, std::string_view name)
      PFS_EXCLUDES(mutex_);
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
  InodePtr remember_locked(std::optional<InodeNumber> wanted, const Found& found, const Inode& parent, std::string_view name)
      PFS_REQUIRES(mutex_);
  InodeNumber free_number(const Found& found, InodeNumber parent, std::string_view name) const PFS_REQUIRES(mutex_);

  mutable Mutex mutex_{LockRank::kInodeTable};
  std::unordered_map<NodeId, Slot> slots_ PFS_GUARDED_BY(mutex_);
  std::unordered_map<const store::LiveNode*, NodeId> by_node_ PFS_GUARDED_BY(mutex_);
  std::unordered_map<std::string, NodeId> by_key_ PFS_GUARDED_BY(mutex_);
};

}  // namespace pfs::fs
