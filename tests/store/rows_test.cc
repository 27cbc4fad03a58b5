// Readers of the rows of open commits, and what is remembered of loaded nodes.
#include <catch2/catch.hpp>

#include <algorithm>
#include <random>

#include "store/refs/rocks_db.h"
#include "store/refs/rocks_local_db.h"
#include "store/repo/directory_rows.h"
#include "store/repo/file_rows.h"
#include "store/repo/live_node.h"
#include "support/temporary_directory.h"

namespace pfs::test {
namespace {

using namespace pfs::store;

class Rows {
 public:
  Rows() : database_(RocksDatabase::open(directory_ / "db").value()), local_(*database_) {}
  LocalDb& local() { return local_; }
  void write(const LocalBatch& batch) { REQUIRE(local_.write(batch)); }

 private:
  TemporaryDirectory directory_;
  std::unique_ptr<RocksDatabase> database_;
  RocksLocalDb local_;
};

std::vector<std::uint64_t> epochs_of(FileRows& rows, std::uint64_t file) {
  std::vector<std::uint64_t> epochs;
  REQUIRE(rows.each(FileId(file), [&](Epoch epoch, std::string_view, std::string_view) {
    epochs.push_back(epoch.value());
    return true;
  }));
  return epochs;
}

}  // namespace

TEST_CASE("the rows of files are found in any order, the newest first", "[store]") {
  Rows rows;
  LocalBatch batch;
  for (std::uint64_t file = 1; file < 3000; ++file) {
    if (file % 7 == 0) continue;  // has none
    for (std::uint64_t epoch = 1; epoch <= 1 + file % 3; ++epoch) batch.put(Family::kInode, file_key(FileId(file), Epoch(epoch)), "row");
  }
  rows.write(batch);
  std::vector<std::uint64_t> files;
  for (std::uint64_t file = 1; file < 3010; ++file) files.push_back(file);
  const auto check = [&] {
    FileRows reader(rows.local(), FileId(5000), nullptr);
    bool right = true;
    for (const auto file : files) {
      std::vector<std::uint64_t> expected;
      for (std::uint64_t epoch = file % 7 == 0 || file >= 3000 ? 0 : 1 + file % 3; epoch > 0; --epoch) expected.push_back(epoch);
      right = right && epochs_of(reader, file) == expected;
    }
    CHECK(right);
  };
  SECTION("rising") { check(); }
  SECTION("falling") {
    std::reverse(files.begin(), files.end());
    check();
  }
  SECTION("at random, and again") {
    files.insert(files.end(), files.begin(), files.end());
    std::shuffle(files.begin(), files.end(), std::mt19937_64(1));
    check();
  }
}

TEST_CASE("a directory's names are read with their newest rows up to an epoch", "[store]") {
  Rows rows;
  LocalBatch batch;
  const DirId directory(5);
  for (const std::uint64_t other : {4U, 6U}) batch.put(Family::kDelta, delta_key(DirId(other), "other", Epoch(1)), DeltaRow{FileId(1)}.encode());
  std::vector<std::string> expected;
  for (std::uint64_t i = 1; i <= 1000; ++i) {
    const auto name = "name" + std::to_string(10000 + i);
    const std::uint64_t first = i % 5 == 0 ? 4 : 1;  // some are newer altogether
    for (auto epoch = first; epoch < first + 3; ++epoch) batch.put(Family::kDelta, delta_key(directory, name, Epoch(epoch)), DeltaRow{FileId(10 * i + epoch)}.encode());
    if (first == 1) expected.push_back(name + "=" + std::to_string(10 * i + 2));
  }
  rows.write(batch);
  DirectoryRows names(rows.local(), directory, Epoch(2), nullptr);
  std::vector<std::string> found;
  for (;;) {
    auto name = names.next();
    REQUIRE(name);
    if (!*name) break;
    found.push_back((*name)->name + "=" + std::to_string(std::get<FileId>((*name)->row.what).value()));
  }
  CHECK(found == expected);
}

TEST_CASE("nodes that nobody holds any more are forgotten", "[store]") {
  LoadedNodes<FileId> nodes;
  std::vector<NodePtr> held;
  for (std::uint64_t i = 1; i <= 10000; ++i) {
    auto node = std::make_shared<LiveNode>(Kind::kFile, Attributes{});
    nodes.put(FileId(i), node);
    if (i % 100 == 0) held.push_back(std::move(node));
  }
  CHECK(nodes.size() < 400);
  bool all = true;
  for (std::uint64_t i = 1; i <= 100; ++i) all = all && nodes.find(FileId(100 * i)) == held[i - 1];
  CHECK(all);
  CHECK(nodes.find(FileId(1)) == nullptr);
}

}  // namespace pfs::test
