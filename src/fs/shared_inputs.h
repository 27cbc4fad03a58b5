#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/sync.h"
#include "fs/inode.h"
#include "store/live_trees.h"

namespace pfs::fs {

/// Files that several jobs' views show by one node, so that the kernel keeps their pages once: ten
/// workers that read a model read it from the store one time.
///
/// A view shows a file by the shared node until it wants to change it. That is told by kStale, upon
/// which the kernel looks the name up once more and is given the view's own node. Shared is what has
/// the same path, content, mode and times, in views of the same owner; files that are small, linked
/// or have attributes are not. Thread-safe; calls the store without holding its lock.
class SharedInputs {
 public:
  SharedInputs(store::LiveTrees& trees, const Clock& clock) : trees_(trees), clock_(clock) {}

  /// The node to show for the view's own node of the file; the own one where the view has wanted it,
  /// or where it is not to be shared.
  Result<Found> shown(Found own) PFS_EXCLUDES(mutex_);
  /// The next lookups of this shared node's name find the views' own ones.
  void want_own(const store::NodePtr& shared) PFS_EXCLUDES(mutex_);

 private:
  struct Shared;
  bool is_own(const store::NodePtr& node, const std::string& content) PFS_REQUIRES(mutex_);
  Result<store::TreePtr> tree() PFS_EXCLUDES(mutex_);
  Result<std::shared_ptr<Shared>> share(const std::string& key, const std::string& content,
                                        const store::Entry& entry, const TreeContext& view)
      PFS_EXCLUDES(mutex_);
  void remove(const Shared& shared) PFS_EXCLUDES(mutex_);

  store::LiveTrees& trees_;
  const Clock& clock_;
  mutable Mutex mutex_{LockRank::kLeaf};
  store::TreePtr tree_ PFS_GUARDED_BY(mutex_);
  std::uint64_t next_name_ PFS_GUARDED_BY(mutex_) = 1;
  std::unordered_map<std::string, std::weak_ptr<Shared>> shared_ PFS_GUARDED_BY(mutex_);
  std::unordered_map<const store::LiveNode*, std::string> contents_ PFS_GUARDED_BY(mutex_);
  /// Until when views are given their own files of a content: by content and not by path, as a view
  /// may have renamed what it was shown.
  std::unordered_map<std::string, std::chrono::steady_clock::time_point> wanted_ PFS_GUARDED_BY(mutex_);
  /// Files that their views may change, for as long as somebody holds them: what was written to one stays on the disk as long as
  /// its node does. One that is forgotten unchanged is shared again.
  std::vector<std::weak_ptr<store::LiveNode>> own_ PFS_GUARDED_BY(mutex_);
};

}  // namespace pfs::fs
