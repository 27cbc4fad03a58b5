#pragma once

#include <atomic>
#include <cstdint>
#include <list>

#include "base/sync.h"
#include "fs/ids.h"

namespace pfs::fs {

/// Changes of files that come by another mount than the one whose pages are kept, from before they are made until those pages are
/// dropped. A page of a shared mapping there that is written back meanwhile may have been read before the change: whoever made the
/// change has to make it once more.
///
/// Thread-safe.
class ChangesUnderWay {
 public:
  /// One of them, as long as it lives.
  class Change {
   public:
    /// All of the file, where the length is 0.
    Change(ChangesUnderWay& changes, NodeId file, std::uint64_t offset, std::uint64_t length);
    ~Change();
    Change(const Change&) = delete;
    Change& operator=(const Change&) = delete;

    /// Whether a page was written back over it since the last call, or the beginning.
    bool was_overwritten();

   private:
    friend class ChangesUnderWay;
    ChangesUnderWay& changes_;
    const NodeId file_;
    const std::uint64_t begin_;
    const std::uint64_t end_;
    bool overwritten_ = false;  // guarded by changes_.mutex_
    std::list<Change*>::iterator place_;
  };

  /// A page was written back, and the bytes are stored.
  void overwritten(NodeId file, std::uint64_t offset, std::uint64_t length) PFS_EXCLUDES(mutex_);

 private:
  std::atomic<int> count_ = 0;  // looked at by every page that is written back
  Mutex mutex_{LockRank::kLeaf};
  std::list<Change*> all_ PFS_GUARDED_BY(mutex_);
};

}  // namespace pfs::fs
