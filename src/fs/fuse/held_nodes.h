#pragma once

#include <cstdint>
#include <unordered_map>
#include <unordered_set>

#include "base/sync.h"
#include "fs/ids.h"

namespace pfs::fs {

class Vfs;

/// What the kernel has of one mount: the lookups that it has not forgotten, the handles that it has not released, and the
/// requests that it waits for. When that mount ends before the Vfs does, the kernel tells nobody: it is given back here.
///
/// Thread-safe.
class HeldNodes {
 public:
  /// Before the kernel is answered, which may forget at once.
  void looked_up(NodeId node) PFS_EXCLUDES(mutex_);
  void forgot(NodeId node, std::uint64_t count) PFS_EXCLUDES(mutex_);
  void opened(HandleId handle) PFS_EXCLUDES(mutex_);
  void released(HandleId handle) PFS_EXCLUDES(mutex_);

  void asked() PFS_EXCLUDES(mutex_);
  void answered() PFS_EXCLUDES(mutex_);
  /// Returns when no request is left that has not been answered.
  void wait_until_answered() PFS_EXCLUDES(mutex_);

  /// All of it. After the last request.
  void give_back(Vfs& vfs) PFS_EXCLUDES(mutex_);

 private:
  Mutex mutex_{LockRank::kLeaf};
  Condition answered_;
  std::uint64_t asked_ PFS_GUARDED_BY(mutex_) = 0;
  std::unordered_map<NodeId, std::uint64_t> lookups_ PFS_GUARDED_BY(mutex_);
  std::unordered_set<HandleId> handles_ PFS_GUARDED_BY(mutex_);
};

}  // namespace pfs::fs
