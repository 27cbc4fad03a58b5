#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/sync.h"
#include "fs/inode.h"
#include "store/live_trees.h"

namespace pfs::fs {

/// A directory of the mount that shows one tree after another: what a worker's container has at
/// /pfs. Its own node stays the same; the kernel remembers its top names, and is told to forget
/// them when another tree is shown.
///
/// Thread-safe.
class ViewRoot {
 public:
  ViewRoot(std::string name, Ownership owner) : name_(std::move(name)), owner_(owner) {}

  const std::string& name() const { return name_; }
  const Ownership& owner() const { return owner_; }

  /// From now on the entries of `root`, the root of `tree`; what was shown before is orphaned.
  /// Null: nothing.
  /// Shape: the names that were asked for since the last call, which the kernel may remember.
  std::vector<std::string> show(store::TreePtr tree, store::NodePtr root) PFS_EXCLUDES(mutex_);

  struct Shown {
    store::NodePtr root;  ///< null while nothing is shown
    std::shared_ptr<TreeContext> context;
  };
  Shown shown() const PFS_EXCLUDES(mutex_);
  /// Before a top name is looked up, so that the next show() knows of it however the two race.
  void ask(std::string_view name) PFS_EXCLUDES(mutex_);
  /// Whether the next show() will return the name: the kernel may remember what it was found to be.
  bool is_asked(std::string_view name) const PFS_EXCLUDES(mutex_);
  /// Of what it shows now; null before it has shown anything.
  std::shared_ptr<ViewTraffic> traffic() const;

  /// What the kernel knows it by; none before it has looked it up.
  NodeId node() const { return NodeId(node_); }
  void known_as(NodeId node) { node_ = node.value(); }

 private:
  const std::string name_;
  const Ownership owner_;
  /// atomic: told by each lookup, which is under no lock of ours; any of the last is as good.
  std::atomic<std::uint64_t> node_ = 0;
  mutable Mutex mutex_{LockRank::kLeaf};
  store::TreePtr tree_ PFS_GUARDED_BY(mutex_);
  Shown shown_ PFS_GUARDED_BY(mutex_);
  std::set<std::string, std::less<>> asked_ PFS_GUARDED_BY(mutex_);
};

/// The views of a mount, by their names, which nobody can guess. Thread-safe.
class Views {
 public:
  /// A new, empty view.
  std::shared_ptr<ViewRoot> add(Ownership owner) PFS_EXCLUDES(mutex_);
  /// Orphans what is open in it.
  void remove(const ViewRoot& view) PFS_EXCLUDES(mutex_);
  /// nullptr when there is none of that name.
  std::shared_ptr<ViewRoot> find(std::string_view name) const PFS_EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_{LockRank::kLeaf};
  std::map<std::string, std::shared_ptr<ViewRoot>, std::less<>> views_ PFS_GUARDED_BY(mutex_);
};

}  // namespace pfs::fs
