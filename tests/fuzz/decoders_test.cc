#include <catch2/catch.hpp>

#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "store/chunk/sha256.h"
#include "store/pack/hot_rows.h"
#include "store/pack/pack_format.h"
#include "store/pack/pack_row.h"
#include "store/refs/records.h"
#include "store/refs/ref_snapshot.h"
#include "store/repo/delta_rows.h"
#include "store/repo/file_state.h"
#include "store/tree/node.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace pfs::store {
namespace {

Entry entry(const std::string& name) {
  Entry made;
  made.name = name;
  made.attributes.mode = 0644;
  made.content.bytes = "some bytes";
  made.content.size = made.content.bytes.size();
  made.xattrs["user.a"] = "b";
  return made;
}

// A good record of each kind, in the order of the fuzz target's cases.
std::vector<std::string> good_records() {
  LeafNode leaf{{entry("a"), entry("ab"), entry("b")}};
  leaf.entries[1].attributes.kind = Kind::kDirectory;
  leaf.entries[1].content = {};
  leaf.entries[1].xattrs.clear();
  const InnerNode inner{1, {{"ab", sha256("a"), sha256("b"), {1, 2, 3}}, {"b", sha256("c"), sha256("d"), {4, 5, 6}}}};
  const ObjectId id{ObjectKind::kChunk, sha256("x")};
  FileState state = FileState::from_entry(entry("f"));
  state.put(Epoch(1), 4, Extent{100, StagedAt{1, 64}}, [](const StagedAt&, std::uint64_t) {});
  state.truncate(Epoch(2), 50, [](const StagedAt&, std::uint64_t) {});
  state.put(Epoch(2), 60, Extent{10, Slice{entry("s").content, 0}}, [](const StagedAt&, std::uint64_t) {});
  state.put(Epoch(2), 80, Extent{10, StagedAt::in_spool(7, 4096)}, [](const StagedAt&, std::uint64_t) {});
  state.layers.push_back({Epoch(2), 70, {}, 8, nullptr});
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
  RefSnapshot snapshot;
  snapshot.since = Seq(3);
  snapshot.until = Seq(300);
  snapshot.commits.push_back({commit.id, sha256("commit")});
  snapshot.log.push_back({ref, LogEntry{1, std::nullopt, new_commit_id(), {}, "commit"}});
  snapshot.repos.push_back({ref.repo, "described", {}});
  snapshot.branches.push_back(branch);
  const SystemClock clock;
  return {leaf.encode(),
          inner.encode(),
          encode_frame({{id, std::string(5000, 'x')}, {id, "y"}}, 1, 1),
          encode_footer({{id, 64, 100, 0, 10}}, sha256("before")),
          state.encode(),
          encode(commit),
          encode(branch),
          encode(Repo{ref.repo, "described", {}}),
          encode(LogEntry{1, std::nullopt, new_commit_id(), {}, "commit"}),
          DeltaRow{entry("name")}.encode(),
          DirectoryRow{empty_subtree(), {}, {}}.encode(),
          row.encode(),
          snapshot.encode().front(),
          HotRows(clock).encode(7, "an object"),
          PackRow{PackKind::kMeta, PackState::kSealed, 4096, sha256("pack"), Timestamp{5}}.encode(),
          Location{PackNumber(3), 4096, 500, 64, 100}.encode(),
          object_key(id),
          encode_next_number(77),
          delta_key(DirId(7), "a name", Epoch(3)),
          file_key(FileId(7), Epoch(3)),
          branch_row_key(ref)};
}

TEST_CASE("damaged records are refused, never believed and never fatal", "[store][fuzz]") {
  const std::uint64_t seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  const auto records = good_records();
  const int rounds = std::getenv("PFS_SOAK") != nullptr ? 20'000'000 : 200'000;
  for (int round = 0; round < rounds; ++round) {
    const auto kind = random() % records.size();
    std::string input(1, static_cast<char>(kind));
    input += records[kind];
    for (auto changes = random() % 4; changes > 0; --changes) {
      const auto at = 1 + random() % (input.size() - 1);
      switch (random() % 4) {
        case 0: input[at] = static_cast<char>(random()); break;
        case 1: input[at] = static_cast<char>(input[at] ^ (1 << random() % 8)); break;
        case 2: input.resize(std::max<std::size_t>(2, at)); break;
        default: input.insert(at, 1, static_cast<char>(random())); break;
      }
    }
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
  }
  SUCCEED("nothing was believed that could not be written again");
}

}  // namespace
}  // namespace pfs::store
