#pragma once

#include <functional>
#include <vector>

#include "store/pack/pack_set.h"

namespace pfs::store {

/// Where a frame of a sealed pack is.
struct FramePlace {
  std::uint32_t offset = 0;
  std::uint32_t length = 0;
  std::uint16_t objects = 0;
};

/// Goes over a sealed pack frame by frame, in bounded memory (a footer can be as big as what it tells of).
class SealedPackReader {
 public:
  SealedPackReader(const PackSet& packs, const PackSet::SealedPack& pack) : packs_(packs), pack_(pack) {}

  /// The places of all frames, and whether a repack made the pack. Errors: kCorrupt, kNotFound (it is gone), kIo.
  Result<void> open();
  const std::vector<FramePlace>& frames() const { return frames_; }
  bool is_repacked() const { return repacked_; }

  /// Read and proved by its checksum.
  Result<DecodedFrame> read(const FramePlace& frame, bool with_raw = true) const;
  Location location(const FramePlace& frame, const FrameEntry& entry) const {
    return {pack_.number, frame.offset, frame.length, entry.inner, entry.length};
  }

 private:
  const PackSet& packs_;
  const PackSet::SealedPack pack_;
  std::vector<FramePlace> frames_;
  bool repacked_ = false;
};

}  // namespace pfs::store
