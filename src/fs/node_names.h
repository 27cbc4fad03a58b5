#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/file.h"
#include "base/sync.h"
#include "fs/ids.h"

namespace pfs::fs {

/// Where the nodes lie that the kernel was told of: a file handle (name_to_handle_at(2), an NFS server's) outlives what the
/// kernel remembers, and this process, and says a node's id only. The newest half million names are kept.
///
/// A file that is mapped, so that a note costs no system call and a killed process loses none. Thread-safe. A note that finds no
/// room is left out: its handle is stale later. Source: docs/format.md "Nodes of the mount".
class NodeNames {
 public:
  /// Errors: kIo, kNoSpace.
  static Result<std::unique_ptr<NodeNames>> open(const std::string& path);
  ~NodeNames();
  NodeNames(const NodeNames&) = delete;
  NodeNames& operator=(const NodeNames&) = delete;

  struct Place {
    NodeId parent;
    std::string name;
  };
  void note(NodeId node, NodeId parent, std::string_view name) PFS_EXCLUDES(mutex_);
  /// As it was noted last.
  std::optional<Place> find(NodeId node) PFS_EXCLUDES(mutex_);

 private:
  explicit NodeNames(std::string path) : path_(std::move(path)) {}
  Result<void> map_file() PFS_REQUIRES(mutex_);
  void unmap();
  struct Record;
  std::optional<Record> record_at(std::uint64_t offset) const PFS_REQUIRES(mutex_);
  bool allocate(std::uint64_t end) PFS_REQUIRES(mutex_);
  Result<void> keep_newest() PFS_REQUIRES(mutex_);

  const std::string path_;
  Mutex mutex_{LockRank::kStorage};
  File file_ PFS_GUARDED_BY(mutex_);
  char* bytes_ PFS_GUARDED_BY(mutex_) = nullptr;
  std::uint64_t used_ PFS_GUARDED_BY(mutex_) = 0;
  std::uint64_t allocated_ PFS_GUARDED_BY(mutex_) = 0;
  bool full_ PFS_GUARDED_BY(mutex_) = false;
  // made when somebody asks, and kept up to date from there
  std::unordered_map<NodeId, std::uint64_t> index_ PFS_GUARDED_BY(mutex_);
  std::uint64_t indexed_ PFS_GUARDED_BY(mutex_) = 0;
};

}  // namespace pfs::fs
