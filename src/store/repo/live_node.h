#pragma once

#include <sys/types.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>

#include "base/sync.h"
#include "store/live_trees.h"
#include "store/repo/cut_ahead.h"
#include "store/repo/delta_rows.h"
#include "store/repo/file_state.h"

namespace pfs::store {

/// What chmod(2) can set; the rest of a mode is the entry's kind.
inline constexpr std::uint32_t kPermissionBits = 07777;

/// A hard link in a live tree that was touched since it was finished: every name that the file has leads to `file` by a row
/// of its own, all of one epoch, so that finishing makes all their entries anew.
struct OpenLink {
  struct Name {
    NodePtr directory;  // keeps it loaded, and so with the link wherever it is moved
    std::string name;
    auto operator<=>(const Name&) const = default;
  };
  FileId file;
  std::set<Name> names;
};

/// Loaded nodes by name or number. What nobody holds any more is forgotten now and then, so that the memory follows what is
/// loaded and not what once was.
///
/// Not thread-safe.
template <class Key>
class LoadedNodes {
 public:
  /// Null where it is not loaded.
  NodePtr find(const Key& key) const {
    const auto found = nodes_.find(key);
    return found == nodes_.end() ? nullptr : found->second.lock();
  }
  void put(const Key& key, const NodePtr& node) {
    nodes_.insert_or_assign(key, node);
    if (nodes_.size() < look_at_) return;
    std::erase_if(nodes_, [](const auto& each) { return each.second.expired(); });
    look_at_ = std::max(kLeast, 2 * nodes_.size());  // so that looking costs each put a constant
  }
  void erase(const Key& key) { nodes_.erase(key); }
  void clear() { nodes_.clear(); }
  std::size_t size() const { return nodes_.size(); }

  /// Pairs of key and weak pointer, which may lead to nothing any more. Nothing may be put meanwhile.
  auto begin() const { return nodes_.begin(); }
  auto end() const { return nodes_.end(); }

 private:
  static constexpr std::size_t kLeast = 64;
  std::unordered_map<Key, std::weak_ptr<LiveNode>> nodes_;
  std::size_t look_at_ = kLeast;
};

/// What a tree is of. Guarded by DeltaTrees' mutex.
struct TreeInfo {
  enum class Of { kBranch, kCommit, kScratch };
  Of of = Of::kScratch;
  BranchRef branch;            ///< kBranch
  std::optional<CommitId> head;  ///< kBranch: what the root's base is
  CommitId open;               ///< kBranch: the id that its next commit will have
  std::uint64_t first_id = 0;  ///< kScratch: its directories' and files' numbers begin here
  std::uint64_t next_id = 0;
  std::string published;       ///< kScratch: the root's only name below which anything is to be committed; empty: everything is
  bool output = false;         ///< kBranch: a pipeline alone writes it
  bool changed = false;        ///< kBranch: it has rows
  bool held = false;           ///< kBranch: who would change it waits, see DeltaTrees::Hold
  bool commits_at_close = false;  ///< kBranch: somebody wants to be told of each file's last close
  std::chrono::steady_clock::time_point changed_since;  ///< the first change that no commit has; or the start, if later
  Timestamp changed_since_at;
  std::chrono::steady_clock::time_point last_change;
  Timestamp last_change_at;
  std::set<BranchRef> joined;
  std::set<BranchRef> frozen_joined;  ///< what `joined` was when it was frozen
  std::optional<BranchRow::Frozen> frozen;
  Digest links = empty_subtree().root;  ///< the side tree of what the root is based on: where the links that are not open are
  std::unordered_map<std::uint64_t, OpenLink> open_links;                    // by link id
  std::unordered_map<std::uint64_t, std::weak_ptr<LiveNode>> linked_nodes;  // loaded ones, by link id
};

/// A file or directory that somebody refers to. See LiveTrees.
class LiveNode : public std::enable_shared_from_this<LiveNode> {
 public:
  LiveNode(Kind node_kind, Attributes node_attributes) : kind(node_kind) {
    attributes = node_attributes;
    state.attributes = node_attributes;
  }

  bool is_directory() const { return kind == Kind::kDirectory; }

  const Kind kind;

  // ---- guarded by DeltaTrees' mutex
  NodePtr parent;                  // null for roots; of a file with several names that of one of them
  std::string name;
  NodeState link = NodeState::kLinked;  // of files written under `mutex` too, so read under either
  std::shared_ptr<TreeInfo> info;  // roots only

  // directories
  DirId directory;
  Subtree base;
  bool has_rows = false;
  Attributes attributes;
  Xattrs xattrs;
  LoadedNodes<std::string> children;

  // The epoch in which the node's rows, and the marks of its ancestors, were last put: a change in a later epoch puts
  // them again. Written under both DeltaTrees' mutex and this node's; read under either.
  Epoch marked;

  // ---- files and everything else that is no directory: guarded by this
  mutable Mutex mutex{LockRank::kFile};
  FileId file;       // 0: clean, its entry says everything
  FileState state;         // its link id is written under DeltaTrees' mutex too, so read under either
  std::uint32_t links = 1;  // names; written under both
  CutAhead::FilePtr cut_ahead;  // null: it is not cut while it is written
  bool stale_row = false;  // the row lags behind `state`; the staging log has the rest
  bool folding = false;    // its rows are being folded: whoever wants to write waits for DeltaTrees' mutex
  // What an fsync has to sync: the database's log, because the name or what only rows tell was changed, and the staging
  // log. Nobody knows it of a node that was just loaded.
  bool rows_unsynced = true;
  bool log_unsynced = true;
  int syncs = 0;  // under way: what they have taken up may not be durable yet, whatever the two say
  int writers = 0;
  pid_t writer = 0;  // the last that opened it for writing
  std::chrono::steady_clock::time_point last_write;
};

/// Whether the node is the directory itself or somewhere below it.
inline bool is_at_or_below(const LiveNode& node, const LiveNode& directory) {
  for (const LiveNode* at = &node; at != nullptr; at = at->parent.get()) {
    if (at == &directory) return true;
  }
  return false;
}

/// A tree's handle: a scratch tree's rows go with the last one.
class Tree {
 public:
  explicit Tree(NodePtr tree_root) : root(std::move(tree_root)) {}
  ~Tree() {
    if (on_drop) on_drop(*this);
  }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  const NodePtr root;
  std::function<void(Tree&)> on_drop;
};

}  // namespace pfs::store
