#include "fs/changes_under_way.h"

#include <limits>
#include <utility>

namespace pfs::fs {

ChangesUnderWay::Change::Change(ChangesUnderWay& changes, NodeId file, std::uint64_t offset, std::uint64_t length)
    : changes_(changes),
      file_(file),
      begin_(length == 0 ? 0 : offset),
      end_(length == 0 ? std::numeric_limits<std::uint64_t>::max() : offset + length) {
  Lock lock(changes_.mutex_);
  place_ = changes_.all_.insert(changes_.all_.end(), this);
  ++changes_.count_;
}

ChangesUnderWay::Change::~Change() {
  Lock lock(changes_.mutex_);
  changes_.all_.erase(place_);
  --changes_.count_;
}

bool ChangesUnderWay::Change::was_overwritten() {
  Lock lock(changes_.mutex_);
  return std::exchange(overwritten_, false);
}

void ChangesUnderWay::overwritten(NodeId file, std::uint64_t offset, std::uint64_t length) {
  if (count_ == 0) return;
  Lock lock(mutex_);
  for (auto* change : all_) {
    if (change->file_ == file && offset < change->end_ && change->begin_ < offset + length) change->overwritten_ = true;
  }
}

}  // namespace pfs::fs
