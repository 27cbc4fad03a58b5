// Many names put in one batch: all of them or none, over a restart, with hard links among them.
#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "support/store_world.h"

namespace pfs::test {
namespace {

using namespace pfs::store;

const BranchRef kMaster = *BranchRef::parse("data@master");

class World : public StoreWorld {
 public:
  World() : StoreWorld({kMaster}) {}

  std::string text(const std::string& path) {
    auto node = trees().walk(root(), *RepoPath::parse(path));
    return node ? StoreWorld::text(*node) : "(none)";
  }
  /// An entry of a finished tree of nobody's.
  Entry finished(const std::string& name, const std::string& bytes) {
    const auto scratch = trees().scratch();
    REQUIRE(scratch);
    make(trees().root(*scratch), name, Kind::kFile, bytes);
    const auto tree = trees().snapshot(trees().root(*scratch));
    REQUIRE(tree);
    return **store().tree_reader().find(tree->root, name);
  }
};

TEST_CASE("names of several directories are put, replaced and removed together", "[store]") {
  World world;
  auto& trees = world.trees();
  const auto a = world.make(world.root(), "a", Kind::kDirectory);
  const auto b = world.make(world.root(), "b", Kind::kDirectory);
  const auto old = world.make(a, "x", Kind::kFile, "old");
  const auto gone = world.make(b, "gone", Kind::kDirectory);
  world.make(gone, "below", Kind::kFile, "below");
  world.finish();

  const std::vector<EntryPut> puts{{a, "x", world.finished("x", "new")},
                                   {b, "y", world.finished("y", std::string(1000, 'y'))},
                                   {b, "gone", std::nullopt},
                                   {b, "never", std::nullopt}};
  const std::vector<DirectoryChange> directories{{b, 0700, Timestamp{5}}};
  const auto losers = trees.put_entries(puts, directories);
  REQUIRE(losers);
  CHECK(std::count(losers->begin(), losers->end(), old) == 1);
  CHECK(trees.state(old) == NodeState::kLinked);  // the node that it was, with other bytes
  CHECK(trees.stat(old)->size == 3);
  for (const bool reopened : {false, true}) {
    INFO("reopened " << reopened);
    CHECK(world.text("a/x") == "new");
    CHECK(world.text("b/y") == std::string(1000, 'y'));
    CHECK(world.text("b/gone/below") == "(none)");
    const auto stat = world.trees().stat(*world.trees().walk(world.root(), *RepoPath::parse("b")));
    CHECK(stat->attributes.mode == 0700);
    CHECK(stat->attributes.mtime == Timestamp{5});
    if (!reopened) world.open();
  }
  const auto made = world.catalog().finish(kMaster, {});
  REQUIRE(made);
  CHECK(made->made);
  CHECK(world.text("b/y") == std::string(1000, 'y'));
}

TEST_CASE("a file that somebody knows is the same file with other bytes, over restarts and beside commits", "[store]") {
  World world;
  const auto size = GENERATE(std::size_t{10}, std::size_t{100'000}, std::size_t{6'000'000});  // inline, in the log, in a spool
  const auto file = world.make(world.root(), "f", Kind::kFile, std::string(size, 'a'));
  std::atomic<bool> ends = false;
  std::atomic<bool> all_finished = true;
  std::thread committing([&] {
    while (!ends) all_finished = world.catalog().finish(kMaster, {}).has_value() && all_finished;
  });
  std::string last;
  for (int round = 0; round < 30; ++round) {
    last = std::string(round % 3 == 0 ? 20 : 70'000, static_cast<char>('b' + round % 20));
    const std::vector<EntryPut> puts{{world.root(), "f", world.finished("f", last)}};
    const auto changed = world.trees().put_entries(puts, {});
    REQUIRE(changed);
    CHECK(*changed == std::vector<NodePtr>{file});
    CHECK(world.text("f") == last);
    if (round % 4 == 1) {
      REQUIRE(world.trees().write(file, 5, std::as_bytes(std::span("written", 7))));
      last.replace(5, 7, "written");
    }
    CHECK(world.trees().stat(file)->size == last.size());
    CHECK(world.text("f") == last);
  }
  ends = true;
  committing.join();
  CHECK(all_finished);
  CHECK(*world.trees().lookup(world.root(), "f") == file);
  for (const bool committed : {false, true}) {
    world.open();
    CHECK(world.text("f") == last);
    if (!committed) world.finish();
  }
}

TEST_CASE("a file's other names stay when several of them are replaced together", "[store]") {
  World world;
  auto& trees = world.trees();
  const auto top = world.root();
  const auto file = world.make(top, "one", Kind::kFile, "linked");
  for (const auto* name : {"two", "three"}) REQUIRE(trees.link(file, top, name));
  world.finish();
  const std::vector<EntryPut> puts{
      {top, "one", world.finished("one", "1")}, {top, "two", std::nullopt}, {top, "plain", world.finished("plain", "p")}};
  REQUIRE(trees.put_entries(puts, {}));
  world.open();
  CHECK(world.text("one") == "1");
  CHECK(world.text("two") == "(none)");
  CHECK(world.text("three") == "linked");
  CHECK(world.text("plain") == "p");
  CHECK(world.trees().stat(*world.trees().lookup(world.root(), "three"))->links == 1);
}

TEST_CASE("nothing is put when one of the names cannot be", "[store]") {
  World world;
  auto& trees = world.trees();
  world.make(world.root(), "x", Kind::kFile, "old");
  world.finish();
  const auto head = world.catalog().commit(*world.catalog().branch(kMaster)->head);
  const auto commit = trees.commit(*head);
  const auto entry = world.finished("x", "new");
  const std::vector<EntryPut> puts{{world.root(), "x", entry}, {trees.root(*commit), "x", entry}};
  CHECK_FALSE(trees.put_entries(puts, {}));
  const std::vector<EntryPut> unnamed{{world.root(), "x", entry}, {world.root(), "a/b", entry}};
  CHECK_FALSE(trees.put_entries(unnamed, {}));
  CHECK(world.text("x") == "old");
}

}  // namespace
}  // namespace pfs::test
