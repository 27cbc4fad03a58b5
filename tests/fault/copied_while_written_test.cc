// A directory that is copied while files in it are written: the pause between the snapshot and its walk makes room for that.
#include <catch2/catch.hpp>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "store/store.h"
#include "support/must.h"
#include "support/temporary_directory.h"

namespace pfs::test {
namespace {

using namespace pfs::store;

// before the first fault point, which reads it
const bool kPauses = ::setenv("PFS_FAULT", "store.snapshot.taken:pause", 1) == 0;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

std::string noise(std::mt19937_64& random, std::size_t size) {
  std::string bytes(size, '\0');
  for (auto& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

class World {
  TemporaryDirectory directory_;
  SystemClock clock_;  // before the store, which uses it to the end

 public:
  World() {
    StoreOptions options;
    options.path = directory_.path() + "/store";
    options.clock = &clock_;
    options.automatic_commits = false;
    options.staging.cut_ahead_bytes = kMiB;
    store = must(Store::open(options));
    must(store->catalog().create_branch(ref, std::nullopt, true));
  }
  LiveTrees& trees() { return store->trees(); }
  NodePtr root() { return trees().root(must(trees().branch(ref))); }
  NodePtr make(const NodePtr& directory, const std::string& name, Kind kind) {
    MakeRequest request;
    request.kind = kind;
    return must(trees().make(directory, name, request));
  }
  std::string read(const NodePtr& directory, const std::string& name) {
    const auto node = must(trees().lookup(directory, name));
    std::string bytes(must(trees().stat(node)).size, '\0');
    must(trees().read(node, 0, std::as_writable_bytes(std::span(bytes))));
    return bytes;
  }

  BranchRef ref = *BranchRef::parse("data@master");
  std::unique_ptr<Store> store;
};

TEST_CASE("a copied directory has each file as it was before or after what was written meanwhile", "[store][fault]") {
  REQUIRE(kPauses);
  World world;
  auto& trees = world.trees();
  std::mt19937_64 random(1);
  const auto directory = world.make(world.root(), "directory", Kind::kDirectory);
  const auto again = world.make(directory, "written-again", Kind::kFile);
  const auto on = world.make(directory, "written-on", Kind::kFile);
  const std::string before = noise(random, 8 * kMiB);
  const std::string small = noise(random, kMiB - 4096);  // nothing is cut of it yet
  must(trees.write(again, 0, as_bytes(before)));
  must(trees.write(on, 0, as_bytes(small)));

  std::optional<Result<NodePtr>> copied;
  std::thread copier([&] { copied = trees.copy_entry(directory, world.root(), "copy"); });
  std::this_thread::sleep_for(std::chrono::milliseconds(500));  // it has its snapshot; what is written now is cut before it walks on
  const std::string after = noise(random, 4 * kMiB);
  const std::string more = noise(random, 4 * kMiB);
  AttributeChange to_nothing;
  to_nothing.size = 0;
  const bool wrote = trees.set_attributes(again, to_nothing) && trees.write(again, 0, as_bytes(after)) &&
                     trees.write(on, kMiB / 2, as_bytes(more));
  copier.join();
  REQUIRE(wrote);
  REQUIRE(copied);
  const auto copy = must(std::move(*copied));
  const auto again_there = world.read(copy, "written-again");
  CHECK((again_there == before || again_there == after));
  const auto on_there = world.read(copy, "written-on");
  CHECK((on_there == small || on_there == small.substr(0, kMiB / 2) + more));
  CHECK((world.read(directory, "written-again") == after));
}

}  // namespace
}  // namespace pfs::test
