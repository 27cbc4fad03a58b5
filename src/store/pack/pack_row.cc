#include "store/pack/pack_row.h"

#include "base/codec.h"

namespace pfs::store {

namespace {

constexpr std::uint8_t kRowVersion = 1;

}  // namespace

std::string PackRow::encode() const {
  return Encoder().u8(kRowVersion).u8(static_cast<std::uint8_t>(kind)).u8(static_cast<std::uint8_t>(state)).u64(size).raw(blob.bytes())
      .u64(static_cast<std::uint64_t>(when.nanoseconds)).str();
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
  if (version != kRowVersion || kind < 1 || kind > 2 || state < 1 || state > 4) return Error{Code::kCorrupt, "pack row: damaged record"};
  row.kind = static_cast<PackKind>(kind);
  row.state = static_cast<PackState>(state);
  row.blob = BlobName::from_bytes(blob);
  return row;
}

std::string pack_key(PackNumber number) { return Encoder().u64(number.value()).str(); }

std::string encode_next_number(std::uint64_t next) { return Encoder().u8(kRowVersion).u64(next).str(); }

Result<std::uint64_t> decode_next_number(std::string_view value) {
  Decoder in(value);
  const auto version = in.u8();
  const auto next = in.u64();
  PFS_TRY(in.finish("next pack number"));
  if (version != kRowVersion) return Error{Code::kCorrupt, "next pack number: damaged record"};
  return next;
}

}  // namespace pfs::store
