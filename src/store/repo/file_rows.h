#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "store/local_db.h"
#include "store/repo/delta_rows.h"

namespace pfs::store {

/// The rows of one file after the other. The files of a directory mostly have numbers that rise with little in between, so
/// one cursor goes along and seldom seeks. It is made anew after some files, since it keeps what it reads from being freed.
///
/// For one thread.
class FileRows {
 public:
  /// Of files up to `greatest`. `at`: null for the rows as they are when the first one is looked for. Both must outlive it.
  FileRows(const LocalDb& local, FileId greatest, const LocalDb::Snapshot* at) : local_(local), end_(file_end(greatest)), at_(at) {}

  /// Calls `visit` with each row of the file, the newest first, until it returns false. Errors: kCorrupt, kIo.
  using Visit = std::function<bool(Epoch epoch, std::string_view key, std::string_view value)>;
  Result<void> each(FileId file, const Visit& visit);
  /// Lets go of what it reads from: for who does something else in between.
  void release() { cursor_.reset(); }

 private:
  Result<void> go_to(FileId file, const std::string& begin);

  const LocalDb& local_;
  const std::string end_;  // a cursor that looks for a row walks over all that were erased in between
  const LocalDb::Snapshot* const at_;
  std::unique_ptr<LocalDb::Cursor> cursor_;
  bool at_row_ = false;
  std::size_t looked_for_ = 0;
  FileId last_;  // whose rows were looked for
};

}  // namespace pfs::store
