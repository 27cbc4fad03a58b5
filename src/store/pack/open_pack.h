#pragma once

#include <atomic>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "store/chunk/sha256.h"
#include "store/pack/pack_set.h"

namespace pfs::store {

/// A pack in `open/`: its file and what its footer will say.
class PackSet::OpenPack {
 public:
  OpenPack(PackNumber number, PackKind kind, Timestamp opened, File file)
      : number_(number), kind_(kind), opened_(opened), file_(std::move(file)) {}

  /// `bytes` are its header or a whole frame. A frame's header proves the rest of it, so hashing that is enough for the name.
  void note(std::string_view bytes) {
    headers_.add(bytes.substr(0, size_ == 0 ? kPackHeaderSize : kFrameHeaderSize));
    size_ += bytes.size();
  }
  bool has_frames() const { return size_ > kPackHeaderSize; }

  const PackNumber number_;
  const PackKind kind_;
  const Timestamp opened_;
  const File file_;
  // guarded by PackSet::mutex_ until the pack is no longer current; then only its sealer touches them
  std::uint64_t size_ = 0;
  std::vector<FooterEntry> entries_;
  Sha256 headers_;
  std::atomic<bool> sealed_{false};  // read by whoever appended to it
};

}  // namespace pfs::store
