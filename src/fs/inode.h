#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/names.h"
#include "base/sync.h"
#include "fs/ids.h"
#include "store/live_trees.h"
#include "store/types.h"

namespace pfs::fs {

/// As whom the files of a job's view appear.
struct Ownership {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

/// What was read and written below a view. atomic: counted by many threads, read by one that need not know the last byte.
struct ViewTraffic {
  std::atomic<std::uint64_t> read_bytes = 0;
  std::atomic<std::uint64_t> written_bytes = 0;
  std::atomic<bool> no_room = false;  ///< something was not written, for a full disk
};

/// Where the traffic of a tree is counted. Thread-safe.
class TrafficCounter {
 public:
  /// shared: with the view, which may be gone before its last reader.
  void set(std::shared_ptr<ViewTraffic> traffic) PFS_EXCLUDES(mutex_) {
    Lock lock(mutex_);
    traffic_.swap(traffic);
  }
  std::shared_ptr<ViewTraffic> get() const PFS_EXCLUDES(mutex_) {
    Lock lock(mutex_);
    return traffic_;
  }
  void read(std::uint64_t bytes) const {
    if (const auto traffic = get()) traffic->read_bytes += bytes;
  }
  void written(std::uint64_t bytes) const {
    if (const auto traffic = get()) traffic->written_bytes += bytes;
  }
  void refused(const Error& error) const {
    if (error.code != Code::kNoSpace) return;
    if (const auto traffic = get()) traffic->no_room = true;
  }

 private:
  mutable Mutex mutex_{LockRank::kLeaf};
  std::shared_ptr<ViewTraffic> traffic_ PFS_GUARDED_BY(mutex_);
};

/// The tree through which a stored node was first reached; all nodes below one root share it.
struct TreeContext {
  std::optional<store::Commit> commit;  ///< set in the tree of a finished commit
  std::optional<Ownership> ownership;   ///< set in a job's view
  bool shared_input = false;            ///< a file that several views show: see SharedInputs
  /// Used where there is an `ownership`; a shared input counts for the view that looked it up last.
  TrafficCounter traffic;
  /// To be told of each change below a view that was refused: what its job has put out may not be whole.
  void refused(const Error& error) const {
    if (ownership) traffic.refused(error);
  }
  /// Of the tree's root, from which the numbers of hard links are made: they have no one name.
  InodeNumber number;
  /// A view shows another tree now: nodes of this one are orphans. (A branch's orphans are known to
  /// the store.)
  std::atomic<bool> replaced = false;
};

/// A directory below `.pfs/views`.
class ViewRoot;

/// What a node of the mount is.
enum class Role {
  kMountRoot,
  kControlRoot,    ///< `/.pfs`
  kHeads,          ///< `/.pfs/heads`
  kViews,          ///< `/.pfs/views`
  kViewRoot,       ///< `/.pfs/views/<random>`: `view`
  kBranchControl,  ///< `repo@branch/.pfs`: `branch`
  kCommitFile,     ///< `repo@branch/.pfs/commit`: `branch`
  kLogFile,        ///< `repo@branch/.pfs/log`: `branch`
  kHeadLink,       ///< `repo@branch/.pfs/HEAD`, `/.pfs/heads/repo@branch`: `branch`
  kRefLink,        ///< `repo@branch^3`, `repo@<id of an open commit>`: `text` is the name
  kPassingLink,    ///< the symlink that a retargeting ln made: `text` is its body
  kBranchRoot,     ///< the top of a live branch: `node`, `branch` as it was called at first
  kCommitRoot,     ///< the top of a commit: `node`
  kStored,         ///< what is below them: `node`
};

/// What a name was found to be. The members that a role uses are named at Role.
struct Found {
  Role role = Role::kStored;
  BranchRef branch;
  std::string text;
  store::NodePtr node;
  store::TreePtr tree;                   ///< held by the roots of trees
  std::shared_ptr<TreeContext> context;  ///< shared: by all nodes below one root
  std::shared_ptr<ViewRoot> view;        ///< shared: with the job that shows trees in it
  std::uint64_t link_id = 0;             ///< of a stored file with several names
};

/// A node that the kernel knows.
struct Inode {
  Inode(NodeId node_id, std::uint32_t node_generation, Found found)
      : id(node_id), generation(node_generation), number(node_id.value()), what(std::move(found)) {}

  const NodeId id;
  const std::uint32_t generation;  ///< no other node has had both this and the id: see NodeNames
  const InodeNumber number;
  const Found what;
  /// A write has found that no set-id bit and no capability is there to clear; false again when a
  /// mode or an attribute is set. atomic: a hint between writers, each of which may look for
  /// itself.
  std::atomic<bool> unprivileged = false;

  bool is_stored() const { return what.node != nullptr; }
};

/// shared: a handler may still use an inode that the kernel has just forgotten.
using InodePtr = std::shared_ptr<Inode>;

}  // namespace pfs::fs
