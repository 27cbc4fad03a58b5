#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/shared_bytes.h"
#include "store/types.h"

namespace pfs::store {

struct PackNumberTag;
/// A pack's number: given when it is opened, never used again.
using PackNumber = Id<PackNumberTag>;

/// What a pack holds: bytes of files, or tree nodes, lists and commits (so that marking reads no data).
enum class PackKind : std::uint8_t { kData = 1, kMeta = 2 };

/// An object's name.
struct ObjectId {
  ObjectKind kind = ObjectKind::kChunk;
  Digest digest;

  auto operator<=>(const ObjectId&) const = default;
};

/// The key of an object's row in the families `hot` and `index`.
std::string object_key(const ObjectId& id);
/// Errors: kCorrupt.
Result<ObjectId> decode_object_key(std::string_view key);

inline PackKind pack_kind_of(ObjectKind kind) {
  return kind == ObjectKind::kChunk ? PackKind::kData : PackKind::kMeta;
}

/// Where an object's bytes are. 18 bytes in the index.
struct Location {
  PackNumber pack;
  std::uint32_t frame_offset = 0;  ///< of the frame's header in the pack
  std::uint32_t frame_length = 0;  ///< header, table and stored bytes
  std::uint32_t inner = 0;         ///< where the object begins in the frame's raw bytes
  std::uint32_t length = 0;        ///< of the object, raw

  std::string encode() const;
  static Result<Location> decode(std::string_view bytes);
  bool operator==(const Location&) const = default;
};

/// An object on its way into a frame.
struct FrameObject {
  ObjectId id;
  std::string bytes;
};

/// The same with bytes that somebody else keeps.
struct FrameView {
  ObjectId id;
  std::string_view bytes;
};

/// An object in a frame that was read or scanned.
struct FrameEntry {
  ObjectId id;
  std::uint32_t inner = 0;
  std::uint32_t length = 0;
};

inline constexpr std::size_t kPackHeaderSize = 64;
inline constexpr std::size_t kFrameHeaderSize = 32;
/// A frame's raw bytes stay under this; one object may be as long.
inline constexpr std::size_t kMaxFrameRaw = std::size_t{1} << 20U;

/// `repacked`: made by a repack, so that the next one need not try whether it gains.
std::string encode_pack_header(PackNumber number, PackKind kind, bool repacked = false);
Result<PackKind> check_pack_header(std::string_view bytes, PackNumber number);
/// Of a header that was checked.
bool is_repacked(std::string_view header);

/// A frame: header, table of its objects, and their bytes end to end, compressed with zstd at `level` where that gains.
std::string encode_frame(std::span<const FrameView> objects, std::uint64_t sequence, int level);
std::string encode_frame(const std::vector<FrameObject>& objects, std::uint64_t sequence, int level);

struct FrameHeader {
  std::uint16_t objects = 0;
  bool compressed = false;
  std::uint32_t raw = 0;     ///< bytes of all objects
  std::uint32_t stored = 0;  ///< bytes after the header: table and payload
  std::uint64_t sequence = 0;
  std::uint64_t checksum = 0;

  std::size_t frame_length() const { return kFrameHeaderSize + stored; }
};

/// What each frame begins with.
std::string frame_magic();
/// Errors: kCorrupt unless `bytes` begins with a frame header that can be one.
Result<FrameHeader> decode_frame_header(std::string_view bytes);

struct DecodedFrame {
  std::vector<FrameEntry> entries;
  SharedBytes raw;  ///< of all objects: a part of the stored frame where that is not compressed
};

/// Proves the checksum (XXH3-64 over the header's fields and everything stored) and decompresses.
/// `with_raw` false: the table only. Errors: kCorrupt.
Result<DecodedFrame> decode_frame(const SharedBytes& frame, bool with_raw = true);

/// The footer that seals a pack: sorted table of its objects.
struct FooterEntry {
  ObjectId id;
  std::uint32_t frame_offset = 0;
  std::uint32_t frame_length = 0;
  std::uint32_t inner = 0;
  std::uint32_t length = 0;
};

/// `headers` is the SHA-256 of the pack's header and of all frames' headers, in order.
std::string encode_footer(std::vector<FooterEntry> entries, const Digest& headers);
/// The length of the footer that ends `tail`, told by its last kFooterTailSize bytes. Errors: kCorrupt.
inline constexpr std::size_t kFooterTailSize = 4 + Digest::kSize + 8 + 8;  // count, sha256, xxh3, magic
Result<std::uint64_t> footer_size(std::string_view tail);
/// `tail` is the end of a sealed pack, the whole footer at least. Errors: kCorrupt.
Result<std::vector<FooterEntry>> decode_footer(std::string_view tail);

}  // namespace pfs::store
