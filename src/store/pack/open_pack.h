#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/shared_sync.h"
#include "store/chunk/sha256.h"
#include "store/pack/pack_set.h"

namespace pfs::store {

/// A pack in `open/`: its file and what its footer will say.
class PackSet::OpenPack {
 public:
  OpenPack(PackNumber number, PackKind kind, Timestamp opened, File file)
      : number_(number), kind_(kind), opened_(opened), file_(std::move(file)) {}

  /// `bytes` are its header, a whole frame, or the beginning of `length` damaged bytes that lie like a frame. A frame's header
  /// proves the rest of it, so hashing that is enough for the name.
  void note(std::string_view bytes) { note(bytes, bytes.size()); }
  void note(std::string_view bytes, std::uint64_t length) {
    headers_.add(bytes.substr(0, size_ == 0 ? kPackHeaderSize : kFrameHeaderSize));
    size_ += length;
  }
  bool has_frames() const { return size_ > kPackHeaderSize; }

  /// Whatever was appended before the call survives a power cut, unless it says otherwise: then it does so for good.
  Result<void> sync();
  bool failed() const { return sync_.failure().has_value(); }
  /// Whether index rows may lead here: it was synced once, or an earlier process left it.
  bool may_be_named() const { return may_be_named_; }
  void set_may_be_named() { may_be_named_ = true; }

  const PackNumber number_;
  const PackKind kind_;
  const Timestamp opened_;
  const File file_;
  // guarded by PackSet::mutex_ until the pack is no longer current; then only its sealer touches them
  std::uint64_t size_ = 0;
  std::vector<FooterEntry> entries_;
  Sha256 headers_;
  std::atomic<bool> sealed_{false};  // read by whoever appended to it

 private:
  SharedSync sync_;  // with nothing else held
  std::atomic<bool> may_be_named_{false};
};

}  // namespace pfs::store
