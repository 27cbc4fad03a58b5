// What a damaged staging log costs: the bytes that were damaged, and nothing else.

#include <string>
#include <vector>

#include <boost/filesystem.hpp>
#include <catch2/catch.hpp>

#include "store/repo/staging_log.h"
#include "support/flip_byte.h"
#include "support/must.h"
#include "support/temporary_directory.h"

using namespace pfs;
using namespace pfs::store;
using namespace pfs::test;

namespace {

constexpr std::size_t kRecords = 5;
constexpr std::size_t kBytes = 1000;

/// A log of one segment with records of a file each.
class World {
 public:
  World() {
    auto log = open();
    for (std::size_t i = 0; i < kRecords; ++i) {
      StagingRecord record;
      record.file = FileId(i + 1);
      record.epoch = Epoch(1);
      record.size_after = kBytes;
      const std::string bytes(kBytes, static_cast<char>('a' + i));
      REQUIRE(log->append(record, std::as_bytes(std::span(bytes))));
      places_.push_back(record.at);
    }
    REQUIRE(log->sync());
  }

  std::unique_ptr<StagingLog> open() const {
    StagingLog::Options options;
    options.directory = directory_.path();
    return must(StagingLog::open(options));
  }
  std::string path() const { return directory_ / "log/00000001.seg"; }
  void damage(std::uint64_t offset) const { flip_byte(path(), offset); }
  const StagedAt& place(std::size_t record) const { return places_[record]; }

  /// Which records a start finds, and whether `has` says the same of their bytes.
  std::vector<std::size_t> found() const {
    const auto log = open();
    std::vector<std::size_t> records;
    REQUIRE(log->replay([&](const StagingRecord& record) { records.push_back(record.file.value() - 1); }));
    for (std::size_t i = 0; i < kRecords; ++i) {
      const bool there = std::find(records.begin(), records.end(), i) != records.end();
      CHECK(log->has(places_[i], kBytes) == there);
    }
    return records;
  }

 private:
  TemporaryDirectory directory_;
  std::vector<StagedAt> places_;
};

using Records = std::vector<std::size_t>;

}  // namespace

TEST_CASE("a damaged staged record takes no other one with it", "[store]") {
  const World world;
  world.damage(world.place(2).offset + 500);
  CHECK(world.found() == Records{0, 1, 3, 4});
}

TEST_CASE("a torn last staged record is left out", "[store]") {
  const World world;
  SECTION("cut short") { boost::filesystem::resize_file(world.path(), world.place(4).offset + 500); }
  SECTION("never written whole") { world.damage(world.place(4).offset + 500); }
  CHECK(world.found() == Records{0, 1, 2, 3});
}

TEST_CASE("a staged record whose header is damaged ends its segment", "[store]") {
  const World world;
  world.damage(world.place(2).offset - kRecordHeaderSize);
  CHECK(world.found() == Records{0, 1});
}

TEST_CASE("a damaged head of a staging segment costs nothing, and a newer one is refused", "[store]") {
  const World world;
  SECTION("damaged") {
    world.damage(3);
    CHECK(world.found() == Records{0, 1, 2, 3, 4});
  }
  SECTION("empty, as a kill may leave it") {
    boost::filesystem::resize_file(world.path(), 0);
    CHECK(world.found().empty());
  }
}
