#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/sync.h"
#include "fs/node_log.h"

namespace pfs::fs {

/// Where the nodes lie that the kernel was told of, and which of those that had an id each is: a file handle
/// (name_to_handle_at(2), an NFS server's) outlives what the kernel remembers, and this process, and says a node's id and
/// generation only. An id is a path's, so it comes again; together with the generation it never does.
///
/// Some 300,000 names are kept, the newest. Thread-safe. A note that finds no room is left out, and its handle is stale later.
class NodeNames {
 public:
  /// Errors: kIo, kNoSpace.
  static Result<std::unique_ptr<NodeNames>> open(const std::string& path);

  /// The id is to be that of what was found there. Returns its generation: the same as long as that is the same file, as far as
  /// it was told; none where the id belongs to a file that lies elsewhere. `linked`: the id is that of a file with several names,
  /// and this is one of them.
  std::optional<std::uint32_t> claim(NodeId node, NodeId parent, std::string_view name, bool linked) PFS_EXCLUDES(mutex_);
  /// The id of what lies there, if it is another than that of the path.
  std::optional<NodeId> renamed_to(NodeId parent, std::string_view name) PFS_EXCLUDES(mutex_);
  /// The id of what lies there.
  std::optional<NodeId> at(NodeId parent, std::string_view name) PFS_EXCLUDES(mutex_);

  struct Place {
    NodeId parent;
    std::string name;
    std::uint32_t generation = 0;  ///< of the node
  };
  /// As it was noted last; none where it, or a directory above it, is another by now.
  std::optional<Place> find(NodeId node) PFS_EXCLUDES(mutex_);

  void renamed(NodeId node, NodeId parent, std::string_view name) PFS_EXCLUDES(mutex_);
  /// What lay there is gone, or has this name no longer.
  void removed(NodeId parent, std::string_view name) PFS_EXCLUDES(mutex_);
  /// The directories stay, and show other trees. What is noted below them until as many replaced() is not found later: nobody can
  /// tell which of both it is in.
  void replacing(const std::vector<NodeId>& directories) PFS_EXCLUDES(mutex_);
  void replaced(const std::vector<NodeId>& directories) PFS_EXCLUDES(mutex_);

 private:
  explicit NodeNames(std::unique_ptr<NodeLog> log) : log_(std::move(log)) {}
  std::optional<NodeNote> newest(NodeId node) const PFS_REQUIRES(mutex_);
  std::optional<NodeId> at_locked(NodeId parent, std::string_view name) const PFS_REQUIRES(mutex_);
  std::uint32_t era_of(NodeId directory) const PFS_REQUIRES(mutex_);
  bool is_of_now(const NodeNote& note) const PFS_REQUIRES(mutex_);
  bool is_there(NodeNote note) const PFS_REQUIRES(mutex_);
  void add(const NodeNote& note) PFS_REQUIRES(mutex_);
  void index(std::uint64_t offset, const NodeNote& note) PFS_REQUIRES(mutex_);
  void index_all() PFS_REQUIRES(mutex_);
  void leave_out(NodeId node) PFS_REQUIRES(mutex_);

  Mutex mutex_{LockRank::kStorage};
  const std::unique_ptr<NodeLog> log_ PFS_GUARDED_BY(mutex_);
  std::unordered_map<NodeId, std::uint32_t> offsets_ PFS_GUARDED_BY(mutex_);  // of the newest notes
  /// What lies elsewhere than its id says, by the id of the path where it lies.
  std::unordered_map<NodeId, NodeId> renamed_ PFS_GUARDED_BY(mutex_);
  std::unordered_map<NodeId, int> replacing_ PFS_GUARDED_BY(mutex_);
  bool full_ PFS_GUARDED_BY(mutex_) = false;  // until the next start
};

}  // namespace pfs::fs
