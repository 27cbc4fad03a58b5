#include <catch2/catch.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <boost/filesystem.hpp>
#include <fmt/format.h>

#include "base/clock.h"
#include "store/store.h"
#include "support/rounds.h"
#include "support/temporary_directory.h"

// Big files are cut while they are written. What a commit has must be what it would have had without that.

namespace pfs::test {
namespace {

using namespace pfs::store;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

StagingLimits cut_by(std::uint64_t bytes) {
  StagingLimits limits;
  limits.cut_ahead_bytes = bytes;
  return limits;
}

class World {
  TemporaryDirectory directory_;
  SystemClock clock_;  // before the store, which uses it to the end
  StoreOptions options_;

 public:
  explicit World(std::uint64_t cut_ahead_bytes) {
    options_.path = directory_.path() + "/store";
    options_.clock = &clock_;
    options_.automatic_commits = false;
    options_.staging = cut_by(cut_ahead_bytes);
    open();
    REQUIRE(store->catalog().create_branch(ref, std::nullopt, true));
  }
  void open() {
    store.reset();
    auto opened = Store::open(options_);
    if (!opened) FAIL("open: " << opened.error().message);
    store = std::move(*opened);
  }
  LiveTrees& trees() { return store->trees(); }
  NodePtr root() { return trees().root(*trees().branch(ref)); }
  NodePtr file(const std::string& name) {
    MakeRequest request;
    request.exclusive = false;
    return *trees().make(root(), name, request);
  }
  void resize(const std::string& name, std::uint64_t size) {
    AttributeChange change;
    change.size = size;
    REQUIRE(trees().set_attributes(file(name), change));
  }
  // It was open for writing and is closed: nobody holds it any more.
  void let_go(const std::string& name) {
    const auto node = trees().lookup(root(), name);
    if (!node) return;
    trees().opened_for_write(*node, 0);
    trees().released_for_write(*node);
  }
  std::string read(const NodePtr& directory, const std::string& name) {
    const auto node = trees().lookup(directory, name);
    REQUIRE(node);
    std::string bytes(trees().stat(*node)->size, '\0');
    REQUIRE(trees().read(*node, 0, std::as_writable_bytes(std::span(bytes))));
    return bytes;
  }
  Commit finish() {
    auto finished = store->catalog().finish(ref, {});
    if (!finished) FAIL("finish: " << finished.error().message);
    return *store->catalog().commit(*store->catalog().branch(ref)->head);
  }
  NodePtr tree_of(const Commit& commit) { return trees().root(*trees().commit(commit)); }
  std::uint64_t packed() const {
    std::uint64_t bytes = 0;
    for (const auto* part : {"/open", "/packs"}) {
      for (boost::filesystem::recursive_directory_iterator it(options_.path + part), end; it != end; ++it) {
        if (boost::filesystem::is_regular_file(it->path())) bytes += boost::filesystem::file_size(it->path());
      }
    }
    return bytes;
  }

  BranchRef ref = *BranchRef::parse("data@master");
  std::unique_ptr<Store> store;
};

std::string noise(std::mt19937_64& random, std::size_t size) {
  std::string bytes(size, '\0');
  for (auto& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

// Until the store has packed so much, or long enough that it never will.
bool wait_for_packed(const World& world, std::uint64_t bytes) {
  for (int i = 0; i < 1000 && world.packed() < bytes; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return world.packed() >= bytes;
}

TEST_CASE("most of a big file is in packs before it is committed", "[store][property]") {
  World world(kMiB);
  std::mt19937_64 random(1);
  const std::string bytes = noise(random, 12 * kMiB);
  const auto file = world.file("big");
  for (std::uint64_t at = 0; at < bytes.size(); at += 128 << 10U) {
    REQUIRE(world.trees().write(file, at, as_bytes(std::string_view(bytes).substr(at, 128 << 10U))));
  }
  CHECK(wait_for_packed(world, 10 * kMiB));
  const auto commit = world.finish();
  CHECK((world.read(world.tree_of(commit), "big") == bytes));
  CHECK(world.packed() < 13 * kMiB);  // nothing was stored twice
}

TEST_CASE("what was cut and then written over is cut again", "[store][property]") {
  World world(kMiB);
  std::mt19937_64 random(2);
  std::string bytes = noise(random, 8 * kMiB);
  const auto file = world.file("big");
  REQUIRE(world.trees().write(file, 0, as_bytes(bytes)));
  REQUIRE(wait_for_packed(world, 6 * kMiB));
  SECTION("a byte of it") {
    REQUIRE(world.trees().write(file, 3 * kMiB, as_bytes(std::string_view("x"))));
    bytes[3 * kMiB] = 'x';
  }
  SECTION("it was cut off") {
    world.resize("big", 3 * kMiB + 7);
    bytes.resize(3 * kMiB + 7);
  }
  SECTION("it was cut off and grew again") {
    world.resize("big", 3 * kMiB + 7);
    world.resize("big", 5 * kMiB);
    bytes.resize(3 * kMiB + 7);
    bytes.resize(5 * kMiB);
  }
  SECTION("bytes of another file") {
    const auto other = world.file("other");
    const std::string put = noise(random, 100'000);
    REQUIRE(world.trees().write(other, 0, as_bytes(put)));
    REQUIRE(world.trees().copy_range(other, 0, file, 2 * kMiB, put.size()));
    bytes.replace(2 * kMiB, put.size(), put);
  }
  const auto commit = world.finish();
  CHECK((world.read(world.tree_of(commit), "big") == bytes));
}

TEST_CASE("what was cut of a file that was closed and then written over is cut again", "[store][property]") {
  World world(kMiB);
  std::mt19937_64 random(4);
  std::string bytes = noise(random, 8 * kMiB);
  std::weak_ptr<LiveNode> closed;
  {
    const auto file = world.file("big");
    closed = file;
    REQUIRE(world.trees().write(file, 0, as_bytes(bytes)));
    REQUIRE(wait_for_packed(world, 6 * kMiB));
  }
  world.let_go("big");
  // the thread that cuts may be the last to hold it
  for (int i = 0; i < 1000 && !closed.expired(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  REQUIRE(closed.expired());
  SECTION("a byte of it") {
    REQUIRE(world.trees().write(world.file("big"), 0, as_bytes(std::string_view("x"))));
    bytes[0] = 'x';
  }
  SECTION("a byte of it, and it was closed once more") {
    REQUIRE(world.trees().write(world.file("big"), 0, as_bytes(std::string_view("x"))));
    bytes[0] = 'x';
    world.let_go("big");
    REQUIRE(world.trees().append(world.file("big"), as_bytes(std::string_view("y"))));
    bytes += 'y';
  }
  SECTION("it was cut off to nothing and written anew") {
    world.resize("big", 0);
    bytes = noise(random, 7 * kMiB);
    REQUIRE(world.trees().write(world.file("big"), 0, as_bytes(bytes)));
  }
  SECTION("bytes of another file") {
    const auto other = world.file("other");
    const std::string put = noise(random, 100'000);
    REQUIRE(world.trees().write(other, 0, as_bytes(put)));
    REQUIRE(world.trees().copy_range(other, 0, world.file("big"), 2 * kMiB, put.size()));
    bytes.replace(2 * kMiB, put.size(), put);
  }
  const auto commit = world.finish();
  CHECK((world.read(world.tree_of(commit), "big") == bytes));
}

TEST_CASE("a file that is written while its branch is committed is in each commit as it was", "[store][property]") {
  World world(kMiB);
  std::mt19937_64 random(3);
  const std::string bytes = noise(random, 24 * kMiB);
  const auto file = world.file("big");
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (std::uint64_t at = 0; at < bytes.size(); at += 64 << 10U) {
      if (!world.trees().write(file, at, as_bytes(std::string_view(bytes).substr(at, 64 << 10U)))) break;
    }
    done = true;
  });
  while (!done) {
    const auto commit = world.finish();
    const auto then = world.read(world.tree_of(commit), "big");
    CHECK((then == bytes.substr(0, then.size())));
  }
  writer.join();
  CHECK((world.read(world.tree_of(world.finish()), "big") == bytes));
}

// Two stores go through the same; one does not cut ahead.
TEST_CASE("a store that cuts ahead has the commits of one that does not", "[store][property]") {
  const std::uint64_t seed = seed_of_run();
  INFO("PFS_SEED=" << seed);
  std::mt19937_64 random(seed);
  World ahead(512 << 10U);
  World plain(0);
  for (auto* world : {&ahead, &plain}) world->file("first");  // there is something to commit from the start
  std::map<std::string, std::string> model;
  const auto write = [&](const std::string& name, std::uint64_t at, const std::string& bytes) {
    for (auto* world : {&ahead, &plain}) REQUIRE(world->trees().write(world->file(name), at, as_bytes(bytes)));
    auto& mine = model[name];
    mine.resize(std::max<std::uint64_t>(mine.size(), at + bytes.size()));
    mine.replace(at, bytes.size(), bytes);
  };
  for (int step = 0; step < 400; ++step) {
    const auto name = fmt::format("f{}", random() % 3);
    const auto size = model[name].size();
    switch (random() % 25) {
      case 0:
        if (size > 0) write(name, random() % size, noise(random, 1 + random() % 50'000));
        break;
      case 1: {
        const auto to = random() % 3 == 0 ? 0 : random() % (size + 1);
        for (auto* world : {&ahead, &plain}) world->resize(name, to);
        model[name].resize(to);
        break;
      }
      case 2: {
        for (auto* world : {&ahead, &plain}) (void)world->trees().remove(world->root(), name, false);
        model.erase(name);
        break;
      }
      case 3: {
        const auto one = ahead.finish();
        const auto other = plain.finish();
        for (const auto& [file, bytes] : model) {
          INFO(file << " at step " << step);
          if (!bytes.empty()) REQUIRE((ahead.read(ahead.tree_of(one), file) == bytes));
        }
        REQUIRE(one.root.data_digest == other.root.data_digest);
        break;
      }
      case 4: {
        const auto to = fmt::format("f{}", random() % 3);
        if (to == name || size == 0) break;
        for (auto* world : {&ahead, &plain}) REQUIRE(world->trees().rename(world->root(), name, world->root(), to, RenameMode::kReplace));
        model[to] = std::exchange(model[name], {});
        model.erase(name);
        break;
      }
      case 5:
        for (auto* world : {&ahead, &plain}) world->let_go(name);
        break;
      default:
        if (size < 6 * kMiB) write(name, size, noise(random, 1 + random() % 300'000));
        break;
    }
  }
  CHECK(ahead.finish().root.data_digest == plain.finish().root.data_digest);
  ahead.open();
  for (const auto& [name, bytes] : model) {
    if (!bytes.empty()) CHECK((ahead.read(ahead.root(), name) == bytes));
  }
}

TEST_CASE("a big file that a commit leaves out is cut on while it is written, and is whole in the next", "[store][property]") {
  World world(kMiB);
  std::mt19937_64 random(7);
  const auto big = world.file("big");
  world.trees().opened_for_write(big, 0);
  std::string model;
  const auto append = [&](std::size_t pieces) {
    for (std::size_t i = 0; i < pieces; ++i) {
      const auto piece = noise(random, kMiB);
      REQUIRE(world.trees().append(big, as_bytes(piece)));
      model += piece;
    }
  };
  append(8);
  world.file("other");
  FinishOptions without;
  without.leave_out_written = true;
  REQUIRE(world.store->catalog().finish(world.ref, without)->made);
  append(16);
  CHECK(wait_for_packed(world, 20 * kMiB));
  world.trees().released_for_write(big);
  const auto commit = world.finish();
  CHECK(world.read(world.tree_of(commit), "big") == model);
  CHECK(commit.root.totals.files == 2);
}

}  // namespace
}  // namespace pfs::test
