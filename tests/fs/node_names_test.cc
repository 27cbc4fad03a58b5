#include <fcntl.h>

#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include <boost/filesystem.hpp>
#include <catch2/catch.hpp>

#include "base/file.h"
#include "fs/node_names.h"
#include "support/must.h"
#include "support/temporary_directory.h"

using namespace pfs;
using namespace pfs::fs;
using namespace pfs::test;

namespace {

struct World {
  World() { reopen(); }
  void reopen() {
    names.reset();
    names = must(NodeNames::open(path()));
  }
  std::string path() const { return directory / "nodes"; }
  std::uint32_t claim(std::uint64_t node, std::uint64_t parent, const std::string& name) {
    const auto generation = names->claim(NodeId(node), NodeId(parent), name, false);
    return generation ? *generation : 0;
  }
  /// `parent/name` of the generation.
  std::string place(std::uint64_t node) {
    const auto found = names->find(NodeId(node));
    return found ? std::to_string(found->parent.value()) + "/" + found->name : "none";
  }

  /// So many notes below a directory that none is left of what came before, but those above them.
  void fill(std::uint64_t below) {
    const std::string name(200, 'n');
    for (std::uint64_t node = 1'000'000; node < 1'200'000; ++node) claim(node, below, name + std::to_string(node));
  }

  const TemporaryDirectory directory;
  std::unique_ptr<NodeNames> names;
};

}  // namespace

TEST_CASE("what was noted last of a node is found, also by the next process", "[fs]") {
  World world;
  const auto branch = world.claim(7, 1, "data@master");
  const auto file = world.claim(8, 7, "f");
  CHECK(world.place(8) == "7/f");
  world.names->renamed(NodeId(8), NodeId(7), "renamed");
  CHECK(world.place(8) == "7/renamed");
  CHECK(world.names->renamed_to(NodeId(7), "renamed") == NodeId(8));
  CHECK(world.names->renamed_to(NodeId(7), "f") == std::nullopt);
  CHECK(world.place(9) == "none");
  world.reopen();
  CHECK(world.place(7) == "1/data@master");
  CHECK(world.place(8) == "7/renamed");
  CHECK(world.names->renamed_to(NodeId(7), "renamed") == NodeId(8));
  CHECK(world.claim(7, 1, "data@master") == branch);
  CHECK(world.claim(8, 7, "renamed") == file);
  world.claim(9, 7, "later");
  CHECK(world.place(9) == "7/later");
}

TEST_CASE("an id has another generation each time it is another file's", "[fs]") {
  World world;
  world.claim(7, 1, "data@master");
  auto last = world.claim(8, 7, "f");
  for (int round = 0; round < 4; ++round) {
    world.names->removed(NodeId(7), "f");
    CHECK(world.place(8) == "none");
    if (round == 1) world.reopen();
    const auto next = world.claim(8, 7, "f");
    CHECK(next != last);
    CHECK(world.claim(8, 7, "f") == next);
    last = next;
  }
}

TEST_CASE("an id whose file was renamed is not given to another", "[fs]") {
  World world;
  world.claim(7, 1, "data@master");
  world.claim(8, 7, "f");
  world.names->renamed(NodeId(8), NodeId(7), "elsewhere");
  CHECK(world.claim(8, 7, "f") == 0);
  world.names->removed(NodeId(7), "elsewhere");
  CHECK(world.claim(8, 7, "f") > 0);
}

TEST_CASE("a file with several names is the same by each of them", "[fs]") {
  World world;
  world.claim(7, 1, "data@master");
  const auto generation = world.names->claim(NodeId(50), NodeId(7), "a", true);
  CHECK(world.names->claim(NodeId(50), NodeId(7), "b", true) == generation);
  CHECK(world.place(50) == "7/b");
}

TEST_CASE("what was noted below a directory ends with it, and with the tree that it shows", "[fs]") {
  World world;
  world.claim(7, 1, "data@master");
  const auto directory = world.claim(8, 7, "d");
  const auto file = world.claim(9, 8, "f");
  CHECK(world.place(9) == "8/f");
  SECTION("replaced") {
    world.names->replacing({NodeId(7)});
    CHECK(world.place(7) == "1/data@master");
    CHECK(world.place(8) == "none");
    CHECK(world.place(9) == "none");
    // who looks meanwhile may see the one or the other
    const auto meanwhile = world.claim(8, 7, "d");
    CHECK(meanwhile != directory);
    CHECK(world.place(8) == "none");
    world.names->replaced({NodeId(7)});
    CHECK(world.place(8) == "none");
    const auto other = world.claim(8, 7, "d");
    CHECK(other != directory);
    CHECK(other != meanwhile);
    CHECK(world.place(9) == "none");
    CHECK(world.claim(9, 8, "f") != file);
  }
  SECTION("removed") {
    world.names->removed(NodeId(1), "data@master");
    CHECK(world.place(9) == "none");
    world.claim(7, 1, "data@master");
    CHECK(world.place(9) == "none");
  }
  SECTION("renamed") {
    world.names->renamed(NodeId(8), NodeId(7), "e");
    CHECK(world.place(9) == "8/f");
    // and what was removed by the one who renames is the same again
    world.names->removed(NodeId(1), "data@master");
    world.names->renamed(NodeId(7), NodeId(1), "data@other");
    CHECK(world.place(9) == "8/f");
    CHECK(world.claim(9, 8, "f") == file);
  }
}

TEST_CASE("below a directory whose note was pushed out nothing is what it was", "[fs]") {
  World world;
  world.claim(7, 1, "data@master");
  world.claim(6, 1, "data@big");
  world.fill(6);
  const auto file = world.claim(8, 7, "f");
  CHECK(world.claim(8, 7, "f") != file);
  CHECK(world.place(8) == "none");
}

TEST_CASE("a file made anew below a directory that showed another tree meanwhile is another file", "[fs]") {
  World world;
  world.claim(7, 1, "data@master");
  world.names->replacing({NodeId(7)});
  world.names->replaced({NodeId(7)});
  const auto directory = world.claim(8, 7, "d");
  const auto file = world.claim(9, 8, "f");
  world.names->removed(NodeId(8), "f");
  world.names->removed(NodeId(7), "d");
  CHECK(world.claim(8, 7, "d") != directory);
  CHECK(world.place(9) == "none");
  CHECK(world.claim(9, 8, "f") != file);
}

TEST_CASE("an id whose notes were pushed out does not get a generation again that it has had", "[fs]") {
  World world;
  world.claim(6, 1, "data@big");
  world.claim(7, 1, "data@master");
  std::set<std::uint32_t> had;
  for (int round = 0; round < 10; ++round) {
    CHECK(had.insert(world.claim(8, 7, "f")).second);
    world.names->removed(NodeId(7), "f");
  }
  world.fill(6);
  world.claim(7, 1, "data@master");
  CHECK(had.insert(world.claim(8, 7, "f")).second);
}

TEST_CASE("what cannot be noted is not believed, now or by the next process", "[fs]") {
  World world;
  world.claim(6, 1, "data@big");
  world.claim(7, 1, "data@master");
  const auto file = world.claim(8, 7, "f");
  boost::filesystem::create_directory(world.path() + ".new");  // the newest are not kept
  world.fill(6);
  world.names->removed(NodeId(7), "f");
  CHECK(world.place(8) == "none");
  CHECK(world.claim(8, 7, "f") != file);
  world.reopen();
  CHECK(world.place(8) == "none");
  CHECK(world.claim(8, 7, "f") != file);
}

TEST_CASE("a note that is not whole ends what is believed, and the next takes its place", "[fs]") {
  World world;
  world.claim(7, 1, "first");
  world.claim(8, 1, "second");
  world.names.reset();
  {
    const auto file = must(File::open(world.path(), O_RDWR));
    REQUIRE(file.write_at(24 + 34 + 5 + 10, "?", {}));
  }
  world.reopen();
  CHECK(world.place(7) == "1/first");
  CHECK(world.place(8) == "none");
  world.claim(9, 1, "third");
  CHECK(world.place(9) == "1/third");
}

TEST_CASE("a file of other bytes, or that a power cut may have taken notes from, is begun anew", "[fs]") {
  World world;
  world.claim(7, 1, "first");
  world.names.reset();
  SECTION("other bytes") { REQUIRE(write_file_atomically(world.path(), std::string(3'000'000, 'x'))); }
  SECTION("not closed before the machine went down") {
    const auto file = must(File::open(world.path(), O_RDWR));
    REQUIRE(file.write_at(8, "another start 16", {}));
  }
  world.reopen();
  CHECK(world.place(7) == "none");
  world.claim(7, 1, "second");
  CHECK(world.place(7) == "1/second");
}

TEST_CASE("more names than there is room for push out the oldest", "[fs]") {
  World world;
  world.fill(1);
  const auto named = [](std::uint64_t node) { return std::string(200, 'n') + std::to_string(node); };
  constexpr std::uint64_t kLast = 1'199'999;
  CHECK(world.place(kLast) == "1/" + named(kLast));
  CHECK(world.place(kLast - 50'000) == "1/" + named(kLast - 50'000));
  CHECK(world.place(1'000'000) == "none");
  CHECK(boost::filesystem::file_size(world.path()) <= (std::uint64_t{32} << 20U));
  const auto before = world.claim(kLast, 1, named(kLast));
  world.reopen();
  CHECK(world.claim(kLast, 1, named(kLast)) == before);
}
