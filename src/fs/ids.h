#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace pfs::fs {

struct NodeIdTag;
struct InodeNumberTag;
struct HandleIdTag;
/// What the kernel calls a node by: its inode number, so that it means the same after a restart.
using NodeId = Id<NodeIdTag>;
/// st_ino: stable for a path, never shared by two live nodes.
using InodeNumber = Id<InodeNumberTag>;
/// An open file or directory.
using HandleId = Id<HandleIdTag>;

/// The mount's root. Source: FUSE_ROOT_ID in linux/fuse.h.
inline constexpr NodeId kRootNode{1};

inline constexpr InodeNumber kRootNumber{1};

/// The st_ino of a name at first sight: the same path gives the same number after eviction and
/// restart. `salt` is 0 but where the number is taken by another node. Source: docs/format.md "Nodes
/// of the mount".
InodeNumber inode_number(InodeNumber parent, std::string_view name, std::uint64_t salt);
/// The same of a file with several names, by whichever it is found: `root` is the number of its tree's root.
InodeNumber inode_number(InodeNumber root, std::uint64_t link_id, std::uint64_t salt);

/// For an id of which nothing is known, maybe because it was forgotten: at random, so that it is none that the id has had. Not 0.
std::uint32_t random_generation();

/// Who asks.
struct Caller {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::int32_t pid = 0;
  std::uint32_t umask = 0;
  /// Came by another mount than the one whose kernel caches are kept, which must forget what is changed. See SessionOptions.
  bool uncached = false;
  /// The supplementary groups; asked for rarely, because finding out is slow. May be empty.
  std::function<std::vector<std::uint32_t>()> groups{};
};

}  // namespace pfs::fs
