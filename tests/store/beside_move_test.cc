// What goes on in a branch while its HEAD is moved to another branch's.
#include <catch2/catch.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "store/catalog_world.h"

namespace pfs::test {
namespace {

using namespace pfs::store;

/// data@staging has a commit with a file; data@master is committed when its HEAD is moved, and not before.
class World : public StoreWorld {
 public:
  World() : StoreWorld(patient(), {branch_ref("data@master"), branch_ref("data@staging")}) {
    make(root("data@staging"), "staged", Kind::kFile, "staged");
    finish("data@staging");
  }
  Result<std::vector<StepResult>> move() {
    const std::array<RefStep, 1> step{MoveHead{branch_ref("data@master"), commit_ref("data@staging"), {}}};
    return catalog().transact(step);
  }

 private:
  static StoreOptions patient() {
    StoreOptions options;
    options.policy.after = std::chrono::hours(1);
    return options;
  }
};

/// The files at the top of the branch's live tree, and of every commit of the repo, whose bytes are their names.
std::set<std::string> kept(World& world) {
  std::vector<NodePtr> roots{world.root("data@master")};
  for (const auto& commit : must(world.catalog().commits(*RepoName::parse("data"), std::nullopt, SIZE_MAX))) {
    roots.push_back(world.trees().root(must(world.trees().commit(commit))));
  }
  std::set<std::string> names;
  for (const auto& root : roots) {
    must(world.trees().list(root, "", [&](const ListedEntry& entry) {
      if (!names.contains(entry.name) && world.text(root, entry.name) == entry.name) names.insert(entry.name);
      return true;
    }));
  }
  return names;
}

TEST_CASE("what is written while the branch's HEAD is being moved is in the commit before or in the tree after", "[store]") {
  World world;

  constexpr int kWriters = 3;
  constexpr int kMoves = 60;
  std::atomic<bool> done{false};
  std::array<std::vector<std::string>, kWriters> acknowledged;
  std::vector<std::future<void>> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.push_back(std::async(std::launch::async, [&, writer] {
      auto& trees = world.trees();
      MakeRequest request;
      request.kind = Kind::kFile;
      for (int number = 0; !done; ++number) {
        const std::string name = std::to_string(writer) + "-" + std::to_string(number);
        auto root = world.root("data@master");
        const auto file = trees.make(root, name, request);
        if (!file) throw std::runtime_error(file.error().message);  // the root is there, whatever it shows
        const auto wrote = trees.write(*file, 0, std::as_bytes(std::span(name)));
        if (wrote) acknowledged[static_cast<std::size_t>(writer)].push_back(name);
        else if (wrote.error().code != Code::kStale) throw std::runtime_error(wrote.error().message);
      }
    }));
  }
  for (int move = 0; move < kMoves; ++move) {
    const auto moved = world.move();
    INFO((moved ? "" : moved.error().message));
    CHECK(moved);
  }
  done = true;
  for (auto& writer : writers) REQUIRE_NOTHROW(writer.get());

  const auto names = kept(world);
  std::size_t count = 0;
  for (const auto& written : acknowledged) {
    for (const auto& name : written) {
      INFO(name);
      REQUIRE(names.contains(name));
      ++count;
    }
  }
  CHECK(count > 0);
}

TEST_CASE("who would change a branch whose HEAD is being moved waits until it is", "[store]") {
  World world;
  const auto directory = world.make(world.root("data@master"), "d", Kind::kDirectory);
  world.finish("data@master");
  Gate gate;
  gate.held = branch_ref("data@master");
  world.store().set_publish_hook(&gate);
  auto move = std::async(std::launch::async, [&] { return world.move().has_value(); });
  gate.reached.get_future().wait();
  auto& trees = world.trees();
  const MakeRequest request;
  auto at_top = std::async(std::launch::async, [&] { return trees.make(world.root("data@master"), "new", request).has_value(); });
  auto below = std::async(std::launch::async, [&] { return trees.make(directory, "new", request); });
  CHECK(trees.make(world.root("data@staging"), "other", request));  // another branch does not wait
  CHECK(trees.lookup(world.root("data@master"), "d"));              // nor does who reads
  CHECK(at_top.wait_for(std::chrono::milliseconds(50)) == std::future_status::timeout);
  gate.open.set_value();
  CHECK(move.get());
  world.store().set_publish_hook(nullptr);
  CHECK(at_top.get());
  CHECK(world.text(world.root("data@master"), "new").empty());
  CHECK(world.text(world.root("data@master"), "staged") == "staged");
  const auto in_old = below.get();
  REQUIRE_FALSE(in_old);
  CHECK(in_old.error().code == Code::kStale);
}

}  // namespace
}  // namespace pfs::test
