#include <catch2/catch.hpp>

#include <random>
#include <string>
#include <vector>

#include "fuzz/damage.h"
#include "fuzz/entry.h"
#include "store/chunk/sha256.h"
#include "store/pack/hot_rows.h"
#include "store/pack/pack_format.h"
#include "store/pack/pack_row.h"
#include "store/refs/ref_snapshot.h"
#include "store/tree/list_node.h"
#include "store/tree/node.h"
#include "store/tree/xattr_set.h"

namespace pfs::store {
namespace {

// A good record of each kind, in the order of the fuzz target's cases.
std::vector<std::string> good_records() {
  LeafNode leaf{{test::fuzzed_entry("a"), test::fuzzed_entry("ab"), test::fuzzed_entry("b")}};
  leaf.entries[1].attributes.kind = Kind::kDirectory;
  leaf.entries[1].content = {};
  leaf.entries[1].xattrs.clear();
  const InnerNode inner{1, {{"ab", sha256("a"), sha256("b"), {1, 2, 3}}, {"b", sha256("c"), sha256("d"), {4, 5, 6}}}};
  const ListNode list{0, {{sha256("a"), 65'536, 1}, {sha256("b"), 1, 1'000'000}}};
  const ObjectId id{ObjectKind::kChunk, sha256("x")};
  const auto frame = encode_frame({{id, std::string(5000, 'x')}, {id, "y"}}, 1, 1);
  const auto footer = encode_footer({{id, 64, 100, 0, 10}}, sha256("before"));
  const BranchRef ref = *BranchRef::parse("data@master");
  Branch branch;
  branch.ref = ref;
  RefSnapshot snapshot;
  snapshot.since = Seq(3);
  snapshot.until = Seq(300);
  snapshot.commits.push_back({new_commit_id(), sha256("commit")});
  snapshot.log.push_back({ref, LogEntry{1, std::nullopt, new_commit_id(), {}, "commit"}});
  snapshot.repos.push_back({ref.repo, "described", {}});
  snapshot.branches.push_back(branch);
  const SystemClock clock;
  return {leaf.encode(),
          inner.encode(),
          list.encode(),
          encode_xattr_set({{"user.a", "b"}, {"user.b", std::string(300, 'x')}}),
          frame,
          frame.substr(0, kFrameHeaderSize),
          footer,
          footer,
          encode_pack_header(PackNumber(7), PackKind::kMeta, true),
          snapshot.encode().front(),
          HotRows(clock).encode(7, "an object"),
          PackRow{PackKind::kMeta, PackState::kSealed, 4096, sha256("pack"), Timestamp{5}}.encode(),
          Location{PackNumber(3), 4096, 500, 64, 100}.encode(),
          object_key(id),
          encode_next_number(77)};
}

TEST_CASE("damaged objects and packs are refused, never believed and never fatal", "[store][fuzz]") {
  const std::uint64_t seed = std::random_device{}();
  INFO("seed " << seed);
  test::feed_damaged(good_records(), 150'000, seed);
  SUCCEED("nothing was believed that could not be written again");
}

}  // namespace
}  // namespace pfs::store
