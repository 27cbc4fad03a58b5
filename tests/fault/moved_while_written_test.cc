// Files that are changed while the store moves their bytes within the log: the pause before the copies are synced makes room
// for that.
#include <catch2/catch.hpp>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>

#include "base/file.h"
#include "store/store.h"
#include "support/must.h"
#include "support/store_world.h"

namespace pfs::test {
namespace {

using namespace pfs::store;

// before the first fault point, which reads it
const bool kPauses = ::setenv("PFS_FAULT", "store.staging.sync:pause", 1) == 0;

StoreOptions small_segments() {
  StoreOptions options = StoreWorld::on_request();
  options.staging.segment_bytes = std::uint64_t{1} << 20U;
  return options;
}

TEST_CASE("what is changed while it is moved out of a sparse segment stays changed", "[store][fault]") {
  REQUIRE(kPauses);
  StoreWorld world(small_segments(), {branch_ref("kept@master"), branch_ref("quick@master")});
  const std::string bytes(20'000, 'k');
  for (const auto* name : {"written", "cut", "removed", "kept"}) world.make(world.root("kept@master"), name, Kind::kFile, bytes);
  // of one segment and the next, which a commit takes
  for (const auto* name : {"one", "two"}) world.make(world.root("quick@master"), name, Kind::kFile, std::string(900'000, 'q'));
  auto written = world.at("written", "kept@master");
  auto cut = world.at("cut", "kept@master");
  std::atomic<bool> finished{false};
  std::atomic<bool> ended{false};
  std::thread committer([&] {
    finished = world.catalog().finish(branch_ref("quick@master"), {}).has_value();
    ended = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  const auto wrote = world.trees().write(written, 100, as_bytes(std::string("new")));
  AttributeChange shorter;
  shorter.size = 1000;
  const auto shortened = world.trees().set_attributes(cut, shorter);
  const auto removed = world.trees().remove(world.root("kept@master"), "removed", false);
  const bool beside = !ended;
  committer.join();
  REQUIRE(finished);
  must(wrote);
  must(shortened);
  must(removed);
  REQUIRE(beside);  // else the machine stood still for longer than the pause

  const auto check = [&] {
    const auto root = world.root("kept@master");
    CHECK((world.text(root, "written") == std::string(bytes).replace(100, 3, "new")));
    CHECK((world.text(root, "cut") == bytes.substr(0, 1000)));
    CHECK(world.text(root, "removed") == "(none)");
    CHECK((world.text(root, "kept") == bytes));
  };
  check();
  written.reset();  // the store goes
  cut.reset();
  world.open();
  check();
  world.finish("kept@master");
  check();
}

}  // namespace
}  // namespace pfs::test
