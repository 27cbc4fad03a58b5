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

  void note(std::string_view bytes) {
    hasher_.add(bytes);
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
  Sha256 hasher_;
  std::atomic<bool> sealed_{false};  // read by whoever appended to it
};

}  // namespace pfs::store
