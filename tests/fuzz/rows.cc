// What the store parses of refs, open commits, the staging log and FORMAT, fed with bytes that nobody trusts: a decoder
// refuses or succeeds, and what it accepts it can write and read again. With clang and -DPFS_FUZZ=ON a libFuzzer target; else
// `fuzz_rows_test` feeds it mutations of good records.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz/require.h"
#include "store/format_file.h"
#include "store/refs/records.h"
#include "store/refs/ref_rows.h"
#include "store/repo/delta_rows.h"
#include "store/repo/file_state.h"
#include "store/repo/staging_format.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pfs::store;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 20) {
    case 0:
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
    case 1:
      if (const auto commit = decode_commit(bytes)) require(decode_commit(encode(*commit)).has_value());
      break;
    case 2:
      if (const auto branch = decode_branch(bytes)) require(decode_branch(encode(*branch)).has_value());
      break;
    case 3:
      if (const auto repo = decode_repo(bytes)) require(decode_repo(encode(*repo)).has_value());
      break;
    case 4:
      if (const auto entry = decode_log_entry(bytes)) require(decode_log_entry(encode(*entry)).has_value());
      break;
    case 5: (void)DeltaRow::decode(bytes, "name"); break;
    case 6:
      if (const auto row = DirectoryRow::decode(bytes)) require(DirectoryRow::decode(row->encode()).has_value());
      break;
    case 7:
      if (const auto row = BranchRow::decode(bytes)) require(BranchRow::decode(row->encode()).has_value());
      break;
    case 8:
      if (const auto row = CountersRow::decode(bytes)) require(row->encode() == bytes);
      break;
    case 9:
      if (const auto key = parse_delta_key(bytes)) require(delta_key(key->directory, key->name, key->epoch) == bytes);
      break;
    case 10: (void)parse_numbered_key(bytes); break;
    case 11:
      if (const auto ref = parse_branch_row_key(bytes)) require(parse_branch_row_key(branch_row_key(*ref)).has_value());
      break;
    case 12:
      if (const auto at = decode_cursor(bytes)) require(encode_cursor(*at) == bytes);
      break;
    case 13:
      if (const auto seq = decode_seq(bytes)) require(encode_seq(*seq) == bytes);
      break;
    case 14:
      if (const auto row = decode_value("key", bytes)) require(encode_value(row->version, row->value) == bytes);
      break;
    case 15:
      if (const auto event = decode_event(event_key(Seq(3), 0), bytes)) {
        require(decode_event(event_key(Seq(3), 0), encode_event(*event)).has_value());
      }
      break;
    case 16: (void)commit_of_repo_commit_key(bytes); break;
    case 17: (void)check_segment_header(bytes, 7); break;
    case 18:
      if (const auto header = decode_record_header(bytes)) (void)proves(bytes, header->checksum, {});
      break;
    case 19:
      if (const auto format = FormatFile::parse("FORMAT", std::string(bytes))) {
        require(FormatFile::parse("FORMAT", format->text()).value().id == format->id);
      }
      break;
  }
  return 0;
}
