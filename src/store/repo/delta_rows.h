#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "store/types.h"

namespace pfs::store {

// The rows of open commits. Keys are big endian; an epoch is stored as its complement, so that the newest row of a name
// comes first. Source: docs/format.md "Rows".

/// What a name of a live directory is.
struct DeltaRow {
  struct Tombstone {};
  std::variant<Tombstone, Entry, FileId, DirId> what;

  std::string encode() const;
  static Result<DeltaRow> decode(std::string_view value, std::string_view name);
};

/// Reads whatever is newest: no epoch is as late.
constexpr Epoch kNewest{~std::uint64_t{0}};

std::string delta_key(DirId directory, std::string_view name, Epoch epoch);
/// The first key of a name, of a directory, and the one behind its last.
std::string delta_name_begin(DirId directory, std::string_view name);
std::string delta_name_end(DirId directory, std::string_view name);
std::string delta_directory_begin(DirId directory);
std::string delta_directory_end(DirId directory);

struct DeltaKey {
  DirId directory;
  std::string name;
  Epoch epoch;
};
Result<DeltaKey> parse_delta_key(std::string_view key);

/// A live directory: what it is based on, and its attributes.
struct DirectoryRow {
  Subtree base;
  Attributes attributes;
  Xattrs xattrs;

  std::string encode() const;
  static Result<DirectoryRow> decode(std::string_view value);
};

std::string directory_key(DirId directory, Epoch epoch);
std::string directory_begin(DirId directory);
std::string directory_end(DirId directory);
std::string file_key(FileId file, Epoch epoch);
std::string file_begin(FileId file);
std::string file_end(FileId file);
/// The number and the epoch of a directory's or file's key.
struct NumberedKey {
  std::uint64_t number = 0;
  Epoch epoch;
};
Result<NumberedKey> parse_numbered_key(std::string_view key);

/// A branch whose live tree has rows.
struct BranchRow {
  DirId root;
  std::optional<CommitId> head;  ///< the HEAD that the root's base is; another one in the catalog means a retarget was cut off
  CommitId open;  ///< the commit that the rows will be in; another one in the catalog means that it was discarded
  std::set<BranchRef> joined;  ///< a rename made their next commits one with this branch's
  struct Frozen {
    Epoch epoch;
    CommitId commit;
    CommitId next;  ///< the id of the commit that is open from now on
    std::string author;
    std::string description;
    bool keep_unchanged = false;
  };
  std::optional<Frozen> frozen;

  std::string encode() const;
  static Result<BranchRow> decode(std::string_view value);
};
std::string branch_row_key(const BranchRef& ref);
Result<BranchRef> parse_branch_row_key(std::string_view key);
/// Numbers that are never used again.
struct CountersRow {
  Epoch epoch{1};
  std::uint64_t next_id = 1;  ///< of directories, files and trees

  std::string encode() const;
  static Result<CountersRow> decode(std::string_view value);
};
std::string counters_key();

}  // namespace pfs::store
