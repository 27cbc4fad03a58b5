// Trees of nobody's: what was staged in them goes with them.
#include <catch2/catch.hpp>

#include <chrono>
#include <iterator>
#include <random>
#include <thread>

#include <boost/filesystem.hpp>

#include "store/catalog_world.h"

namespace pfs::test {
namespace {

using namespace pfs::store;

constexpr std::size_t kBig = 3u << 20;  // more than the staging log takes
constexpr std::size_t kMiB = 1u << 20;

std::size_t spools_of(const StoreWorld& world) {
  const boost::filesystem::directory_iterator first(world.path() + "/stage/spool");
  return static_cast<std::size_t>(std::distance(first, boost::filesystem::directory_iterator()));
}

std::uint64_t packed_in(const StoreWorld& world) {
  std::uint64_t bytes = 0;
  for (const auto* part : {"/open", "/packs"}) {
    for (boost::filesystem::recursive_directory_iterator it(world.path() + part), end; it != end; ++it) {
      if (boost::filesystem::is_regular_file(it->path())) bytes += boost::filesystem::file_size(it->path());
    }
  }
  return bytes;
}

std::string noise(std::uint64_t seed, std::size_t size) {
  std::mt19937_64 random(seed);
  std::string bytes(size, '\0');
  for (auto& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

// Long enough that what has not come by then never will.
template <class IsThere>
bool wait_until(const IsThere& is_there) {
  for (int i = 0; i < 1000 && !is_there(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return is_there();
}

class World : public CatalogWorld {
 public:
  World() { make_branch("data@master"); }

  /// A tree with `big` in it.
  TreePtr tree_with_a_big_file() {
    TreePtr tree = must(trees().scratch());
    const NodePtr node = file(trees().root(tree), "big");
    trees().opened_for_write(node, 1);
    must(trees().write(node, 0, as_bytes(std::string(kBig, 'x'))));
    trees().released_for_write(node);
    return tree;
  }
  NodePtr big_in(const TreePtr& tree) { return must(trees().lookup(trees().root(tree), "big")); }
  std::size_t spools() const { return spools_of(*this); }
  /// What nobody holds is released by the next that changes something, and deleted after the next commit at the latest.
  void commit() {
    file(root("data@master"), "change" + std::to_string(++changes_));
    finish("data@master");
  }

 private:
  int changes_ = 0;
};

}  // namespace

TEST_CASE("what was staged in a tree of nobody's goes with the tree", "[store]") {
  World world;
  TreePtr tree = world.tree_with_a_big_file();
  REQUIRE(world.spools() == 1);
  tree.reset();
  world.commit();
  CHECK(world.spools() == 0);
}

TEST_CASE("a file that somebody still holds when its tree goes is read until they let go, and gone then", "[store]") {
  World world;
  TreePtr tree = world.tree_with_a_big_file();
  NodePtr held = world.big_in(tree);
  tree.reset();
  world.commit();
  CHECK(world.text(held) == std::string(kBig, 'x'));
  CHECK(world.trees().state(held) == NodeState::kOrphaned);
  held.reset();
  world.commit();
  CHECK(world.spools() == 0);
}

TEST_CASE("what was staged in a tree of nobody's is gone soon after it, also where nothing else is changed", "[store]") {
  StoreWorld world(StoreOptions{});
  world.store().start_automatic_commits();
  TreePtr tree = must(world.trees().scratch());
  NodePtr held = world.make(world.trees().root(tree), "big", Kind::kFile, std::string(kBig, 'x'));
  const auto gone = [&] { return spools_of(world) == 0; };
  REQUIRE_FALSE(gone());
  SECTION("nobody holds it") { held.reset(); }
  SECTION("somebody holds it for a while") {}
  tree.reset();
  if (held) {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    CHECK(world.text(held) == std::string(kBig, 'x'));
    held.reset();
  }
  CHECK(wait_until(gone));
}

TEST_CASE("of a view only what it puts out is packed while it is written", "[store]") {
  StoreOptions options = StoreWorld::on_request();
  options.staging.cut_ahead_bytes = kMiB;
  StoreWorld world(options);
  const TreePtr view = must(world.trees().scratch_view("out"));
  const NodePtr top = world.trees().root(view);
  const NodePtr beside = world.make(top, "scratch", Kind::kDirectory);
  const NodePtr first_out = world.make(top, "out", Kind::kDirectory);
  // a program may put another directory in the place of the one that it has found
  must(world.trees().rename(top, "out", top, "old", RenameMode::kReplace));
  const NodePtr out = world.make(top, "out", Kind::kDirectory);
  const std::string put_out = noise(1, 8 * kMiB);
  // the thread that cuts takes them in turn
  const NodePtr scratch = world.make(beside, "big", Kind::kFile, noise(2, 8 * kMiB));
  const NodePtr at_top = world.make(top, "big", Kind::kFile, noise(3, 8 * kMiB));
  const NodePtr old = world.make(first_out, "big", Kind::kFile, noise(4, 8 * kMiB));
  const NodePtr output = world.make(out, "big", Kind::kFile, put_out);
  CHECK(wait_until([&] { return packed_in(world) > 6 * kMiB; }));
  const Subtree published = must(world.trees().snapshot(out));
  CHECK(packed_in(world) < 9 * kMiB);
  CHECK(published.totals.bytes == put_out.size());

  must(world.trees().rename(beside, "big", out, "moved", RenameMode::kReplace));
  world.make_branch("data@master");
  const NodePtr branch = world.root();
  Entry entry;
  entry.name = "all";
  entry.attributes.kind = Kind::kDirectory;
  entry.subtree = must(world.trees().snapshot(out));
  must(world.trees().put_entry(branch, entry.name, entry));
  const NodePtr all = must(world.trees().lookup(branch, "all"));
  CHECK((world.text(all, "big") == put_out));
  CHECK((world.text(all, "moved") == noise(2, 8 * kMiB)));
}

}  // namespace pfs::test
