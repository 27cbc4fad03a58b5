#pragma once

#include <atomic>
#include <cstdint>

#include "fs/fuse/held_nodes.h"
#include "fs/ids.h"

namespace pfs::fs {

class Vfs;

/// What libfuse hands to every handler and to our reads and writes of /dev/fuse.
struct SessionContext {
  Vfs* vfs = nullptr;
  NodeId root = kRootNode;  ///< what the kernel calls FUSE_ROOT_ID
  /// The kernel caches of one mount are kept in step with what changes. Those of another must not keep what can change: see
  /// SessionOptions.
  bool cached = true;
  HeldNodes held;  ///< used unless `cached`
  /// The `unique` of the INIT request, while its answer has not gone out. atomic: read by one
  /// thread, answered by the same, seen by the others, which get no request before the answer.
  std::atomic<std::uint64_t> init_unique = 0;
  std::uint32_t init_flags = 0;  ///< what the kernel offers
};

}  // namespace pfs::fs
