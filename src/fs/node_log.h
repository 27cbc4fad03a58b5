#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/file.h"
#include "fs/ids.h"

namespace pfs::fs {

/// What is noted of a node: the newest note of its id counts.
struct NodeNote {
  NodeId node;
  std::uint32_t generation = 0;
  /// Of a directory: which of the trees that it has shown. What was noted below it in an earlier era is not there any more.
  std::uint32_t era = 0;
  /// Where it lies; none: it is gone.
  NodeId parent;
  std::uint32_t parent_era = 0;
  std::string_view name;  ///< from NodeLog::at(): until the next append()

  bool is_gone() const { return !parent; }
};

/// Notes of nodes, one behind the other, in a file that is mapped: a note costs no system call, and a killed process loses none.
/// A file that a power cut may have taken notes from is begun anew.
///
/// Not thread-safe. Source: docs/format.md "Nodes of the mount".
class NodeLog {
 public:
  /// Errors: kIo, kNoSpace.
  static Result<std::unique_ptr<NodeLog>> open(const std::string& path);
  /// What is there is on the disk when it returns, and is believed after a power cut.
  ~NodeLog();
  NodeLog(const NodeLog&) = delete;
  NodeLog& operator=(const NodeLog&) = delete;

  /// Offsets of the first note, and behind the last.
  std::uint64_t begin() const;
  std::uint64_t end() const { return end_; }
  /// None where nothing whole lies at the offset.
  std::optional<NodeNote> at(std::uint64_t offset) const;
  static std::uint64_t size_of(const NodeNote& note);
  /// Whether it is at its greatest size with this note; keep_newest() makes room.
  bool is_full_with(const NodeNote& note) const;
  /// Where the note lies; none where the disk has no room for it.
  std::optional<std::uint64_t> append(const NodeNote& note);
  /// Each node's newest note only, the newest of these until half of the room is full. Errors: kIo, kNoSpace (nothing has changed).
  Result<void> keep_newest();
  /// The next start shall believe nothing of it: a note could not be kept.
  void spoil();

 private:
  explicit NodeLog(std::string path) : path_(std::move(path)) {}
  Result<void> map_file();
  void unmap();
  bool allocate(std::uint64_t end);

  const std::string path_;
  File file_;
  char* bytes_ = nullptr;
  std::uint64_t end_ = 0;
  std::uint64_t allocated_ = 0;
};

}  // namespace pfs::fs
