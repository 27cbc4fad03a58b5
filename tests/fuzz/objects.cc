// What the store parses of objects, packs and the rows that find them, fed with bytes that nobody trusts: a decoder refuses or
// succeeds, and what it accepts it can write and read again. With clang and -DPFS_FUZZ=ON a libFuzzer target; else
// `fuzz_objects_test` feeds it mutations of good records.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <xxhash.h>

#include "base/codec.h"
#include "fuzz/require.h"
#include "store/pack/hot_rows.h"
#include "store/pack/pack_format.h"
#include "store/pack/pack_row.h"
#include "store/refs/ref_snapshot.h"
#include "store/tree/list_node.h"
#include "store/tree/node.h"
#include "store/tree/xattr_set.h"

namespace {

/// A frame and a footer with the checksum that they should have: else nothing behind it would ever be looked at.
std::string with_checksum(std::string_view bytes, std::size_t at, std::uint64_t checksum) {
  std::string sealed(bytes);
  return sealed.replace(at, 8, pfs::Encoder().u64(checksum).str());
}

std::string sealed_frame(std::string_view bytes) {
  constexpr std::size_t kFields = pfs::store::kFrameHeaderSize - 8;
  const auto header = pfs::store::decode_frame_header(bytes);
  if (!header || bytes.size() < header->frame_length()) return std::string(bytes);
  const auto seed = XXH3_64bits(bytes.data(), kFields);
  return with_checksum(bytes, kFields, XXH3_64bits_withSeed(bytes.data() + pfs::store::kFrameHeaderSize, header->stored, seed));
}

std::string sealed_footer(std::string_view bytes) {
  const auto size = pfs::store::footer_size(bytes);
  if (!size || *size > bytes.size()) return std::string(bytes);
  const auto footer = bytes.substr(bytes.size() - *size);
  return with_checksum(bytes, bytes.size() - 16, XXH3_64bits(footer.data(), footer.size() - 16));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pfs::store;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 15) {
    case 0:
      if (const auto leaf = LeafNode::decode(bytes)) {
        const auto again = LeafNode::decode(leaf->encode());
        require(again && again->entries == leaf->entries);
      }
      break;
    case 1:
      if (const auto inner = InnerNode::decode(bytes)) {
        const auto again = InnerNode::decode(inner->encode());
        require(again && again->children == inner->children);
      }
      break;
    case 2:
      if (const auto list = ListNode::decode(bytes)) {
        const auto again = ListNode::decode(list->encode());
        require(again && again->items == list->items);
        for (const auto& item : list->items) require(item.bytes() / item.repeat == item.length);
      }
      break;
    case 3:
      if (const auto set = decode_xattr_set(bytes)) require(decode_xattr_set(encode_xattr_set(*set)).value() == *set);
      break;
    case 4: {
      (void)decode_frame({nullptr, bytes});
      const auto sealed = sealed_frame(bytes);
      if (const auto frame = decode_frame({nullptr, sealed})) {
        for (const auto& entry : frame->entries) require(entry.inner + std::uint64_t{entry.length} <= frame->raw.bytes.size());
      }
      break;
    }
    case 5: (void)decode_frame_header(bytes); break;
    case 6:
      (void)decode_footer(bytes);
      (void)decode_footer(sealed_footer(bytes));
      break;
    case 7:
      if (const auto length = footer_size(bytes)) require(*length >= kFooterTailSize);
      break;
    case 8:
      if (check_pack_header(bytes, PackNumber(7))) (void)is_repacked(bytes);
      break;
    case 9:
      if (const auto part = RefSnapshot::decode(bytes)) {
        const auto again = RefSnapshot::decode(part->encode().front());
        require(again && again->commits == part->commits && again->branches.size() == part->branches.size());
      }
      break;
    case 10: (void)HotRows::decode(bytes); break;
    case 11:
      if (const auto row = PackRow::decode(bytes)) require(row->encode() == bytes);
      break;
    case 12:
      if (const auto location = Location::decode(bytes)) require(location->encode() == bytes);
      break;
    case 13:
      if (const auto id = decode_object_key(bytes)) require(object_key(*id) == bytes);
      break;
    case 14:
      if (const auto next = decode_next_number(bytes)) require(decode_next_number(encode_next_number(*next)).value() == *next);
      if (const auto until = decode_snapshot_until(bytes)) require(encode_snapshot_until(*until) == bytes);
      break;
  }
  return 0;
}
