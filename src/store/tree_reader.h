#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/types.h"

namespace pfs::store {

/// A change to one name of a finished directory: an entry put, or (nullopt) the name removed.
struct EntryChange {
  std::string name;
  std::optional<Entry> entry;
};

struct DiffOptions {
  /// Every path that was added, removed or changed. A directory that both trees have is a difference only when something
  /// other than what is below it differs; what was added or removed is told with everything below it.
  /// False: the names of one directory, where a changed sub-directory is one difference.
  bool recursive = true;
  RepoPath below;  ///< compare what is below this path only; nothing where a tree has no directory there
};

/// A path that two trees do not have alike: only `before` (removed), only `after` (added) or both (changed).
struct Difference {
  std::string path;  ///< from the trees' roots, without a leading slash
  std::optional<Entry> before;
  std::optional<Entry> after;
};

/// Reads finished directories.
///
/// Thread-safe. `root` is a Subtree's root; the nodes are proved by their SHA-256 as they are loaded.
/// Errors of every call: kCorrupt (the store is damaged), kIo.
class TreeReader {
 public:
  virtual ~TreeReader() = default;

  /// The entry of that name, or nullopt.
  virtual Result<std::optional<Entry>> find(const Digest& root, std::string_view name) const = 0;

  /// Entries in the order of their names' bytes, those after `after` (empty: all); the callback returns false to stop.
  virtual Result<void> scan(const Digest& root, std::string_view after,
                            const std::function<bool(const Entry&)>& visit) const = 0;

  /// The entry at a path below `root`; nullopt when there is none. The path must not be the root.
  virtual Result<std::optional<Entry>> find_path(const Digest& root, const RepoPath& path) const = 0;

  /// The names whose entries differ between two directories, in order, with both entries; time follows the
  /// difference. Not recursive: a changed sub-directory is one difference.
  using DiffVisit = std::function<bool(const std::optional<Entry>& old_entry, const std::optional<Entry>& new_entry)>;
  virtual Result<void> diff(const Digest& old_root, const Digest& new_root, const DiffVisit& visit) const = 0;

  /// The same with paths, below any directory of the two trees, and recursive unless `options` say no: parents before what
  /// is in them, names in the order of their bytes. Equal directories are skipped by their digests. The callback returns
  /// false to stop. To compare directories of different paths, pass their own roots.
  virtual Result<void> diff(const Digest& old_root, const Digest& new_root, const DiffOptions& options,
                            const std::function<bool(const Difference&)>& visit) const = 0;
};

}  // namespace pfs::store
