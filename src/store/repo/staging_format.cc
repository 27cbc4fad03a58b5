#include "store/repo/staging_format.h"

#include <xxhash.h>

#include <fmt/format.h>

#include "base/codec.h"

namespace pfs::store {

namespace {

constexpr std::string_view kSegmentMagic = "pfsstage";
constexpr std::uint32_t kRecordMagic = 0x70667372;  // "pfsr"
constexpr std::size_t kChecksumSize = 8;

std::uint64_t staged_hash(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

// The fields' hash is the seed of the bytes' one.
std::uint64_t record_checksum(std::string_view fields, std::span<const std::byte> bytes) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), staged_hash(fields));
}

}  // namespace

std::string encode_segment_header(std::uint32_t number) {
  // version 1, cipher 0, domain 0, key id 0, nonce base 0: as a pack's header
  Encoder out;
  out.raw(kSegmentMagic).u8(1).u8(0).u16(0).u32(0).u64(number).u64(0).raw(std::string(24, '\0'));
  out.u64(staged_hash(out.str()));
  return std::move(out).str();
}

Result<void> check_segment_header(std::string_view bytes, std::uint32_t number) {
  const auto damaged = [number] { return Error{Code::kCorrupt, fmt::format("staging segment {:08x}: damaged header", number)}; };
  if (bytes.size() < kSegmentHeaderSize || bytes.substr(0, kSegmentMagic.size()) != kSegmentMagic) return damaged();
  bytes = bytes.substr(0, kSegmentHeaderSize);
  Decoder in(bytes.substr(kSegmentMagic.size()));
  const auto version = in.u8();
  const auto cipher = in.u8();
  in.u16();
  in.u32();
  const auto written_number = in.u64();
  in.u64();
  in.raw(24);
  if (in.u64() != staged_hash(bytes.substr(0, kSegmentHeaderSize - kChecksumSize)) || written_number != number) return damaged();
  if (version != 1 || cipher != 0) {
    return Error{Code::kUnsupported,
                 fmt::format("staging segment {:08x}: version {}, cipher {}: made by a newer pfs; open the store with that",
                             number, version, cipher)};
  }
  return {};
}

std::string encode_record_header(const StagingRecord& record, std::span<const std::byte> bytes) {
  Encoder out;
  out.u32(kRecordMagic).u8(static_cast<std::uint8_t>(record.kind)).u24(0).u32(record.length);
  out.u64(record.file.value()).u64(record.epoch.value()).u64(record.offset).u64(record.size_after);
  out.u64(static_cast<std::uint64_t>(record.mtime.nanoseconds)).u64(record.sequence);
  out.u64(record_checksum(out.str(), bytes));
  return std::move(out).str();
}

Result<StagingHeader> decode_record_header(std::string_view header) {
  Decoder in(header);
  StagingHeader decoded;
  auto& record = decoded.record;
  const auto magic = in.u32();
  const auto kind = in.u8();
  in.u24();
  record.length = in.u32();
  record.file = FileId(in.u64());
  record.epoch = Epoch(in.u64());
  record.offset = in.u64();
  record.size_after = in.u64();
  record.mtime.nanoseconds = static_cast<std::int64_t>(in.u64());
  record.sequence = in.u64();
  decoded.checksum = in.u64();
  PFS_TRY(in.finish("staging record"));
  if (magic != kRecordMagic || kind < 1 || kind > 3) return Error{Code::kCorrupt, "staging record: damaged header"};
  record.kind = static_cast<StagingRecord::Kind>(kind);
  return decoded;
}

bool proves(std::string_view header, std::uint64_t checksum, std::span<const std::byte> bytes) {
  return record_checksum(header.substr(0, kRecordHeaderSize - kChecksumSize), bytes) == checksum;
}

}  // namespace pfs::store
