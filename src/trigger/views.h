#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "store/live_trees.h"

namespace pfs::trigger {

/// A directory of the mount that a worker's container has bind-mounted at /pfs. Its node stays the same for as long as
/// it lives; what is in it changes from datum to datum.
///
/// Thread-safe. Removing it (the destructor) orphans what is open in it.
class View {
 public:
  virtual ~View() = default;
  /// The host's path of the directory: below the mount, with a name nobody can guess.
  virtual const std::string& path() const = 0;
  /// From now on the view shows the top-level entries of `tree`'s root (the inputs' directories and `out`); what was
  /// shown before is orphaned. nullptr: an empty view.
  virtual void show(store::TreePtr tree) = 0;

  struct Traffic {
    std::uint64_t read_bytes = 0;
    std::uint64_t written_bytes = 0;
    bool no_room = false;  ///< a change was refused because the disk of the store is full
  };
  /// What has been read from the mount and written to it below the view since the last show(). What the kernel had in
  /// its cache was not read from the mount.
  virtual Traffic traffic() const = 0;
};

/// Who makes views: the mount. Declared here because trigger and fs do not include each other; daemon hands it over.
class ViewHost {
 public:
  virtual ~ViewHost() = default;
  /// A new, empty view whose files appear to belong to `uid` and `gid`, as this process knows them.
  /// Errors: kUnavailable (nothing is mounted; these may not enter the mount).
  virtual Result<std::unique_ptr<View>> add_view(std::uint32_t uid, std::uint32_t gid) = 0;
};

}  // namespace pfs::trigger
