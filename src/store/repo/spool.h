#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/sync.h"

namespace pfs::store {

class Spools;

/// Staged bytes of one file in a sparse file of their own, overwritten in place: for files that are big or often rewritten.
///
/// It shows whole blocks: a block is valid once something was written in it, and whoever writes part of one fills in the rest
/// before. What is not valid shows what lies below the spool. Its st_size is the file's size. Both are found again
/// in the file system after a crash, so nothing is recorded beside it.
/// Thread-safe; writes and resizing are one caller's at a time (the live file's mutex), and nobody's once it is sealed.
/// Source: docs/format.md "Spools".
class Spool {
 public:
  Spool(Spools& spools, std::uint64_t number, std::uint64_t block_bytes) : number_(number), block_(block_bytes), spools_(spools) {}

  std::uint64_t number() const { return number_; }
  std::uint64_t block() const { return block_; }
  std::uint64_t size() const;
  /// Bytes of valid blocks: what it takes of the disk.
  std::uint64_t bytes() const;
  Timestamp changed() const;
  bool valid(std::uint64_t block_index) const;
  /// The first byte at `offset` or behind it that is in a valid block; kNone where there is none.
  static constexpr std::uint64_t kNone = ~std::uint64_t{0};
  std::uint64_t next_valid(std::uint64_t offset) const;
  /// How far the blocks from the one of `offset` on are valid, looked for up to `end`; `offset` where that one is not.
  std::uint64_t valid_to(std::uint64_t offset, std::uint64_t end) const;
  /// How many bytes of blocks writing [offset, offset + length) would add.
  std::uint64_t added_by(std::uint64_t offset, std::uint64_t length) const;
  /// The valid ranges within [begin, end), in order, adjacent ones as one.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> valid_ranges(std::uint64_t begin, std::uint64_t end) const;

  /// Errors: kNoSpace, kIo; the blocks that were not valid are not valid then.
  Result<void> write(std::uint64_t offset, std::span<const std::byte> bytes);
  /// Cuts or grows; what is cut off is not valid any more.
  Result<void> resize(std::uint64_t size);
  /// Fills `out`; past the end are zeros.
  Result<void> read(std::uint64_t offset, std::span<std::byte> out) const;
  /// What was written before survives a power cut, its name too. Once it has failed it fails: the kernel may have
  /// dropped what it could not write. Source: fsync(2).
  Result<void> sync();

  /// From here on it never changes.
  void seal() { sealed_ = true; }
  bool sealed() const { return sealed_; }
  /// Something that was durable is gone because this holds it now: it must be synced before that is deleted.
  void note_replaces() { replaces_ = true; }
  bool replaces() const { return replaces_; }

 private:
  friend class Spools;
  std::uint64_t next_valid_locked(std::uint64_t block) const PFS_REQUIRES(mutex_);
  void add_valid_locked(std::uint64_t first, std::uint64_t last) PFS_REQUIRES(mutex_);
  void cut_valid_locked(std::uint64_t blocks) PFS_REQUIRES(mutex_);  // only the first `blocks` stay
  Result<void> find_blocks();

  const std::uint64_t number_;
  const std::uint64_t block_;
  Spools& spools_;
  // Atomic, because who reads them holds different locks; each only ever says "from now on".
  std::atomic<bool> sealed_{false};
  std::atomic<bool> replaces_{false};
  mutable Mutex mutex_{LockRank::kLeaf};
  // A bit a block, in pages, of which only those are there that something was written in: a byte can be written at any offset.
  static constexpr std::uint64_t kPageBlocks = 4096;
  using Page = std::array<std::uint64_t, kPageBlocks / 64>;
  std::map<std::uint64_t, Page> valid_ PFS_GUARDED_BY(mutex_);
  std::uint64_t blocks_ PFS_GUARDED_BY(mutex_) = 0;  // bits set
  std::uint64_t size_ PFS_GUARDED_BY(mutex_) = 0;
  Timestamp changed_ PFS_GUARDED_BY(mutex_);
  bool dirty_ PFS_GUARDED_BY(mutex_) = true;
  bool named_ PFS_GUARDED_BY(mutex_) = false;  // its name is durable
  bool failed_ PFS_GUARDED_BY(mutex_) = false;
  bool syncing_ PFS_GUARDED_BY(mutex_) = false;
  Condition synced_;
  // guarded by Spools::mutex_
  std::uint64_t claims_ = 0;
  std::uint64_t condemned_ = 0;  // the generation in which nobody claimed it any more; 0: not seen yet
  std::shared_ptr<const File> file_;
};

using SpoolPtr = std::shared_ptr<Spool>;

/// All spools of a store. An idle one has no descriptor: at most kOpenFiles are open.
///
/// Thread-safe.
class Spools {
 public:
  static constexpr std::size_t kOpenFiles = 64;

  /// Finds what is there; nothing is claimed yet. The unit of validity is the file system's block, at least 4 KiB.
  static Result<std::unique_ptr<Spools>> open(const std::string& directory);

  /// An empty one, claimed once.
  Result<SpoolPtr> make();
  /// Null when there is none of that number.
  Result<SpoolPtr> find(std::uint64_t number);

  void claim(std::uint64_t number, std::uint64_t claims);
  void release(std::uint64_t number, std::uint64_t claims);
  /// Those that nobody claims.
  std::vector<std::uint64_t> unclaimed() const;
  /// Deletes those of `numbers` that still nobody claims; where readers began when that was first seen or before, by their
  /// generations, they are only condemned.
  void remove(const std::vector<std::uint64_t>& numbers, std::uint64_t generation, std::uint64_t oldest_reader);
  /// Nobody may write those any more that are claimed more than once.
  void seal_shared();
  /// Syncs those that replace something durable.
  Result<void> sync_replacing();

  struct Usage {
    std::uint64_t bytes = 0;  ///< of all
    std::uint64_t live = 0;   ///< of those that somebody claims
  };
  Usage usage() const;

 private:
  friend class Spool;
  explicit Spools(std::string directory) : directory_(std::move(directory)) {}
  Result<std::shared_ptr<const File>> file_of(Spool& spool) PFS_EXCLUDES(mutex_);
  void keep_open(Spool& spool, std::shared_ptr<const File> file) PFS_REQUIRES(mutex_);
  std::string path_of(std::uint64_t number) const;

  const std::string directory_;
  std::uint64_t block_ = 4096;
  mutable Mutex mutex_{LockRank::kStorage};
  std::map<std::uint64_t, SpoolPtr> spools_ PFS_GUARDED_BY(mutex_);
  std::uint64_t next_number_ PFS_GUARDED_BY(mutex_) = 1;
  std::list<Spool*> open_ PFS_GUARDED_BY(mutex_);  // most recently used first
};

}  // namespace pfs::store
