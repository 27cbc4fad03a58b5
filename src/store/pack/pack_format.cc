#include "store/pack/pack_format.h"

#include <xxhash.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <memory>

#include <fmt/format.h>

#include "base/codec.h"

namespace pfs::store {

namespace {

constexpr std::string_view kPackMagic = "pfspack1";
constexpr std::string_view kFooterMagic = "pfspkend";
constexpr std::uint32_t kFrameMagic = 0x70667366;  // "pfsf"
constexpr std::uint16_t kFlagZstd = 1;
constexpr std::size_t kTableEntrySize = 1 + 3 + Digest::kSize;
constexpr std::size_t kFooterEntrySize = Digest::kSize + 1 + 4 + 3 + 3 + 3;

std::uint64_t xxh3(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

std::uint64_t frame_checksum(std::string_view header_fields, std::string_view stored) {
  return XXH3_64bits_withSeed(stored.data(), stored.size(), xxh3(header_fields));
}

Error damaged(std::string_view what) { return Error{Code::kCorrupt, fmt::format("pack: damaged {}", what)}; }

bool is_object_kind(std::uint8_t kind) { return (kind >= 1 && kind <= 5) || kind == 7; }

ZSTD_CCtx* compression_context() {
  struct Free {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  };
  thread_local const std::unique_ptr<ZSTD_CCtx, Free> context(ZSTD_createCCtx());
  return context.get();
}

ZSTD_DCtx* decompression_context() {
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  thread_local const std::unique_ptr<ZSTD_DCtx, Free> context(ZSTD_createDCtx());
  return context.get();
}

}  // namespace

std::string object_key(const ObjectId& id) {
  return Encoder().u32(0).u8(static_cast<std::uint8_t>(id.kind)).raw(id.digest.bytes()).str();  // dedup domain 0
}

Result<ObjectId> decode_object_key(std::string_view key) {
  Decoder in(key);
  const auto domain = in.u32();
  const auto kind = in.u8();
  const auto digest = in.raw(Digest::kSize);
  PFS_TRY(in.finish("object key"));
  if (domain != 0 || !is_object_kind(kind)) return damaged("object key");
  return ObjectId{static_cast<ObjectKind>(kind), Digest::from_bytes(digest)};
}

std::string Location::encode() const {
  return Encoder().u40(pack.value()).u32(frame_offset).u24(frame_length).u24(inner).u24(length).str();
}

Result<Location> Location::decode(std::string_view bytes) {
  Decoder in(bytes);
  Location location;
  location.pack = PackNumber(in.u40());
  location.frame_offset = in.u32();
  location.frame_length = in.u24();
  location.inner = in.u24();
  location.length = in.u24();
  PFS_TRY(in.finish("index row"));
  return location;
}

std::string encode_pack_header(PackNumber number, PackKind kind, bool repacked) {
  Encoder out;
  out.raw(kPackMagic).u8(1).u8(static_cast<std::uint8_t>(kind));
  out.u8(0).u8(repacked ? 1 : 0);  // cipher: none
  out.u32(0).u64(number.value());  // dedup domain 0: the store
  out.u64(0).raw(std::string(24, '\0'));  // key id, nonce base
  out.u64(xxh3(out.str()));
  return std::move(out).str();
}

Result<PackKind> check_pack_header(std::string_view bytes, PackNumber number) {
  if (bytes.size() < kPackHeaderSize || bytes.substr(0, kPackMagic.size()) != kPackMagic) return damaged("header");
  Decoder in(bytes.substr(kPackMagic.size(), kPackHeaderSize - kPackMagic.size()));
  const auto version = in.u8();
  const auto kind = in.u8();
  const auto cipher = in.u8();
  in.u8();
  in.u32();
  const auto written_number = in.u64();
  in.u64();
  in.raw(24);
  if (in.u64() != xxh3(bytes.substr(0, kPackHeaderSize - 8))) return damaged("header checksum");
  if (version != 1 || cipher != 0) {
    return Error{Code::kUnsupported, fmt::format("pack {}: version {}, cipher {}: made by a newer pfs", number.value(), version, cipher)};
  }
  if (written_number != number.value() || (kind != 1 && kind != 2)) return damaged("header");
  return static_cast<PackKind>(kind);
}

bool is_repacked(std::string_view header) { return header[kPackMagic.size() + 3] == 1; }

std::string encode_frame(std::span<const FrameView> objects, std::uint64_t sequence, int level) {
  Encoder table;
  std::size_t raw_size = 0;
  for (const auto& object : objects) {
    table.u8(static_cast<std::uint8_t>(object.id.kind)).u24(static_cast<std::uint32_t>(object.bytes.size()));
    table.raw(object.id.digest.bytes());
    raw_size += object.bytes.size();
  }
  // one thread makes one frame after the other: the room for it stays
  thread_local std::string gathered;
  thread_local std::string stored;
  std::string_view raw;
  if (objects.size() == 1) {
    raw = objects.front().bytes;
  } else {
    gathered.clear();
    for (const auto& object : objects) gathered += object.bytes;
    raw = gathered;
  }
  const std::size_t table_size = table.size();
  if (stored.size() < table_size + raw_size) stored.resize(table_size + raw_size);
  std::copy(table.str().begin(), table.str().end(), stored.begin());
  // compressed only where it gains: the bound is the raw size, and zstd fails when it would need more
  const std::size_t packed =
      ZSTD_compressCCtx(compression_context(), stored.data() + table_size, raw_size, raw.data(), raw_size, level);
  const bool compressed = ZSTD_isError(packed) == 0 && packed < raw_size;
  if (!compressed) std::copy(raw.begin(), raw.end(), stored.begin() + static_cast<std::ptrdiff_t>(table_size));
  const auto body = std::string_view(stored).substr(0, table_size + (compressed ? packed : raw_size));
  Encoder header;
  header.u32(kFrameMagic).u16(compressed ? kFlagZstd : 0).u16(static_cast<std::uint16_t>(objects.size()));
  header.u32(static_cast<std::uint32_t>(raw_size)).u32(static_cast<std::uint32_t>(body.size())).u64(sequence);
  header.u64(frame_checksum(header.str(), body));
  std::string frame;
  frame.reserve(header.size() + body.size());
  return frame.append(header.str()).append(body);
}

std::string encode_frame(const std::vector<FrameObject>& objects, std::uint64_t sequence, int level) {
  std::vector<FrameView> views;
  views.reserve(objects.size());
  for (const auto& object : objects) views.push_back({object.id, object.bytes});
  return encode_frame(std::span<const FrameView>(views), sequence, level);
}

std::string frame_magic() { return Encoder().u32(kFrameMagic).str(); }

Result<FrameHeader> decode_frame_header(std::string_view bytes) {
  if (bytes.size() < kFrameHeaderSize) return damaged("frame header");
  Decoder in(bytes.substr(0, kFrameHeaderSize));
  const auto magic = in.u32();
  const auto flags = in.u16();
  FrameHeader header;
  header.objects = in.u16();
  header.raw = in.u32();
  header.stored = in.u32();
  header.sequence = in.u64();
  header.checksum = in.u64();
  header.compressed = (flags & kFlagZstd) != 0;
  const std::size_t table = header.objects * kTableEntrySize;
  if (magic != kFrameMagic || (flags & ~kFlagZstd) != 0 || header.objects == 0 || header.raw > kMaxFrameRaw ||
      header.stored < table || header.stored > table + header.raw) {
    return damaged("frame header");
  }
  return header;
}

Result<DecodedFrame> decode_frame(const SharedBytes& shared, bool with_raw) {
  const auto frame = shared.bytes;
  PFS_TRY_ASSIGN(const auto header, decode_frame_header(frame));
  if (frame.size() < header.frame_length()) return damaged("frame: it is cut short");
  const auto stored = frame.substr(kFrameHeaderSize, header.stored);
  if (frame_checksum(frame.substr(0, kFrameHeaderSize - 8), stored) != header.checksum) return damaged("frame checksum");
  DecodedFrame decoded;
  Decoder table(stored.substr(0, header.objects * kTableEntrySize));
  std::uint32_t inner = 0;
  for (unsigned i = 0; i < header.objects; ++i) {
    FrameEntry entry;
    const auto kind = table.u8();
    entry.length = table.u24();
    entry.id = ObjectId{static_cast<ObjectKind>(kind), Digest::from_bytes(table.raw(Digest::kSize))};
    entry.inner = inner;
    inner += entry.length;
    if (!is_object_kind(kind)) return damaged("frame table");
    decoded.entries.push_back(entry);
  }
  if (inner != header.raw) return damaged("frame table");
  if (!with_raw) return decoded;
  const auto payload = stored.substr(header.objects * kTableEntrySize);
  if (!header.compressed) {
    if (payload.size() != header.raw) return damaged("frame");
    decoded.raw = {shared.owner, payload};
    return decoded;
  }
  ByteRoom room(header.raw);
  const std::size_t size =
      ZSTD_decompressDCtx(decompression_context(), room.span().data(), header.raw, payload.data(), payload.size());
  if (ZSTD_isError(size) != 0 || size != header.raw) return damaged("frame: zstd");
  decoded.raw = std::move(room).share();
  return decoded;
}

std::string encode_footer(std::vector<FooterEntry> entries, const Digest& headers) {
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return std::tie(a.id.digest, a.id.kind) < std::tie(b.id.digest, b.id.kind);
  });
  Encoder out;
  std::array<std::uint32_t, 256> fanout{};
  for (const auto& entry : entries) {
    out.raw(entry.id.digest.bytes()).u8(static_cast<std::uint8_t>(entry.id.kind)).u32(entry.frame_offset);
    out.u24(entry.frame_length).u24(entry.inner).u24(entry.length);
    ++fanout[entry.id.digest.array()[0]];
  }
  std::uint32_t sum = 0;
  for (const auto count : fanout) out.u32(sum += count);
  out.u32(static_cast<std::uint32_t>(entries.size())).raw(headers.bytes());
  out.u64(xxh3(out.str())).raw(kFooterMagic);
  return std::move(out).str();
}

Result<std::uint64_t> footer_size(std::string_view tail) {
  if (tail.size() < kFooterTailSize || tail.substr(tail.size() - 8) != kFooterMagic) return damaged("footer");
  const std::uint64_t count = Decoder(tail.substr(tail.size() - kFooterTailSize)).u32();
  return count * kFooterEntrySize + 256 * 4 + kFooterTailSize;
}

Result<std::vector<FooterEntry>> decode_footer(std::string_view tail) {
  PFS_TRY_ASSIGN(const auto size, footer_size(tail));
  if (size > tail.size()) return damaged("footer");
  Decoder end(tail.substr(tail.size() - kFooterTailSize));
  const std::uint64_t count = end.u32();
  end.raw(Digest::kSize);
  const auto checksum = end.u64();
  const auto footer = tail.substr(tail.size() - size);
  if (xxh3(footer.substr(0, footer.size() - 16)) != checksum) return damaged("footer checksum");
  Decoder in(footer);
  std::vector<FooterEntry> entries;
  entries.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    FooterEntry entry;
    entry.id.digest = Digest::from_bytes(in.raw(Digest::kSize));
    const auto kind = in.u8();
    entry.id.kind = static_cast<ObjectKind>(kind);
    entry.frame_offset = in.u32();
    entry.frame_length = in.u24();
    entry.inner = in.u24();
    entry.length = in.u24();
    if (!is_object_kind(kind)) return damaged("footer");
    entries.push_back(entry);
  }
  return entries;
}

}  // namespace pfs::store
