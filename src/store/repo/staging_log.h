#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/shared_sync.h"
#include "base/sync.h"
#include "store/repo/admission.h"
#include "store/repo/spool.h"
#include "store/repo/staging_format.h"
#include "store/staging_limits.h"
#include "store/types.h"

namespace pfs::store {

/// New bytes of files until they are cut into chunks: an append-only log in segments, each record describing itself, so
/// that fsync(2) of a file is one fdatasync and a killed process loses nothing that was written. Big and often
/// rewritten files have a spool beside it.
///
/// Thread-safe. A segment or spool is deleted when nobody claims a byte of it any more. Source: docs/format.md "Staging".
class StagingLog {
 public:
  struct Options {
    std::string directory;            ///< `log` and `spool` are made in it
    StagingLimits limits = {};
    Admission* admission = nullptr;   ///< null: everything is admitted
  };

  /// Finds the spools, reads every record there is, in order, and proves it by its checksum; one that fails it ends its
  /// segment. Nothing is claimed yet.
  static Result<std::unique_ptr<StagingLog>> open(const Options& options);
  /// Hands over each record that open() found good, in order. Once.
  Result<void> replay(const std::function<void(const StagingRecord&)>& visit);
  ~StagingLog();

  const StagingLimits& limits() const { return options_.limits; }
  Spools& spools() { return *spools_; }

  /// Whether there is room for that many more staged bytes and for finishing all of them. Errors: kNoSpace.
  Result<void> admit(std::uint64_t bytes) const;
  /// Whether there is room enough to pack what may be written over or deleted before it is committed.
  bool has_plenty() const;

  /// Appends `record` (kind, file, epoch, offset, size_after, mtime are the caller's) with its bytes; fills in the rest.
  /// Errors: kNoSpace, kIo; the log is as it was.
  Result<void> append(StagingRecord& record, std::span<const std::byte> bytes);
  Result<void> read(const StagedAt& at, std::span<std::byte> out) const;
  /// Everything appended to the log before survives a power cut. Many callers share one sync of a segment.
  Result<void> sync();

  /// Whether the bytes are there: after a power cut a row may be newer than they are.
  bool has(const StagedAt& at, std::uint64_t bytes) const;
  /// A row knows this sequence number, so it is not given out again.
  void note_used(std::uint64_t sequence);

  /// Counts the bytes of a segment or spool that somebody refers to. A layer that has a spool claims it once.
  void claim(const StagedAt& at, std::uint64_t bytes);
  void release(const StagedAt& at, std::uint64_t bytes);

  /// While a pin lives, nothing is deleted that somebody claimed when it began: a walk over older rows may still read it.
  class Pin {
   public:
    explicit Pin(StagingLog& log);
    ~Pin();
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;

   private:
    StagingLog& log_;
    std::uint64_t generation_ = 0;
  };

  /// Segments and spools that nobody claims. Nothing is appended to them from here on.
  std::vector<StagedAt> unclaimed();
  /// Deletes those of `places` that still nobody claims, and that nobody has pinned; those are to be named again later. The
  /// caller has made durable whatever stopped referring to them.
  void remove(const std::vector<StagedAt>& places);
  /// The segments whose live bytes are to be moved on, so that they can be deleted: those under a quarter live, and where
  /// that does not bring the log within its bound, those with the least.
  std::vector<std::uint64_t> sparse_segments() const;
  /// So much is dead that somebody should clear up: a hint that costs a load.
  bool wants_clearing() const { return wants_clearing_; }
  void cleared();

  struct Usage {
    std::uint64_t bytes = 0;  ///< staged, of the log and of the spools
    std::uint64_t live = 0;   ///< somebody refers to
  };
  Usage usage() const;

 private:
  struct Segment;
  using SegmentPtr = std::shared_ptr<Segment>;

  explicit StagingLog(const Options& options) : options_(options), directory_(options.directory + "/log") {}
  Result<void> find_segments();
  Result<void> scan(std::uint32_t number, const std::function<void(const StagingRecord&)>& visit);
  Result<void> roll_locked() PFS_REQUIRES(mutex_);
  Usage log_usage_locked() const PFS_REQUIRES(mutex_);

  const Options options_;
  const std::string directory_;
  std::unique_ptr<Spools> spools_;
  // Atomic, because every writer looks: set under mutex_, where a thing becomes too big; a look too early or too late is harmless.
  std::atomic<bool> wants_clearing_{false};
  mutable Mutex mutex_{LockRank::kStorage};
  std::map<std::uint64_t, SegmentPtr> segments_ PFS_GUARDED_BY(mutex_);
  SegmentPtr active_ PFS_GUARDED_BY(mutex_);
  std::uint32_t next_number_ PFS_GUARDED_BY(mutex_) = 1;
  std::uint64_t next_sequence_ PFS_GUARDED_BY(mutex_) = 1;
  std::uint64_t generation_ PFS_GUARDED_BY(mutex_) = 1;  // counts the times when something was condemned
  std::map<std::uint64_t, int> pins_ PFS_GUARDED_BY(mutex_);  // by the generation in which they began
  SharedSync sync_;
};

}  // namespace pfs::store
