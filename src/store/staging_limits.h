#pragma once

#include <cstddef>
#include <cstdint>

namespace pfs::store {

/// When staging does what. Tests set them low. Source: docs/format.md "Staging".
struct StagingLimits {
  std::uint64_t segment_bytes = std::uint64_t{64} << 20U;     ///< of the log
  std::uint64_t spool_bytes = std::uint64_t{1} << 20U;        ///< a file bigger than this is staged in a spool
  std::size_t spool_extents = 256;                            ///< and one that is in more pieces
  std::uint64_t overwritten_bytes = std::uint64_t{256} << 10U;  ///< and one of which this much, and twice its size, was overwritten
  std::size_t spool_layers = 3;                               ///< of a file and epoch, before they are merged
  std::uint64_t cut_ahead_bytes = std::uint64_t{4} << 20U;    ///< a new file is cut by so much at a time while it is written; 0: never
  /// Staged bytes stay under twice what is live and 256 MiB: when so much more than twice is staged, it is cleared up.
  std::uint64_t slack_bytes = std::uint64_t{160} << 20U;
};

}  // namespace pfs::store
