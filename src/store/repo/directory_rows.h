#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "store/local_db.h"
#include "store/repo/delta_rows.h"

namespace pfs::store {

/// What rows up to an epoch say of a live directory's names: one name after the other in order, its newest row. Reads some
/// names at a time, so that a directory of any size takes little memory, and nothing is kept from being freed in between.
///
/// For one thread.
class DirectoryRows {
 public:
  /// `at`: null for the rows as they are. Both must outlive it.
  DirectoryRows(const LocalDb& local, DirId directory, Epoch epoch, const LocalDb::Snapshot* at)
      : local_(local), directory_(directory), epoch_(epoch), at_(at) {}

  struct Name {
    std::string name;
    DeltaRow row;
  };
  /// nullopt behind the last name. Errors: kCorrupt, kIo.
  Result<std::optional<Name>> next();

 private:
  Result<void> read();

  static constexpr std::size_t kAtOnce = 256;
  const LocalDb& local_;
  const DirId directory_;
  const Epoch epoch_;
  const LocalDb::Snapshot* const at_;
  std::vector<Name> names_;
  std::size_t next_ = 0;
  std::string last_;  // name that was read
  bool more_ = true;
};

}  // namespace pfs::store
