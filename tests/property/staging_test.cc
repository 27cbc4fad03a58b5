#include <catch2/catch.hpp>

#include <sys/stat.h>

#include <atomic>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <boost/filesystem.hpp>
#include <fmt/format.h>

#include "base/clock.h"
#include "store/store.h"
#include "support/temporary_directory.h"

namespace pfs::test {
namespace {

using namespace pfs::store;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

class World {
 public:
  explicit World(StagingLimits limits = {}) {
    options_.path = directory_.path() + "/store";
    options_.clock = &clock_;
    options_.automatic_commits = false;
    options_.staging = limits;
    open();
    REQUIRE(store->catalog().create_branch(ref, std::nullopt, true));
  }
  // As after a kill: nothing is brought up to date on the way out.
  void open() {
    store.reset();
    auto opened = Store::open(options_);
    if (!opened) FAIL("open: " << opened.error().message);
    store = std::move(*opened);
  }
  NodePtr root() { return store->trees().root(*store->trees().branch(ref)); }
  NodePtr make(const std::string& name) {
    auto made = store->trees().make(root(), name, {});
    REQUIRE(made);
    return *made;
  }
  std::string read(const std::string& name) {
    const auto node = store->trees().lookup(root(), name);
    REQUIRE(node);
    std::string bytes(store->trees().stat(*node)->size, '\0');
    REQUIRE(store->trees().read(*node, 0, std::as_writable_bytes(std::span(bytes))));
    return bytes;
  }
  std::uint64_t on_disk() const {
    std::uint64_t sum = 0;
    for (boost::filesystem::recursive_directory_iterator it(options_.path + "/stage"), end; it != end; ++it) {
      struct stat info {};
      if (::stat(it->path().c_str(), &info) == 0) sum += static_cast<std::uint64_t>(info.st_blocks) * 512;
    }
    return sum;
  }
  int spools() const {
    int count = 0;
    for (boost::filesystem::directory_iterator it(options_.path + "/stage/spool"), end; it != end; ++it) ++count;
    return count;
  }

  BranchRef ref = *BranchRef::parse("data@master");

 private:
  TemporaryDirectory directory_;
  SystemClock clock_;
  StoreOptions options_;

 public:
  std::unique_ptr<Store> store;  // the last, so that its threads end before the clock that they ask
};

TEST_CASE("a database of 10 MB that is overwritten for a gigabyte takes no more than twice itself and 256 MiB", "[store][property]") {
  World world;
  constexpr std::uint64_t kPages = 2560;
  std::mt19937_64 random(1);
  std::string model(kPages * 4096, '\0');
  const auto file = world.make("db");
  REQUIRE(world.store->trees().write(file, 0, as_bytes(model)));
  std::uint64_t most = 0;
  for (std::uint64_t written = 0; written < 1024 * kMiB; written += 4096) {
    const auto at = random() % kPages * 4096;
    std::string page(4096, static_cast<char>(random()));
    if (!world.store->trees().write(file, at, as_bytes(page))) FAIL("a write failed");
    model.replace(at, 4096, page);
    if (written % (16 * kMiB) != 0) continue;
    most = std::max(most, world.on_disk());
    if (written % (128 * kMiB) == 0) REQUIRE(world.store->catalog().finish(world.ref, {}));
  }
  CHECK(most <= 2 * model.size() + 256 * kMiB);
  CHECK(world.read("db") == model);
  world.open();
  CHECK(world.read("db") == model);
  REQUIRE(world.store->catalog().finish(world.ref, {}));
  CHECK(world.spools() == 0);
  CHECK(world.read("db") == model);
}

TEST_CASE("small files that are rewritten again and again leave no more than twice what is live in the log", "[store][property]") {
  StagingLimits limits;
  limits.segment_bytes = kMiB;
  limits.slack_bytes = 8 * kMiB;
  World world(limits);
  std::map<std::string, std::string> model;
  std::mt19937_64 random(2);
  // some that stay, one in each segment or so, so that segments must be moved to be deleted
  std::uint64_t most_over = 0;
  for (int step = 0; step < 20'000; ++step) {
    const bool stays = step % 40 == 0;
    const auto name = stays ? fmt::format("kept{}", step) : fmt::format("hot{}", random() % 30);
    const std::string bytes(1000 + random() % 9000, static_cast<char>(random()));
    MakeRequest request;
    request.exclusive = false;
    const auto node = world.store->trees().make(world.root(), name, request);
    REQUIRE(node);
    AttributeChange empty;
    empty.size = 0;
    REQUIRE(world.store->trees().set_attributes(*node, empty));
    REQUIRE(world.store->trees().write(*node, 0, as_bytes(bytes)));
    model[name] = bytes;
    if (step % 100 != 99) continue;
    const auto space = world.store->space();
    REQUIRE(space);
    if (space->staged_bytes > 2 * space->live_bytes) most_over = std::max(most_over, space->staged_bytes - 2 * space->live_bytes);
  }
  CHECK(most_over <= limits.slack_bytes + 2 * limits.segment_bytes);
  for (const auto& [name, bytes] : model) CHECK(world.read(name) == bytes);
  world.open();
  for (const auto& [name, bytes] : model) CHECK(world.read(name) == bytes);
}

TEST_CASE("what is written after the log was emptied survives a kill", "[store][property]") {
  World world;
  REQUIRE(world.store->trees().write(world.make("other"), 0, as_bytes(std::string(500, 'o'))));
  REQUIRE(world.store->catalog().finish(world.ref, {}));
  const auto file = world.make("file");
  for (int i = 0; i < 20; ++i) REQUIRE(world.store->trees().append(file, as_bytes(std::string("some bytes"))));
  AttributeChange empty;
  empty.size = 0;
  REQUIRE(world.store->trees().set_attributes(file, empty));
  // the file refers to finished bytes now: no record of it is needed any more
  REQUIRE(world.store->trees().copy_range(*world.store->trees().lookup(world.root(), "other"), 0, file, 0, 500));
  for (int restart = 0; restart < 3; ++restart) world.open();
  REQUIRE(world.store->trees().write(*world.store->trees().lookup(world.root(), "file"), 0, as_bytes(std::string("new"))));
  world.open();
  CHECK(world.read("file").substr(0, 4) == "newo");
}

TEST_CASE("a spool that no row tells of is removed at the start", "[store][property]") {
  World world;
  REQUIRE(world.store->trees().write(world.make("big"), 0, as_bytes(std::string(2 * kMiB, 'a'))));
  CHECK(world.spools() == 1);
  {
    const auto held = world.store->trees().lookup(world.root(), "big");
    REQUIRE(held);
    REQUIRE(world.store->trees().remove(world.root(), "big", false));
  }
  world.open();
  CHECK(world.spools() == 0);
}

TEST_CASE("zeros over a base stay zeros after a kill", "[store][property]") {
  World world;
  std::string model(3 * kMiB, 'b');
  REQUIRE(world.store->trees().write(world.make("file"), 0, as_bytes(model)));
  REQUIRE(world.store->catalog().finish(world.ref, {}));
  const auto file = world.store->trees().lookup(world.root(), "file");
  const std::string zeros(100'000, '\0');
  REQUIRE(world.store->trees().write(*file, 1'000'001, as_bytes(zeros)));
  model.replace(1'000'001, zeros.size(), zeros);
  CHECK(world.read("file") == model);
  world.open();
  CHECK(world.read("file") == model);
  REQUIRE(world.store->catalog().finish(world.ref, {}));
  CHECK(world.read("file") == model);
}

TEST_CASE("what a truncation took from a base does not come back when the file grows again", "[store][property]") {
  World world;
  std::string model(3 * kMiB, 'b');
  REQUIRE(world.store->trees().write(world.make("file"), 0, as_bytes(model)));
  REQUIRE(world.store->catalog().finish(world.ref, {}));
  auto file = *world.store->trees().lookup(world.root(), "file");
  const auto write = [&](std::uint64_t at, const std::string& bytes) {
    REQUIRE(world.store->trees().write(file, at, as_bytes(bytes)));
    if (model.size() < at + bytes.size()) model.resize(at + bytes.size());
    model.replace(at, bytes.size(), bytes);
  };
  const auto truncate = [&](std::uint64_t size) {
    AttributeChange change;
    change.size = size;
    REQUIRE(world.store->trees().set_attributes(file, change));
    model.resize(size);
  };
  write(2 * kMiB + 5, "changed");
  CHECK(world.spools() == 1);
  truncate(kMiB + 123);
  CHECK(world.read("file") == model);
  SECTION("at once") {}
  SECTION("after a kill") {
    file.reset();
    world.open();
    file = *world.store->trees().lookup(world.root(), "file");
    CHECK(world.read("file") == model);
  }
  write(2 * kMiB + 1000, "far behind");
  CHECK(world.spools() == 1);
  truncate(4 * kMiB);
  CHECK(world.read("file") == model);
  file.reset();
  world.open();
  CHECK(world.read("file") == model);
  REQUIRE(world.store->catalog().finish(world.ref, {}));
  CHECK(world.read("file") == model);
}

TEST_CASE("writers, fsyncs, copies and commits beside each other lose nothing", "[store][property]") {
  StagingLimits limits;
  limits.segment_bytes = kMiB;
  limits.slack_bytes = 4 * kMiB;
  limits.spool_bytes = 100'000;
  World world(limits);
  constexpr int kWriters = 3;
  std::vector<std::string> models(kWriters);
  std::atomic<bool> failed{false};
  std::atomic<int> writing{kWriters};
  std::vector<std::thread> threads;
  for (int writer = 0; writer < kWriters; ++writer) {
    const auto file = world.make(fmt::format("file{}", writer));
    threads.emplace_back([&, writer, file] {
      auto& trees = world.store->trees();
      auto& model = models[static_cast<std::size_t>(writer)];
      std::mt19937_64 random(static_cast<std::uint64_t>(writer));
      for (int step = 0; step < 1500; ++step) {
        if (random() % 100 == 0) {
          AttributeChange change;
          change.size = random() % 3 == 0 ? 0 : random() % (model.size() + 1);
          if (!trees.set_attributes(file, change)) failed = true;
          model.resize(*change.size);
          continue;
        }
        const std::uint64_t at = random() % 300'000;
        const std::string bytes(1 + random() % 9000, static_cast<char>(random()));
        if (!trees.write(file, at, as_bytes(bytes))) failed = true;
        if (model.size() < at + bytes.size()) model.resize(at + bytes.size());
        model.replace(at, bytes.size(), bytes);
        if (step % 50 == 0 && !trees.sync(file)) failed = true;
      }
      --writing;
    });
  }
  int commits = 0;
  for (; writing > 0; ++commits) {
    if (!world.store->catalog().finish(world.ref, {})) failed = true;
    const auto file = world.store->trees().lookup(world.root(), fmt::format("file{}", commits % kWriters));
    if (!file || !world.store->trees().copy_entry(*file, world.root(), "copy")) failed = true;
  }
  for (auto& thread : threads) thread.join();
  CHECK_FALSE(failed);
  CHECK(commits > 0);
  const auto check = [&] {
    for (int writer = 0; writer < kWriters; ++writer) {
      CHECK((world.read(fmt::format("file{}", writer)) == models[static_cast<std::size_t>(writer)]));
    }
  };
  check();
  world.open();
  check();
  REQUIRE(world.store->catalog().finish(world.ref, {}));
  check();
}

TEST_CASE("a file that is copied while it is being written has every copy as it was", "[store][property]") {
  World world;
  std::string model(2 * kMiB, 'a');
  const auto file = world.make("file");
  REQUIRE(world.store->trees().write(file, 0, as_bytes(model)));
  std::map<std::string, std::string> copies;
  for (int copy = 0; copy < 8; ++copy) {
    const auto name = fmt::format("copy{}", copy);
    REQUIRE(world.store->trees().copy_entry(file, world.root(), name));
    copies[name] = model;
    const std::string bytes(5000, static_cast<char>('b' + copy));
    const auto at = static_cast<std::uint64_t>(copy) * 3000;
    REQUIRE(world.store->trees().write(file, at, as_bytes(bytes)));
    model.replace(at, bytes.size(), bytes);
  }
  const auto check = [&] {
    CHECK(world.read("file") == model);
    for (const auto& [name, bytes] : copies) CHECK(world.read(name) == bytes);
  };
  check();
  world.open();
  check();
  REQUIRE(world.store->catalog().finish(world.ref, {}));
  check();
}

}  // namespace
}  // namespace pfs::test
