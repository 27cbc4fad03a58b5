#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "store/pack/pack_format.h"

namespace pfs::store {

/// A frame as it lies in a pack, proved by its checksum.
struct ScannedFrame {
  FrameHeader header;
  std::vector<FrameEntry> entries;
  std::string bytes;  ///< header, table and payload
};

/// The whole, undamaged frame at `offset` of a pack of `size` bytes; none: there is no such.
Result<std::optional<ScannedFrame>> frame_at(const File& pack, std::uint64_t offset, std::uint64_t size);

/// Where the first undamaged frame begins behind what is damaged at `offset`; none: none follows, as behind a torn tail.
/// `is_known`: whether somebody refers to a frame there. What is found anywhere else may be content that somebody has stored, made
/// to look like a frame.
using IsKnownFrame = std::function<Result<bool>(std::uint64_t offset, const ScannedFrame& frame)>;
Result<std::optional<std::uint64_t>> next_frame(const File& pack, std::uint64_t offset, std::uint64_t size, const IsKnownFrame& is_known);

}  // namespace pfs::store
