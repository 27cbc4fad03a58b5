#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/sync.h"
#include "store/pack/owner.h"
#include "store/pack/pack_format.h"

namespace pfs::store {

/// The rows of small commits' objects: how they are written, and what waits for the packer, known without a look at the rows.
///
/// Thread-safe. Source: docs/format.md "Rows".
class HotRows {
 public:
  explicit HotRows(const Clock& clock) : clock_(clock) {}

  struct Row {
    Owner owner = 0;
    std::uint64_t sequence = 0;  ///< ns since 1970 when it was made; no two alike
    std::string_view bytes;      ///< a view into what was decoded
  };
  /// Errors: kCorrupt.
  static Result<Row> decode(std::string_view value);

  /// A row's value, with a sequence of its own.
  std::string encode(Owner owner, std::string_view bytes) PFS_EXCLUDES(mutex_);

  struct Waiting {
    std::uint64_t bytes = 0;           ///< raw bytes of the objects
    std::optional<Timestamp> oldest;   ///< when the oldest of them was made; none: nothing waits
  };
  Waiting waiting() const PFS_EXCLUDES(mutex_);

  /// Rows with so many bytes of objects were written.
  void added(std::uint64_t bytes) PFS_EXCLUDES(mutex_);
  /// Rows were moved.
  void removed(std::uint64_t bytes) PFS_EXCLUDES(mutex_);
  /// A look at all rows that were there at a moment: begin before it, end with what it found. What is added in between
  /// is counted beside it (some of it perhaps twice, until the next look).
  void begin_count() PFS_EXCLUDES(mutex_);
  void end_count(const Waiting& found) PFS_EXCLUDES(mutex_);

 private:
  const Clock& clock_;
  mutable Mutex mutex_{LockRank::kLeaf};
  std::uint64_t last_sequence_ PFS_GUARDED_BY(mutex_) = 0;
  Waiting waiting_ PFS_GUARDED_BY(mutex_);
  Waiting since_count_began_ PFS_GUARDED_BY(mutex_);
};

}  // namespace pfs::store
