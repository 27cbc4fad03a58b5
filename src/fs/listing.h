#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/sync.h"
#include "store/types.h"

namespace pfs::fs {

/// Where an open directory is being read: turns the kernel's offsets into names to go on after.
///
/// Offset N stands behind the Nth entry, `.` and `..` being the first two. A directory that changes
/// between two reads loses or repeats no name that was there all the time, because reading goes on
/// behind a name and not at a count; only a seek back over more than two pages counts from the
/// start again. Thread-safe.
class Listing {
 public:
  struct Name {
    std::string name;
    store::Kind kind = store::Kind::kFile;
    std::uint64_t link_id = 0;  ///< of a file with several names
    std::uint64_t next_offset = 0;
  };
  using Visit = std::function<bool(std::string_view name, store::Kind kind, std::uint64_t link_id)>;
  /// Calls `visit` for the names behind `after` (empty: all) in the order of their bytes, until it
  /// returns false.
  using Source = std::function<Result<void>(std::string_view after, const Visit& visit)>;

  explicit Listing(Source source) : source_(std::move(source)) {}

  /// Up to `limit` names from `offset` on; none at the end. Offset 0 begins anew.
  Result<std::vector<Name>> read(std::uint64_t offset, std::size_t limit) PFS_EXCLUDES(mutex_);

 private:
  struct Page {
    std::uint64_t first_offset = 0;  ///< of names[0]
    std::vector<std::string> names;
  };
  struct Place {
    std::string after;       ///< go on behind this name
    std::uint64_t skip = 0;  ///< and leave out as many
  };
  Place place_of(std::uint64_t offset) const PFS_EXCLUDES(mutex_);
  void remember(std::uint64_t offset, const std::vector<Name>& names) PFS_EXCLUDES(mutex_);

  const Source source_;
  mutable Mutex mutex_{LockRank::kLeaf};
  std::deque<Page> pages_ PFS_GUARDED_BY(mutex_);
};

}  // namespace pfs::fs
