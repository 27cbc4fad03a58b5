#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/sync.h"

namespace pfs::store {

/// Keeps room for finishing: bytes are staged only while the disk can take them a second time, as packs. Beside that a
/// ballast file is given up when even so there is no room for the database, for unlinking or for finishing.
///
/// Thread-safe. Source: docs/architecture.md "A full disk".
class Admission {
 public:
  struct Options {
    std::string directory;            ///< where `ballast` lies: of the file system that is asked
    std::uint64_t ballast_bytes = 0;  ///< 0: 256 MiB, less on a small file system
  };

  /// Makes the ballast where there is room for it; where there is hardly any, gives it up at once, so that the store opens.
  static Result<std::unique_ptr<Admission>> open(const Options& options);

  /// Whether `bytes` more may be staged: free space without the ballast >= 1.02 x staged bytes + what this adds, on the disk
  /// now and as packs later. The file system is asked again after 100 ms, or when half of what it said is spent, but not
  /// more often than every 5 ms. `staged` is only called then. Errors: kNoSpace.
  Result<void> admit(std::uint64_t bytes, const std::function<std::uint64_t()>& staged);

  /// Whether the staged bytes could be put into packs twice over: once in vain, by cutting ahead, and once by a commit.
  bool plenty(std::uint64_t staged) const;

  /// Returns whether there was a ballast to give up.
  bool give_up_ballast();
  /// The next admit() asks the file system: bytes that were staged are gone.
  void ask_again();

  /// Makes the ballast again when there is room for it beside what is staged.
  void restore_ballast(std::uint64_t staged);

 private:
  explicit Admission(const Options& options) : options_(options), path_(options.directory + "/ballast") {}
  std::uint64_t free_bytes() const;
  void ask_locked(std::uint64_t staged) PFS_REQUIRES(mutex_);
  void restore_locked(std::uint64_t staged) PFS_REQUIRES(mutex_);

  Options options_;
  const std::string path_;
  Mutex mutex_{LockRank::kLeaf};  // held over a statfs or an fallocate: neither waits for anything else of ours
  bool held_ PFS_GUARDED_BY(mutex_) = false;
  std::chrono::steady_clock::time_point asked_ PFS_GUARDED_BY(mutex_);
  std::uint64_t budget_ PFS_GUARDED_BY(mutex_) = 0;  // what may be spent, as of asked_
  std::uint64_t spent_ PFS_GUARDED_BY(mutex_) = 0;   // since then
};

}  // namespace pfs::store
