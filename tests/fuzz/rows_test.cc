#include <catch2/catch.hpp>

#include <random>
#include <string>
#include <vector>

#include "fuzz/damage.h"
#include "fuzz/entry.h"
#include "store/chunk/sha256.h"
#include "store/format_file.h"
#include "store/refs/records.h"
#include "store/refs/ref_rows.h"
#include "store/repo/delta_rows.h"
#include "store/repo/file_state.h"
#include "store/repo/staging_format.h"

namespace pfs::store {
namespace {

FileState file_state() {
  FileState state = FileState::from_entry(test::fuzzed_entry("f"));
  state.put(Epoch(1), 4, Extent{100, StagedAt{1, 64}}, [](const StagedAt&, std::uint64_t) {});
  state.truncate(Epoch(2), 50, [](const StagedAt&, std::uint64_t) {});
  state.put(Epoch(2), 60, Extent{10, Slice{test::fuzzed_entry("s").content, 0}}, [](const StagedAt&, std::uint64_t) {});
  state.put(Epoch(2), 80, Extent{10, StagedAt::in_spool(7, 4096)}, [](const StagedAt&, std::uint64_t) {});
  state.layers.push_back({Epoch(2), 70, {}, 8, nullptr});
  return state;
}

// A good record of each kind, in the order of the fuzz target's cases.
std::vector<std::string> good_records() {
  const BranchRef ref = *BranchRef::parse("data@master");
  Commit commit;
  commit.id = new_commit_id();
  commit.repo = ref.repo;
  commit.branch = ref.branch;
  commit.provenance.push_back({ref, new_commit_id()});
  Branch branch;
  branch.ref = ref;
  branch.open = new_commit_id();
  BranchRow row;
  row.root = DirId(7);
  row.joined.insert(ref);
  row.frozen = BranchRow::Frozen{Epoch(3), new_commit_id(), new_commit_id(), "me", "why", true};
  StagingRecord record;
  record.file = FileId(7);
  record.epoch = Epoch(3);
  record.sequence = 9;
  return {file_state().encode(),
          encode(commit),
          encode(branch),
          encode(Repo{ref.repo, "described", {}}),
          encode(LogEntry{1, std::nullopt, new_commit_id(), {}, "commit"}),
          DeltaRow{test::fuzzed_entry("name")}.encode(),
          DirectoryRow{empty_subtree(), {}, {}}.encode(),
          row.encode(),
          CountersRow{Epoch(3), 1025}.encode(),
          delta_key(DirId(7), "a name", Epoch(3)),
          file_key(FileId(7), Epoch(3)),
          branch_row_key(ref),
          encode_cursor(Seq(77)),
          encode_seq(Seq(77)),
          encode_value(Seq(77), "a value"),
          encode_event({Seq(3), "head", "data@master", "value"}),
          repo_commit_key(commit),
          encode_segment_header(7),
          encode_record_header(record, {}),
          FormatFile{new_commit_id().hex()}.text()};
}

TEST_CASE("damaged rows are refused, never believed and never fatal", "[store][fuzz]") {
  const std::uint64_t seed = std::random_device{}();
  INFO("seed " << seed);
  test::feed_damaged(good_records(), 150'000, seed);
  SUCCEED("nothing was believed that could not be written again");
}

TEST_CASE("what heads a staging segment and its records is told by nothing but itself", "[store][fuzz]") {
  const auto header = encode_segment_header(7);
  CHECK(check_segment_header(header, 7));
  CHECK(check_segment_header(header, 8).error().code == Code::kCorrupt);
  for (std::size_t at = 0; at < header.size(); ++at) {
    auto damaged = header;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    CHECK_FALSE(check_segment_header(damaged, 7));
  }
  StagingRecord record;
  record.file = FileId(7);
  record.length = 3;
  const std::string bytes = "abc";
  const auto fields = encode_record_header(record, std::as_bytes(std::span(bytes)));
  const auto decoded = decode_record_header(fields);
  REQUIRE(decoded);
  CHECK(decoded->record.file == FileId(7));
  CHECK(proves(fields, decoded->checksum, std::as_bytes(std::span(bytes))));
  const std::string other = "abd";
  CHECK_FALSE(proves(fields, decoded->checksum, std::as_bytes(std::span(other))));
}

}  // namespace
}  // namespace pfs::store
