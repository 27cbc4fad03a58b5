#pragma once

#include <atomic>
#include <cstdint>

namespace pfs::fs {

class Vfs;

/// What libfuse hands to every handler and to our reads and writes of /dev/fuse.
struct SessionContext {
  Vfs* vfs = nullptr;
  /// The `unique` of the INIT request, while its answer has not gone out. atomic: read by one
  /// thread, answered by the same, seen by the others, which get no request before the answer.
  std::atomic<std::uint64_t> init_unique = 0;
  std::uint32_t init_flags = 0;  ///< what the kernel offers
};

}  // namespace pfs::fs
