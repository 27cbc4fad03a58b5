// Who has the bytes that wait for a commit, and that nobody's are given up with another's.
#include <catch2/catch.hpp>

#include <fstream>
#include <span>
#include <string>

#include <boost/filesystem.hpp>

#include "base/file.h"
#include "store/repo/staging_format.h"
#include "support/must.h"
#include "support/store_world.h"

namespace pfs::test {
namespace {

using namespace pfs::store;

/// Segments of the log are small, so that one is soon worth moving or deleting.
class StagingWorld : public StoreWorld {
 public:
  StagingWorld() : StoreWorld(options(), {branch_ref("quick@master"), branch_ref("slow@master"), branch_ref("third@master")}) {}

  NodePtr put(const NodePtr& directory, const std::string& name, const std::string& bytes) {
    const auto node = file(directory, name);
    trees().opened_for_write(node);
    must(trees().write(node, 0, as_bytes(bytes)));
    trees().released_for_write(node);
    return node;
  }
  /// Has segments deleted that nothing seems to refer to.
  void clear_up() {
    for (int i = 0; i < 3; ++i) {
      put(root("slow@master"), "f" + std::to_string(i), std::string(900'000, 'f'));
      must(catalog().finish(branch_ref("slow@master"), {}));
    }
  }

  /// Bytes of the log and of spools.
  std::uint64_t staged() const {
    std::uint64_t bytes = 0;
    for (boost::filesystem::recursive_directory_iterator entry(path() + "/stage"), end; entry != end; ++entry) {
      if (boost::filesystem::is_regular_file(entry->path())) bytes += boost::filesystem::file_size(entry->path());
    }
    return bytes;
  }

 private:
  static StoreOptions options() {
    StoreOptions options = on_request();
    options.staging.segment_bytes = std::uint64_t{1} << 20U;
    return options;
  }
};

TEST_CASE("a file that is renamed after a commit keeps its bytes when they are moved on", "[store]") {
  StagingWorld world;
  const std::string bytes(100'000, 'x');
  auto file = world.put(world.root("quick@master"), "tmp", bytes);
  world.put(world.root("slow@master"), "s", std::string(800'000, 'y'));
  must(world.catalog().finish(branch_ref("slow@master"), {}));
  REQUIRE(world.trees().rename(world.root("quick@master"), "tmp", world.root("quick@master"), "final", RenameMode::kReplace));
  world.clear_up();
  CHECK((world.text(world.root("quick@master"), "final") == bytes));
  file.reset();
  world.open();
  CHECK((world.text(world.root("quick@master"), "final") == bytes));
  must(world.catalog().finish(branch_ref("quick@master"), {}));
  CHECK((world.text(world.root("quick@master"), "final") == bytes));
}

TEST_CASE("a new file does not get the number of one that only the log knows, as a power cut may leave it", "[store]") {
  StagingWorld world;
  world.put(world.root("slow@master"), "keeps the segment", "bytes");
  std::string records;
  const std::string foreign = "foreign";
  for (std::uint64_t number = 1; number < 5000; ++number) {
    StagingRecord record;
    record.file = FileId(number < 4999 ? number : std::uint64_t{1} << 63U);  // the last: of a tree that was nobody's
    record.epoch = Epoch(1);
    record.length = static_cast<std::uint32_t>(foreign.size());
    record.size_after = foreign.size();
    record.sequence = 100 + number;
    records += encode_record_header(record, as_bytes(foreign)) + foreign;
  }
  std::ofstream(world.path() + "/stage/log/00000001.seg", std::ios::app) << records;
  world.open();
  world.make(world.root("quick@master"), "f");
  world.make(world.make(world.root("third@master"), "d", Kind::kDirectory), "g", Kind::kFile, "bytes");
  for (int start = 0; start < 2; ++start) {
    world.open();
    CHECK(world.text(world.root("quick@master"), "f").empty());
    CHECK(world.text(world.at("d", "third@master"), "g") == "bytes");
  }
}

TEST_CASE("a copy to where no file can reach is refused, and harms nothing", "[store]") {
  StagingWorld world;
  const auto source = world.put(world.root("quick@master"), "f", "bytes");
  const auto target = world.make(world.root("third@master"), "copy");
  for (const std::uint64_t offset : {(std::uint64_t{1} << 62U) + 1, ~std::uint64_t{0} - 2, (std::uint64_t{1} << 60U) - 1}) {
    const auto copied = world.trees().copy_range(source, 0, target, offset, 5);
    REQUIRE_FALSE(copied);
    CHECK(copied.error().code == Code::kTooLarge);
  }
  world.open();
  must(world.catalog().finish(branch_ref("third@master"), {}));
}

TEST_CASE("a copy of a file's holes is holes", "[store]") {
  StagingWorld world;
  constexpr std::uint64_t kHole = std::uint64_t{4} << 30U;
  const auto source = world.put(world.root("quick@master"), "sparse", "begin");
  must(world.trees().write(source, kHole, as_bytes(std::string_view("end"))));
  AttributeChange longer;
  longer.size = kHole + 5000;
  must(world.trees().set_attributes(source, longer));
  const auto target = world.make(world.root("third@master"), "copy");
  const auto staged = world.staged();
  CHECK(must(world.trees().copy_range(source, 0, target, 0, kHole + 5000)) == kHole + 5000);
  CHECK(world.staged() < staged + (std::uint64_t{1} << 20U));
  CHECK(must(world.trees().stat(target)).size == kHole + 5000);
  std::string text(10, '?');
  must(world.trees().read(target, kHole - 3, std::as_writable_bytes(std::span(text))));
  CHECK(text == std::string("\0\0\0end\0\0\0\0", 10));
  must(world.trees().read(target, 0, std::as_writable_bytes(std::span(text))));
  CHECK(text == std::string("begin\0\0\0\0\0", 10));
}

TEST_CASE("a discarded file with names in two directories takes no other file's bytes with it", "[store]") {
  StagingWorld world;
  const auto first = world.make(world.root("quick@master"), "d1", Kind::kDirectory);
  const auto second = world.make(world.root("quick@master"), "d2", Kind::kDirectory);
  REQUIRE(world.trees().link(world.put(first, "a", std::string(400'000, 'x')), second, "b"));
  const std::string stays(400'000, 'y');
  world.put(world.root("third@master"), "stays", stays);
  REQUIRE(world.catalog().discard(branch_ref("quick@master")));
  world.clear_up();
  CHECK((world.text(world.root("third@master"), "stays") == stays));
}

TEST_CASE("what is discarded before its branch was looked at since the start does not come back", "[store]") {
  StagingWorld world;
  world.put(world.root("quick@master"), "f", "one");
  must(world.catalog().finish(branch_ref("quick@master"), {}));
  world.put(world.root("quick@master"), "f", "two");
  world.open();
  REQUIRE(world.catalog().discard(branch_ref("quick@master")));
  CHECK(world.text(world.root("quick@master"), "f") == "one");
  world.put(world.root("quick@master"), "g", "new");
  must(world.catalog().finish(branch_ref("quick@master"), {}));
  CHECK(world.text(world.root("quick@master"), "f") == "one");
  world.open();
  CHECK(world.text(world.root("quick@master"), "f") == "one");
}

}  // namespace
}  // namespace pfs::test
