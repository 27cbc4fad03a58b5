// Everything that the store parses from disk, fed with bytes that nobody trusts: a decoder refuses or succeeds, and what it
// accepts it can write and read again. With clang and -DPFS_FUZZ=ON a libFuzzer target; else `fuzz_decoders_test`
// feeds it mutations of good records.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "store/pack/hot_rows.h"
#include "store/pack/pack_format.h"
#include "store/pack/pack_row.h"
#include "store/refs/records.h"
#include "store/refs/ref_snapshot.h"
#include "store/repo/delta_rows.h"
#include "store/repo/file_state.h"
#include "store/tree/node.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pfs::store;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 21) {
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
    case 2: (void)decode_frame({nullptr, bytes}); break;
    case 3: (void)decode_footer(bytes); break;
    case 4:
      if (const auto state = FileState::decode(bytes)) {
        require(FileState::decode(state->encode()).has_value());
        // extents from a damaged row may overlap or lie beyond the file: what is read must still be in bounds and in order
        std::uint64_t at = 0;
        state->pieces(0, 1U << 20U, [&](const FileState::Piece& piece) {
          require(piece.offset >= at);
          at = piece.offset;
        });
      }
      break;
    case 5:
      if (const auto commit = decode_commit(bytes)) require(decode_commit(encode(*commit)).has_value());
      break;
    case 6:
      if (const auto branch = decode_branch(bytes)) require(decode_branch(encode(*branch)).has_value());
      break;
    case 7: (void)decode_repo(bytes); break;
    case 8: (void)decode_log_entry(bytes); break;
    case 9: (void)DeltaRow::decode(bytes, "name"); break;
    case 10: (void)DirectoryRow::decode(bytes); break;
    case 11:
      if (const auto row = BranchRow::decode(bytes)) require(BranchRow::decode(row->encode()).has_value());
      break;
    case 12:
      if (const auto part = RefSnapshot::decode(bytes)) {
        const auto again = RefSnapshot::decode(part->encode().front());
        require(again && again->commits == part->commits && again->branches.size() == part->branches.size());
      }
      break;
    case 13: (void)HotRows::decode(bytes); break;
    case 14:
      if (const auto row = PackRow::decode(bytes)) require(row->encode() == bytes);
      break;
    case 15:
      if (const auto location = Location::decode(bytes)) require(location->encode() == bytes);
      break;
    case 16:
      if (const auto id = decode_object_key(bytes)) require(object_key(*id) == bytes);
      break;
    case 17:
      if (const auto next = decode_next_number(bytes)) require(decode_next_number(encode_next_number(*next)).value() == *next);
      break;
    case 18:
      if (const auto key = parse_delta_key(bytes)) require(delta_key(key->directory, key->name, key->epoch) == bytes);
      break;
    case 19: (void)parse_numbered_key(bytes); break;
    case 20:
      if (const auto ref = parse_branch_row_key(bytes)) require(parse_branch_row_key(branch_row_key(*ref)).has_value());
      break;
  }
  return 0;
}
