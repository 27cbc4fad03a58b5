#include "store/pack/pack_row.h"

#include "base/codec.h"

namespace pfs::store {

namespace {

constexpr std::uint8_t kRowVersion = 1;
constexpr std::uint8_t kPartialRowVersion = 2;  // written of partial packs alone: they are few, and a version of pfs before knows none

std::string encode_number(std::uint64_t number) { return Encoder().u8(kRowVersion).u64(number).str(); }

Result<std::uint64_t> decode_number(std::string_view value, std::string_view what) {
  Decoder in(value);
  if (in.u8() != kRowVersion) in.fail();
  const auto number = in.u64();
  PFS_TRY(in.finish(what));
  return number;
}

}  // namespace

std::string PackRow::encode() const {
  return Encoder().u8(partial ? kPartialRowVersion : kRowVersion).u8(static_cast<std::uint8_t>(kind)).u8(static_cast<std::uint8_t>(state)).u64(size)
      .raw(blob.bytes()).u64(static_cast<std::uint64_t>(when.nanoseconds)).str();
}

Result<PackRow> PackRow::decode(std::string_view value) {
  Decoder in(value);
  PackRow row;
  const auto version = in.u8();
  const auto kind = in.u8();
  const auto state = in.u8();
  row.size = in.u64();
  const auto blob = in.raw(BlobName::kSize);
  row.when = Timestamp{static_cast<std::int64_t>(in.u64())};
  PFS_TRY(in.finish("pack row"));
  row.partial = version == kPartialRowVersion;
  if ((version != kRowVersion && !row.partial) || kind < 1 || kind > 2 || state < 1 || state > 4) return Error{Code::kCorrupt, "pack row: damaged record"};
  row.kind = static_cast<PackKind>(kind);
  row.state = static_cast<PackState>(state);
  row.blob = BlobName::from_bytes(blob);
  return row;
}

std::string pack_key(PackNumber number) { return Encoder().u64(number.value()).str(); }

std::string encode_next_number(std::uint64_t next) { return encode_number(next); }
Result<std::uint64_t> decode_next_number(std::string_view value) { return decode_number(value, "next pack number"); }

std::string encode_snapshot_until(std::uint64_t until) { return encode_number(until); }
Result<std::uint64_t> decode_snapshot_until(std::string_view value) { return decode_number(value, "row of the refs' snapshot"); }

}  // namespace pfs::store
