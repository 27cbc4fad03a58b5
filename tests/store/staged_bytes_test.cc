// Who has the bytes that wait for a commit, and that nobody's are given up with another's.
#include <catch2/catch.hpp>

#include <unistd.h>

#include <array>
#include <fstream>
#include <random>
#include <set>
#include <span>
#include <string>

#include <boost/filesystem.hpp>

#include "base/file.h"
#include "store/repo/spool.h"
#include "store/repo/staging_format.h"
#include "support/must.h"
#include "support/rounds.h"
#include "support/store_world.h"
#include "support/temporary_directory.h"

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

// What every file system takes for a spool's size.
constexpr std::uint64_t kFar = std::uint64_t{3} << 40U;

std::uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t all = 0;
  std::uint64_t resident = 0;
  statm >> all >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

TEST_CASE("what was not written of a file costs nothing, however much it is", "[store]") {
  constexpr std::uint64_t kHuge = std::uint64_t{900} << 50U;
  StagingWorld world;
  const auto huge = world.make(world.root("quick@master"), "huge");
  AttributeChange longer;
  longer.size = kHuge;
  must(world.trees().set_attributes(huge, longer));
  CHECK_FALSE(must(world.trees().seek(huge, 0, Seek::kData)));
  const std::string begin(1024, 'a');
  const std::string end(1024, 'z');
  const auto far = world.put(world.root("quick@master"), "far", begin);
  const auto before = resident_bytes();
  must(world.trees().write(far, kFar - end.size(), as_bytes(end)));
  CHECK(resident_bytes() < before + (std::uint64_t{64} << 20U));
  must(world.catalog().finish(branch_ref("quick@master"), {}));
  const auto has = [&](const char* name, std::uint64_t offset, const std::string& bytes) {
    std::string text(bytes.size(), '?');
    return must(world.trees().read(world.at(name, "quick@master"), offset, std::as_writable_bytes(std::span(text)))) == text.size() &&
           text == bytes;
  };
  for (int start = 0; start < 2; ++start) {
    CHECK(must(world.trees().stat(world.at("huge", "quick@master"))).size == kHuge);
    CHECK(has("huge", kHuge / 3, std::string(500'000, '\0')));
    CHECK(has("far", 0, begin + std::string(1000, '\0')));
    CHECK(has("far", kFar / 2, std::string(500'000, '\0')));
    CHECK(has("far", kFar - 2 * end.size(), std::string(end.size(), '\0') + end));
    const auto data = must(world.trees().seek(world.at("far", "quick@master"), std::uint64_t{1} << 20U, Seek::kData));
    REQUIRE(data);
    CHECK(*data <= kFar - end.size());
    CHECK(*data > kFar - (std::uint64_t{1} << 20U));
    world.open();
  }
}

TEST_CASE("a spool knows its blocks, however far apart they lie", "[store]") {
  const std::uint64_t seed = seed_of_run();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  TemporaryDirectory directory;
  const auto spools = must(Spools::open(directory.path()));
  const auto spool = must(spools->make());
  const std::uint64_t block = spool->block();
  std::set<std::uint64_t> valid;
  const std::array<std::uint64_t, 4> places{0, 4000, 200'000, kFar / block};
  const auto somewhere = [&] { return places[random() % places.size()] + random() % 300; };
  for (int round = 0; round < 60; ++round) {
    const auto first = somewhere();
    if (random() % 8 == 0) {
      must(spool->resize(first * block));
      valid.erase(valid.lower_bound(first), valid.end());
    } else {
      const auto count = 1 + random() % 150;
      must(spool->write(first * block, as_bytes(std::string(count * block, 'x'))));
      for (auto each = first; each < first + count; ++each) valid.insert(each);
    }
    REQUIRE(spool->bytes() == valid.size() * block);
    std::set<std::uint64_t> listed;
    for (const auto& [begin, end] : spool->valid_ranges(0, 2 * kFar)) {
      for (auto at = begin; at < end; at += block) listed.insert(at / block);
    }
    REQUIRE(listed == valid);
    for (int look = 0; look < 20; ++look) {
      const auto at = somewhere();
      const bool is_valid = valid.contains(at);
      REQUIRE(spool->valid(at) == is_valid);
      const auto next = valid.lower_bound(at);
      const auto expected = is_valid ? at * block + 7 : next == valid.end() ? Spool::kNone : *next * block;
      REQUIRE(spool->next_valid(at * block + 7) == expected);
      auto stop = at;
      while (stop < at + 200 && valid.contains(stop)) ++stop;
      REQUIRE(spool->valid_to(at * block + 7, (at + 200) * block) == (is_valid ? stop * block : at * block + 7));
    }
  }
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
