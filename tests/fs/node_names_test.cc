#include <fcntl.h>

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

std::string place(NodeNames& names, std::uint64_t node) {
  const auto found = names.find(NodeId(node));
  return found ? std::to_string(found->parent.value()) + "/" + found->name : "none";
}

}  // namespace

TEST_CASE("what was noted last of a node is found, also by the next process", "[fs]") {
  const TemporaryDirectory directory;
  {
    const auto names = must(NodeNames::open(directory / "nodes"));
    names->note(NodeId(7), NodeId(1), "data@master");
    names->note(NodeId(8), NodeId(7), "f");
    CHECK(place(*names, 8) == "7/f");
    names->note(NodeId(8), NodeId(7), "renamed");
    CHECK(place(*names, 8) == "7/renamed");
    CHECK(place(*names, 9) == "none");
  }
  const auto names = must(NodeNames::open(directory / "nodes"));
  CHECK(place(*names, 7) == "1/data@master");
  CHECK(place(*names, 8) == "7/renamed");
  names->note(NodeId(9), NodeId(7), "later");
  CHECK(place(*names, 9) == "7/later");
}

TEST_CASE("a note that is not whole ends what is believed, and the next takes its place", "[fs]") {
  const TemporaryDirectory directory;
  const std::string path = directory / "nodes";
  {
    const auto names = must(NodeNames::open(path));
    names->note(NodeId(7), NodeId(1), "first");
    names->note(NodeId(8), NodeId(1), "second");
  }
  {
    const auto file = must(File::open(path, O_RDWR));
    REQUIRE(file.write_at(8 + 22 + 5 + 10, "?", {}));
  }
  const auto names = must(NodeNames::open(path));
  CHECK(place(*names, 7) == "1/first");
  CHECK(place(*names, 8) == "none");
  names->note(NodeId(9), NodeId(1), "third");
  CHECK(place(*names, 9) == "1/third");
}

TEST_CASE("a file of other bytes is begun anew", "[fs]") {
  const TemporaryDirectory directory;
  REQUIRE(write_file_atomically(directory / "nodes", std::string(3'000'000, 'x')));
  const auto names = must(NodeNames::open(directory / "nodes"));
  CHECK(place(*names, 7) == "none");
  names->note(NodeId(7), NodeId(1), "first");
  CHECK(place(*names, 7) == "1/first");
}

TEST_CASE("more names than there is room for push out the oldest", "[fs]") {
  const TemporaryDirectory directory;
  const auto names = must(NodeNames::open(directory / "nodes"));
  constexpr std::uint64_t kNodes = 400'000;
  const std::string name(200, 'n');
  for (std::uint64_t node = 2; node < kNodes; ++node) names->note(NodeId(node), NodeId(1), name);
  CHECK(place(*names, kNodes - 1) == "1/" + name);
  CHECK(place(*names, kNodes - 100'000) == "1/" + name);
  CHECK(place(*names, 2) == "none");
  CHECK(boost::filesystem::file_size(directory / "nodes") <= (std::uint64_t{64} << 20U));
}
