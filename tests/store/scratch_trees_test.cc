// Trees of nobody's: what was staged in them goes with them.
#include <catch2/catch.hpp>

#include <iterator>

#include "store/catalog_world.h"

namespace pfs::test {
namespace {

using namespace pfs::store;

constexpr std::size_t kBig = 3u << 20;  // more than the staging log takes

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
  std::size_t spools() const {
    const boost::filesystem::directory_iterator first(path() + "/stage/spool");
    return static_cast<std::size_t>(std::distance(first, boost::filesystem::directory_iterator()));
  }
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

}  // namespace pfs::test
