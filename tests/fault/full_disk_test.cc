#include <catch2/catch.hpp>

#include <map>
#include <random>
#include <string>

#include <fmt/format.h>

#include "base/clock.h"
#include "store/store.h"
#include "support/small_disk.h"

namespace pfs::test {
namespace {

using namespace pfs::store;

std::string noise(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string bytes(size, '\0');
  for (std::size_t at = 0; at + 8 <= size; at += 8) {
    const auto value = random();
    bytes.replace(at, 8, reinterpret_cast<const char*>(&value), 8);
  }
  return bytes;
}

// A store on a disk of 192 MiB, and what it has acknowledged.
class World {
 public:
  explicit World(SmallDisk::Kind kind) : disk(kind, 192) {
    if (disk.why_not().empty()) open();
  }

  void open() {
    store.reset();
    StoreOptions options;
    options.path = disk.path() + "/store";
    options.clock = &clock_;
    options.automatic_commits = false;
    auto opened = Store::open(options);
    if (!opened) FAIL("open: " << opened.error().message);
    store = std::move(*opened);
    if (auto resumed = store->resume(); !resumed) FAIL("resume: " << resumed.error().message);
    if (!store->catalog().branch(ref)) REQUIRE(store->catalog().create_branch(ref, std::nullopt, true));
  }

  NodePtr root() { return store->trees().root(*store->trees().branch(ref)); }

  // Writes files in pieces until a write is refused; what was acknowledged is in `expected`.
  Error write_until_refused(const std::string& prefix) {
    static constexpr std::size_t kSizes[] = {3000, 60'000, 700'000, 3'000'000};
    for (std::uint64_t file = 0; file < 100'000; ++file) {
      const std::string name = fmt::format("{}{}", prefix, file);
      auto node = store->trees().make(root(), name, {});
      if (!node) return node.error();
      auto& bytes = expected[name];
      const std::string wanted = noise(kSizes[file % 4], ++seed_);
      for (std::size_t at = 0; at < wanted.size(); at += 100'000) {
        const auto piece = wanted.substr(at, 100'000);
        if (auto wrote = store->trees().write(*node, at, as_bytes(piece)); !wrote) return wrote.error();
        bytes += piece;
      }
    }
    return Error{Code::kInternal, "the disk is not full after 100,000 files"};
  }

  Result<void> check(const NodePtr& directory) {
    for (const auto& [name, bytes] : expected) {
      PFS_TRY_ASSIGN(const auto node, store->trees().lookup(directory, name));
      std::string found(bytes.size() + 1, '\0');
      PFS_TRY_ASSIGN(const auto got, store->trees().read(node, 0, std::as_writable_bytes(std::span(found))));
      found.resize(got);
      if (found != bytes) return Error{Code::kCorrupt, fmt::format("{}: {} bytes, {} expected, or others", name, got, bytes.size())};
    }
    return {};
  }
  void require_live() {
    if (auto same = check(root()); !same) FAIL("live: " << same.error().message);
  }
  void require_committed() {
    const auto branch = store->catalog().branch(ref);
    REQUIRE(branch);
    REQUIRE(branch->head);
    const auto tree = store->trees().commit(*store->catalog().commit(*branch->head));
    REQUIRE(tree);
    if (auto same = check(store->trees().root(*tree)); !same) FAIL("HEAD: " << same.error().message);
  }

  SmallDisk disk;
  BranchRef ref = *BranchRef::parse("data@master");
  std::unique_ptr<Store> store;
  std::map<std::string, std::string> expected;

 private:
  SystemClock clock_;
  std::uint64_t seed_ = 0;
};

#define PFS_NEEDS(world)                             \
  if (!(world).disk.why_not().empty()) {             \
    WARN("skipped: " << (world).disk.why_not());     \
    return;                                          \
  }

TEST_CASE("what was admitted on a full disk can be committed, and work goes on", "[store][fault]") {
  World world(GENERATE(SmallDisk::Kind::kTmpfs, SmallDisk::Kind::kExt4));
  PFS_NEEDS(world);
  const auto refused = world.write_until_refused("a");
  INFO(refused.message);
  CHECK(refused.code == Code::kNoSpace);
  CHECK(world.expected.size() > 20);
  world.require_live();
  const auto finished = world.store->catalog().finish(world.ref, {});
  if (!finished) FAIL("finish: " << finished.error().message);
  world.require_committed();
  world.require_live();

  for (int file = 0; file < 10; ++file) {
    const auto name = fmt::format("a{}", file);
    REQUIRE(world.store->trees().remove(world.root(), name, false));
    world.expected.erase(name);
  }
  REQUIRE(world.store->catalog().finish(world.ref, {}));
  world.require_committed();
  const auto before = world.expected.size();
  CHECK(world.write_until_refused("b").code == Code::kNoSpace);
  CHECK(world.expected.size() > before + 4);
  if (auto again = world.store->catalog().finish(world.ref, {}); !again) FAIL("finish: " << again.error().message);
  world.require_committed();
}

TEST_CASE("a commit that finds no room because of somebody else waits for it, and needs no restart", "[store][fault]") {
  World world(GENERATE(SmallDisk::Kind::kTmpfs, SmallDisk::Kind::kExt4));
  PFS_NEEDS(world);
  CHECK(world.write_until_refused("a").code == Code::kNoSpace);
  world.disk.fill();
  const auto finished = world.store->catalog().finish(world.ref, {});
  REQUIRE_FALSE(finished);
  CHECK(finished.error().code == Code::kNoSpace);
  world.require_live();
  CHECK_FALSE(world.store->trees().make(world.root(), "more", {}));
  world.disk.fill();

  SECTION("room is made while the store is open") {}
  SECTION("the store is opened again on the full disk") {
    world.open();
    world.require_live();
  }
  world.disk.empty();
  const auto again = world.store->catalog().finish(world.ref, {});
  if (!again) FAIL("finish: " << again.error().message);
  world.require_committed();
  const auto more = world.store->trees().make(world.root(), "more", {});
  if (!more) FAIL("make: " << more.error().message);
  REQUIRE(world.store->catalog().finish(world.ref, {}));
  world.require_committed();
}

TEST_CASE("files can be removed from a full disk", "[store][fault]") {
  World world(GENERATE(SmallDisk::Kind::kTmpfs, SmallDisk::Kind::kExt4));
  PFS_NEEDS(world);
  CHECK(world.write_until_refused("a").code == Code::kNoSpace);
  world.disk.fill();
  for (int file = 0; file < 10; ++file) {
    const auto name = fmt::format("a{}", file);
    const auto removed = world.store->trees().remove(world.root(), name, false);
    if (!removed) FAIL("remove: " << removed.error().message);
    world.expected.erase(name);
  }
  world.require_live();
}

}  // namespace
}  // namespace pfs::test
