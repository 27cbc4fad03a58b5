#pragma once

#include <sys/stat.h>

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace pfs::cli {

struct LocalEntry {
  std::vector<std::string> parts;  ///< from the directory that is walked
  std::string path;                ///< to open it by
  struct stat found {};            ///< of itself, also where it is a symlink

  bool is_directory() const { return S_ISDIR(found.st_mode); }
  bool is_file() const { return S_ISREG(found.st_mode); }
  bool is_symlink() const { return S_ISLNK(found.st_mode); }
  std::uint64_t size() const { return static_cast<std::uint64_t>(found.st_size); }
  Timestamp modified() const {
    return Timestamp{std::int64_t{found.st_mtim.tv_sec} * 1'000'000'000 + found.st_mtim.tv_nsec};
  }
};

/// What is below a local directory, one entry at a time: parents before what is in them, names in
/// the order of their bytes, as the daemon lists a branch. Holds the names of one directory on each
/// level.
class LocalWalk {
 public:
  /// Stands at the first entry. Errors: by errno.
  static Result<LocalWalk> begin(const std::string& directory);
  /// As of an empty directory.
  static LocalWalk nothing();

  /// nullptr: behind the last one.
  const LocalEntry* current() const { return at_end_ ? nullptr : &current_; }
  /// Goes on to what is in the entry, if it is a directory, or to the next one.
  Result<void> next();
  /// Goes on to what is behind the entry and all below it.
  Result<void> next_beside();

 private:
  struct Level {
    std::string path;
    std::vector<std::string> names;  // the last one is next
  };
  Result<void> descend(const std::string& path);
  Result<void> advance();

  std::vector<Level> levels_;
  LocalEntry current_;
  bool at_end_ = false;
};

}  // namespace pfs::cli
