// What nothing leads to goes, and nothing else, whatever happens beside it.

#include <catch2/catch.hpp>

#include <functional>
#include <string>

#include <boost/filesystem.hpp>

#include "store/collect/mark_view.h"
#include "support/must.h"
#include "support/store_world.h"

namespace pfs::test {
namespace {

using namespace pfs::store;

std::string noise(unsigned seed, std::size_t bytes) {
  std::string text(bytes, '\0');
  std::uint64_t state = seed + 1;
  for (auto& byte : text) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    byte = static_cast<char>(state >> 56U);
  }
  return text;
}

class CollectionWorld : public StoreWorld {
 public:
  CollectionWorld() : StoreWorld({branch_ref("data@master")}) {}

  CommitId commit(const std::string& name, const std::string& bytes) {
    const auto node = file(root(), name);
    AttributeChange cut;
    cut.size = 0;
    must(trees().set_attributes(node, cut));
    must(trees().write(node, 0, as_bytes(bytes)));
    return finish();
  }
  /// `between` runs when it is known what is dead, and nothing was taken.
  CollectResult collect(bool dry_run = false, const std::function<void()>& between = {}) {
    CollectOptions options;
    options.dry_run = dry_run;
    options.mark = [&](const std::string& store_path, const std::string& view) -> Result<void> {
      PFS_TRY(mark_view(store_path, view, {}));
      if (between) between();
      return {};
    };
    return must(store().collect(options));
  }
  void delete_commit(const CommitId& id) {
    const RefStep step = DeleteCommit{must(RepoName::parse("data")), id};
    must(catalog().transact({&step, 1}));
  }
  std::string read_at(const CommitId& commit, const std::string& name) {
    const auto found = must(catalog().commit(commit));
    return text(trees().root(must(trees().commit(found))), name);
  }
  std::uint64_t packed_bytes() const {
    std::uint64_t bytes = 0;
    for (boost::filesystem::recursive_directory_iterator it(path() + "/packs"), end; it != end; ++it) {
      if (boost::filesystem::is_regular_file(it->status())) bytes += boost::filesystem::file_size(it->path());
    }
    return bytes;
  }
};

constexpr std::size_t kBig = 2'000'000;  // goes into packs

}  // namespace

TEST_CASE("what only a deleted commit led to is collected, and its room is made", "[store][collection]") {
  CollectionWorld world;
  const CommitId first = world.commit("a", noise(1, kBig));
  world.commit("a", noise(2, kBig));
  const CommitId last = world.commit("b", "small");
  CHECK(world.collect().dead.objects == 0);
  world.delete_commit(first);
  const auto before = world.packed_bytes();
  const auto told = world.collect(/*dry_run=*/true);
  CHECK(told.dead.bytes > kBig);
  CHECK(told.dead.bytes < kBig + 100'000);
  CHECK(told.taken.objects == 0);
  const auto done = world.collect();
  CHECK(done.taken.objects == told.dead.objects);
  CHECK(done.taken.bytes == told.dead.bytes);
  CHECK(done.live.objects == told.live.objects);
  CHECK(world.packed_bytes() + kBig * 9 / 10 < before);
  CHECK(world.collect().dead.objects == 0);
  world.open();
  CHECK(world.read_at(last, "a") == noise(2, kBig));
  CHECK(world.read_at(last, "b") == "small");
}

TEST_CASE("objects that were found again while they were being collected stay", "[store][collection]") {
  CollectionWorld world;
  const std::size_t size = GENERATE(std::size_t{1000}, kBig);
  const CommitId gone = world.commit("a", noise(1, size));
  world.commit("a", "x");
  world.delete_commit(gone);
  CommitId again;
  const auto result = world.collect(false, [&] { again = world.commit("b", noise(1, size)); });
  CHECK(result.in_use.bytes >= size);
  world.open();
  CHECK(world.read_at(again, "b") == noise(1, size));
  CHECK(world.text(world.root(), "b") == noise(1, size));
  // what was found again is found again by others, too
  const CommitId third = world.commit("c", noise(1, size) + "y");
  world.collect();
  CHECK(world.read_at(third, "c") == noise(1, size) + "y");
}

TEST_CASE("a footer that names more than the index does is not relied upon", "[store][collection]") {
  CollectionWorld world;
  const CommitId gone = world.commit("a", noise(1, kBig));
  must(world.trees().remove(world.root(), "a", false));
  // most of the pack stays, so it is not rewritten
  world.commit("keep", noise(2, 20 * kBig));
  world.delete_commit(gone);
  const auto done = world.collect();
  CHECK(done.taken.bytes >= kBig);
  CHECK(done.repacked.packs_rewritten == 0);
  if (GENERATE(true, false)) world.open();
  // beside objects that are found there, so that the footer is looked at
  const CommitId again = world.commit("both", noise(2, 2 * kBig) + noise(1, kBig));
  world.open();
  CHECK(world.read_at(again, "both") == noise(2, 2 * kBig) + noise(1, kBig));
}

TEST_CASE("what is open stays, whether a name leads to it or not", "[store][collection]") {
  CollectionWorld world;
  const CommitId first = world.commit("a", noise(1, kBig));
  world.commit("u", noise(2, kBig));
  const auto held_tree = must(world.trees().commit(must(world.catalog().commit(first))));
  const auto held = world.trees().root(held_tree);
  const auto unlinked = world.at("u");
  CHECK(world.text(unlinked) == noise(2, kBig));
  must(world.trees().remove(world.root(), "u", false));
  must(world.trees().remove(world.root(), "a", false));
  const CommitId empty = world.finish();
  while (const auto parent = must(world.catalog().commit(empty)).parent) world.delete_commit(*parent);
  world.collect();
  CHECK(world.text(held, "a") == noise(1, kBig));
  CHECK(world.text(unlinked) == noise(2, kBig));
}

TEST_CASE("what is copied by reference out of a deleted commit while it is being collected stays", "[store][collection]") {
  CollectionWorld world;
  const CommitId first = world.commit("a", noise(1, kBig));
  must(world.trees().remove(world.root(), "a", false));
  world.finish();
  auto tree = must(world.trees().commit(must(world.catalog().commit(first))));
  world.delete_commit(first);
  const bool whole = GENERATE(true, false);
  world.collect(false, [&] {
    const auto source = must(world.trees().lookup(world.trees().root(tree), "a"));
    if (whole) {
      must(world.trees().copy_entry(source, world.root(), "b"));
    } else {
      must(world.trees().copy_range(source, 0, world.file(world.root(), "b"), 0, kBig));
    }
    tree.reset();
  });
  CHECK(world.text(world.root(), "b") == noise(1, kBig));
  const CommitId last = world.finish();
  world.collect();
  world.open();
  CHECK(world.read_at(last, "b") == noise(1, kBig));
}

TEST_CASE("open changes, commits that are opened by hand and branches keep what they refer to", "[store][collection]") {
  CollectionWorld world;
  const CommitId first = world.commit("a", noise(1, kBig));
  must(world.trees().copy_entry(world.at("a"), world.root(), "b"));
  must(world.trees().remove(world.root(), "a", false));
  const auto sub = world.make(world.root(), "dir", Kind::kDirectory);
  must(world.trees().copy_entry(world.at("b"), sub, "c"));
  must(world.trees().set_xattr(world.at("b"), "user.big", noise(3, 5000)));
  world.delete_commit(first);
  world.collect();
  world.open();
  CHECK(world.text(world.root(), "b") == noise(1, kBig));
  const CommitId last = world.finish();
  world.collect();
  world.open();
  CHECK(world.read_at(last, "b") == noise(1, kBig));
  CHECK(world.text(world.at("dir"), "c") == noise(1, kBig));
  CHECK(must(world.trees().xattrs(world.at("b"))).at("user.big") == noise(3, 5000));
}

TEST_CASE("a commit that began before the collection keeps what it has stored", "[store][collection]") {
  CollectionWorld world;
  const CommitId gone = world.commit("a", noise(1, kBig));
  world.commit("a", "x");
  world.delete_commit(gone);
  // stored, and nothing refers to it until later
  const auto in_use = world.trees().hold_objects();
  const auto scratch = must(world.trees().scratch());
  must(world.trees().write(world.file(world.trees().root(scratch), "f"), 0, as_bytes(noise(1, kBig))));
  const auto subtree = must(world.trees().snapshot(world.trees().root(scratch)));
  CHECK(world.collect().in_use.bytes >= kBig);
  const auto later = must(world.trees().scratch_over({subtree, empty_subtree().root}));
  CHECK(world.text(world.trees().root(later), "f") == noise(1, kBig));
}

TEST_CASE("nothing is taken where something that is referred to is damaged", "[store][collection]") {
  CollectionWorld world;
  const CommitId gone = world.commit("a", noise(1, kBig));
  world.commit("a", "x");
  world.delete_commit(gone);
  LocalBatch batch;
  const auto root = world.head_commit().root.root;
  batch.erase(Family::kHot, object_key({ObjectKind::kNode, root}));
  batch.erase(Family::kIndex, object_key({ObjectKind::kNode, root}));
  must(world.store().local().write(batch));
  CollectOptions options;
  options.mark = [](const std::string& store_path, const std::string& view) { return mark_view(store_path, view, {}); };
  const auto refused = world.store().collect(options);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::kCorrupt);
  CHECK_FALSE(boost::filesystem::exists(world.path() + "/tmp/collect"));
}

}  // namespace pfs::test
