#include "store/tree/xattr_set.h"

#include <fmt/format.h>

#include "base/codec.h"
#include "store/chunk/sha256.h"

namespace pfs::store {

namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::string_view kTag = "pfs.xattrs.1";
constexpr std::size_t kMaxValue = std::size_t{64} << 10U;
constexpr std::size_t kMaxNames = std::size_t{64} << 10U;
constexpr std::size_t kMaxSet = std::size_t{1} << 20U;

}  // namespace

std::string encode_xattr_set(const Xattrs& all) {
  Encoder out;
  out.u8(kVersion).varint(all.size());
  for (const auto& [name, value] : all) out.bytes(name).bytes(value);
  return std::move(out).str();
}

Result<Xattrs> decode_xattr_set(std::string_view bytes) {
  Decoder in(bytes);
  if (in.u8() != kVersion) in.fail();
  Xattrs all;
  for (auto count = in.varint(); count > 0 && in.ok(); --count) {
    const std::string name(in.bytes());
    if (name.empty() || (!all.empty() && name <= all.rbegin()->first)) in.fail();
    all.emplace_hint(all.end(), name, in.bytes());
  }
  PFS_TRY(in.finish("extended attributes"));
  return all;
}

Result<Xattrs> load_xattrs(const Objects& objects, const Xattrs& kept) {
  const auto reference = kept.find("");
  if (reference == kept.end()) return kept;
  const auto damaged = [] { return Error{Code::kCorrupt, "extended attributes: damaged"}; };
  if (kept.size() != 1 || reference->second.size() != Digest::kSize) return damaged();
  const auto digest = Digest::from_bytes(reference->second);
  PFS_TRY_ASSIGN(const auto object, objects.read({ObjectKind::kXattrs, digest}));
  if (sha256_tagged(kTag, object.bytes) != digest) return damaged();
  return decode_xattr_set(object.bytes);
}

Result<Xattrs> keep_xattrs(ObjectWriter& writer, const Xattrs& all) {
  std::size_t bytes = 0;
  std::size_t names = 0;
  for (const auto& [name, value] : all) {
    if (value.size() > kMaxValue) {
      return Error{Code::kTooLarge, fmt::format("extended attribute {}: {} bytes; {} are allowed", printable(name), value.size(), kMaxValue)};
    }
    names += name.size() + 1;
    bytes += name.size() + value.size();
  }
  if (names > kMaxNames || bytes > kMaxSet) {
    return Error{Code::kNoSpace, fmt::format("extended attributes of {} bytes; a file keeps {}, and {} of names", bytes, kMaxSet, kMaxNames)};
  }
  if (bytes <= kMaxInlineXattrs) return all;
  auto encoded = encode_xattr_set(all);
  const auto digest = sha256_tagged(kTag, encoded);
  PFS_TRY(writer.add({ObjectKind::kXattrs, digest}, std::move(encoded)));
  return Xattrs{{"", std::string(digest.bytes())}};
}

}  // namespace pfs::store
