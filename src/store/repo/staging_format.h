#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "store/types.h"

namespace pfs::store {

/// Where staged bytes are: in which segment of the log or spool, and the offset in its file.
struct StagedAt {
  static constexpr std::uint64_t kSpoolBit = std::uint64_t{1} << 63U;

  std::uint64_t segment = 0;  ///< its number; a spool's with the top bit
  std::uint64_t offset = 0;

  static StagedAt in_spool(std::uint64_t number, std::uint64_t offset) { return {number | kSpoolBit, offset}; }
  bool is_in_spool() const { return (segment & kSpoolBit) != 0; }
  std::uint64_t spool() const { return segment & ~kSpoolBit; }

  bool operator==(const StagedAt&) const = default;
};

/// A record of the log, as replay tells it.
struct StagingRecord {
  /// kMoved: a copy of bytes that lay in another segment; rows alone refer to it, so replay has nothing to do for it.
  enum class Kind : std::uint8_t { kWrite = 1, kTruncate = 2, kMoved = 3 };
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

inline constexpr std::size_t kSegmentHeaderSize = 64;
inline constexpr std::size_t kRecordHeaderSize = 68;

std::string encode_segment_header(std::uint32_t number);
/// Errors: kCorrupt (damaged, or another segment's), kUnsupported (a newer pfs made it).
Result<void> check_segment_header(std::string_view bytes, std::uint32_t number);

/// What stands before a record's bytes: its fields and the checksum of both.
std::string encode_record_header(const StagingRecord& record, std::span<const std::byte> bytes);
struct StagingHeader {
  StagingRecord record;  ///< without the place
  std::uint64_t checksum = 0;
};
/// Shape: kRecordHeaderSize bytes. Errors: kCorrupt. What it says is to be believed once its bytes are proved.
Result<StagingHeader> decode_record_header(std::string_view header);
/// Whether these bytes and that header belong together, undamaged.
bool proves(std::string_view header, std::uint64_t checksum, std::span<const std::byte> bytes);

}  // namespace pfs::store
