#pragma once

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
#include "base/sync.h"
#include "store/types.h"

namespace pfs::store {

/// Where staged bytes are: a segment's number and the offset in its file.
struct StagedAt {
  std::uint32_t segment = 0;
  std::uint64_t offset = 0;

  bool operator==(const StagedAt&) const = default;
};

/// A record of the log, as replay tells it.
struct StagingRecord {
  enum class Kind : std::uint8_t { kWrite = 1, kTruncate = 2 };
  Kind kind = Kind::kWrite;
  FileId file;
  Epoch epoch;
  std::uint64_t offset = 0;
  std::uint32_t length = 0;
  std::uint64_t size_after = 0;
  Timestamp mtime;
  std::uint64_t sequence = 0;
  StagedAt at;  ///< of the bytes
};

/// New bytes of files until they are cut into chunks: an append-only log in segments, each record describing itself, so
/// that fsync(2) of a file is one fdatasync and a killed process loses nothing that was written.
///
/// Thread-safe. A segment is deleted when nobody claims a byte of it any more. Source: docs/format.md "Staging".
class StagingLog {
 public:
  static constexpr std::uint64_t kSegmentSize = std::uint64_t{64} << 20U;

  /// Reads every record there is, in order, and proves it by its checksum; one that fails it ends its segment. `replay`
  /// gets each record that is good. Nothing is claimed yet.
  static Result<std::unique_ptr<StagingLog>> open(const std::string& directory,
                                                  const std::function<void(const StagingRecord&)>& replay);
  ~StagingLog();

  /// Appends `record` (kind, file, epoch, offset, size_after, mtime are the caller's) with its bytes; fills in the rest.
  /// Errors: kNoSpace, kIo; the log is as it was.
  Result<void> append(StagingRecord& record, std::span<const std::byte> bytes);
  Result<void> read(const StagedAt& at, std::span<std::byte> out) const;
  /// Everything appended before survives a power cut.
  Result<void> sync();

  /// Counts the bytes of a segment that somebody refers to.
  void claim(const StagedAt& at, std::uint64_t bytes);
  void release(const StagedAt& at, std::uint64_t bytes);

  /// While a pin lives, no segment is deleted: a walk over older rows may still read it.
  class Pin {
   public:
    explicit Pin(StagingLog& log);
    ~Pin();
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;

   private:
    StagingLog& log_;
  };

  /// Deletes the segments that nobody claims. The caller has made durable whatever stopped referring to them.
  void remove_unclaimed();
  /// Whether remove_unclaimed() would delete something.
  bool has_unclaimed() const;
  std::uint64_t bytes() const;

 private:
  struct Segment;
  using SegmentPtr = std::shared_ptr<Segment>;

  explicit StagingLog(std::string directory) : directory_(std::move(directory)) {}
  Result<void> scan(std::uint32_t number, const std::function<void(const StagingRecord&)>& replay);
  Result<void> roll_locked() PFS_REQUIRES(mutex_);

  const std::string directory_;
  mutable Mutex mutex_{LockRank::kStorage};
  std::map<std::uint32_t, SegmentPtr> segments_ PFS_GUARDED_BY(mutex_);
  SegmentPtr active_ PFS_GUARDED_BY(mutex_);
  std::uint32_t next_number_ PFS_GUARDED_BY(mutex_) = 1;
  std::uint64_t next_sequence_ PFS_GUARDED_BY(mutex_) = 1;
  int pins_ PFS_GUARDED_BY(mutex_) = 0;
};

}  // namespace pfs::store
