#pragma once

#include <cstdint>
#include <functional>
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

/// Who asks.
struct Caller {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::int32_t pid = 0;
  std::uint32_t umask = 0;
  /// The supplementary groups; asked for rarely, because finding out is slow. May be empty.
  std::function<std::vector<std::uint32_t>()> groups;
};

}  // namespace pfs::fs
