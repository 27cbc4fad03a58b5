#include <catch2/catch.hpp>

#include <tuple>

#include "store/local_db.h"
#include "store/refs/rocks_db.h"
#include "store/refs/rocks_local_db.h"
#include "support/killed_child.h"
#include "support/temporary_directory.h"

namespace pfs::store {
namespace {

class RocksLocal {
 public:
  RocksLocal() { open(); }
  LocalDb& local() { return *local_; }
  void reopen() {
    local_.reset();
    database_.reset();
    open();
  }

 private:
  void open() {
    database_ = RocksDatabase::open(directory_ / "db").value();
    local_ = std::make_unique<RocksLocalDb>(*database_);
  }

  test::TemporaryDirectory directory_;
  std::unique_ptr<RocksDatabase> database_;
  std::unique_ptr<RocksLocalDb> local_;
};

using LocalBackends = std::tuple<RocksLocal>;

constexpr Family kFamilies[] = {Family::kDelta, Family::kInode, Family::kStage, Family::kHot,
                                Family::kIndex, Family::kPack,  Family::kDatum};

std::vector<std::string> keys(const LocalDb& local, Family family, std::string_view from, std::string_view to,
                              const LocalDb::Snapshot* at = nullptr) {
  std::vector<std::string> found;
  REQUIRE(local.scan(
      family, from, to,
      [&](std::string_view key, std::string_view) {
        found.emplace_back(key);
        return true;
      },
      at));
  return found;
}

void fill(LocalDb& local, Family family, const std::vector<std::string>& rows) {
  LocalBatch batch;
  for (const auto& row : rows) batch.put(family, row, "of " + row);
  REQUIRE(local.write(batch));
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("rows read back from the family that they were put in", "[store][contract]", LocalBackends) {
  TestType backend;
  LocalDb& local = backend.local();
  LocalBatch batch;
  for (const auto family : kFamilies) batch.put(family, "key", std::to_string(static_cast<int>(family)));
  REQUIRE(local.write(batch));
  for (const auto family : kFamilies) {
    CHECK(local.get(family, "key").value() == std::to_string(static_cast<int>(family)));
    CHECK_FALSE(local.get(family, "other").value());
  }
}

TEMPLATE_LIST_TEST_CASE("a batch's changes apply in the order in which they were added", "[store][contract]",
                        LocalBackends) {
  TestType backend;
  LocalDb& local = backend.local();
  fill(local, Family::kDelta, {"a", "b", "c", "d"});
  LocalBatch batch;
  batch.erase(Family::kDelta, "a");
  batch.erase_range(Family::kDelta, "b", "d");
  batch.put(Family::kDelta, "c", "again");
  REQUIRE(local.write(batch));
  CHECK(keys(local, Family::kDelta, "", "") == std::vector<std::string>{"c", "d"});
  CHECK(local.get(Family::kDelta, "c").value() == "again");
}

TEMPLATE_LIST_TEST_CASE("a scan gives the rows from one key up to another in order", "[store][contract]",
                        LocalBackends) {
  TestType backend;
  LocalDb& local = backend.local();
  fill(local, Family::kIndex, {"a", "b", "b1", "c", "\xff"});
  CHECK(keys(local, Family::kIndex, "b", "c") == std::vector<std::string>{"b", "b1"});
  CHECK(keys(local, Family::kIndex, "aa", "b1") == std::vector<std::string>{"b"});
  CHECK(keys(local, Family::kIndex, "c", "") == std::vector<std::string>{"c", "\xff"});
  CHECK(keys(local, Family::kIndex, "d", "e").empty());

  int visited = 0;
  REQUIRE(local.scan(Family::kIndex, "", "", [&](std::string_view, std::string_view) { return ++visited < 2; }));
  CHECK(visited == 2);
}

TEMPLATE_LIST_TEST_CASE("a cursor goes forward and back in its range, over the rows as they were", "[store][contract]",
                        LocalBackends) {
  TestType backend;
  LocalDb& local = backend.local();
  fill(local, Family::kInode, {"a", "b", "b1", "c", "d"});
  const auto cursor = local.cursor(Family::kInode, "b", "d");
  fill(local, Family::kInode, {"b2"});
  REQUIRE(cursor->seek("b1").value());
  CHECK(cursor->key() == "b1");
  CHECK(cursor->value() == "of b1");
  REQUIRE(cursor->next().value());
  CHECK(cursor->key() == "c");
  CHECK_FALSE(cursor->next().value());
  REQUIRE(cursor->seek("a").value());
  CHECK(cursor->key() == "b");
  CHECK_FALSE(cursor->seek("d").value());

  const auto before = local.snapshot();
  fill(local, Family::kInode, {"b3"});
  const auto older = local.cursor(Family::kInode, "b2", "d", before.get());
  REQUIRE(older->seek("b2").value());
  REQUIRE(older->next().value());
  CHECK(older->key() == "c");
}

TEMPLATE_LIST_TEST_CASE("a snapshot stays as it was", "[store][contract]", LocalBackends) {
  TestType backend;
  LocalDb& local = backend.local();
  fill(local, Family::kDelta, {"a", "b"});
  const auto before = local.snapshot();
  LocalBatch batch;
  batch.erase(Family::kDelta, "a");
  batch.put(Family::kDelta, "b", "new");
  batch.put(Family::kDelta, "c", "new");
  REQUIRE(local.write(batch));

  CHECK(keys(local, Family::kDelta, "", "", before.get()) == std::vector<std::string>{"a", "b"});
  CHECK(local.get(Family::kDelta, "b", before.get()).value() == "of b");
  CHECK(keys(local, Family::kDelta, "", "") == std::vector<std::string>{"b", "c"});
}

TEMPLATE_LIST_TEST_CASE("rows are there again after a reopen", "[store][contract]", LocalBackends) {
  TestType backend;
  fill(backend.local(), Family::kHot, {"unsynced"});
  REQUIRE(backend.local().barrier());
  fill(backend.local(), Family::kHot, {"synced"});
  REQUIRE(backend.local().sync());
  backend.reopen();
  CHECK(keys(backend.local(), Family::kHot, "", "") == std::vector<std::string>{"synced", "unsynced"});
}

TEST_CASE("a killed process loses no row that it has written, nor any before a commit", "[store][contract]") {
  test::TemporaryDirectory directory;
  int acknowledged = 0;
  {
    test::KilledChild child({PFS_COMMIT_FOREVER, directory / "db"});
    while (acknowledged < 100) acknowledged = std::stoi(child.read_line());
    child.kill();
    for (auto line = child.read_line(); !line.empty(); line = child.read_line()) acknowledged = std::stoi(line);
  }
  const auto database = RocksDatabase::open(directory / "db").value();
  const RocksLocalDb local(*database);
  for (int number = 1; number <= acknowledged; ++number) {
    INFO("of " << acknowledged << ", " << number);
    REQUIRE(local.get(Family::kDelta, std::to_string(number)).value());
  }
}

}  // namespace pfs::store
