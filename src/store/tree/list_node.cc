#include "store/tree/list_node.h"

#include "base/codec.h"
#include "store/chunk/sha256.h"
#include "store/pack/pack_format.h"

namespace pfs::store {

namespace {

constexpr std::uint8_t kListVersion = 1;
constexpr std::string_view kListTag = "pfs.list.1";
constexpr unsigned kMaxListLevel = 16;
constexpr std::uint64_t kMaxListBytes = std::uint64_t{1} << 62U;  // more than any file has

}  // namespace

std::string ListNode::encode() const {
  Encoder out;
  out.u8(kListVersion).u8(static_cast<std::uint8_t>(level)).varint(items.size());
  for (const auto& item : items) out.raw(item.digest.bytes()).varint(item.length).varint(item.repeat);
  return std::move(out).str();
}

Result<ListNode> ListNode::decode(std::string_view bytes) {
  Decoder in(bytes);
  ListNode node;
  if (in.u8() != kListVersion) in.fail();
  node.level = in.u8();
  const auto count = in.varint();
  if (count == 0 || count > kMaxItems || node.level > kMaxListLevel) in.fail();
  std::uint64_t total = 0;
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    Item item;
    const auto digest = in.raw(Digest::kSize);
    if (in.ok()) item.digest = Digest::from_bytes(digest);
    item.length = in.varint();
    item.repeat = in.varint();
    const bool fits = node.level == 0 ? item.length <= kMaxFrameRaw : item.repeat == 1;
    if (!fits || item.length == 0 || item.repeat == 0 || item.length > (kMaxListBytes - total) / item.repeat) in.fail();
    total += item.bytes();
    node.items.push_back(item);
  }
  PFS_TRY(in.finish("list node"));
  return node;
}

Digest ListNode::digest_of(std::string_view encoded) { return sha256_tagged(kListTag, encoded); }

}  // namespace pfs::store
