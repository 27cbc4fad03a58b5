// What a start does with the packs that were left open.
#include <catch2/catch.hpp>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "store/chunk/sha256.h"
#include "support/must.h"
#include "support/object_store.h"

using namespace pfs;
using namespace pfs::store;
using namespace pfs::test;

namespace {

constexpr std::size_t kFrames = 5;
constexpr std::size_t kObjects = 1000;

/// Another LocalDb, and how many rows were asked for by their key.
class CountedDb final : public LocalDb {
 public:
  explicit CountedDb(LocalDb& db) : db_(db) {}
  Result<std::optional<std::string>> get(Family family, std::string_view key, const Snapshot* at) const override {
    ++gets_;
    return db_.get(family, key, at);
  }
  Result<void> scan(Family family, std::string_view from, std::string_view to,
                    const std::function<bool(std::string_view, std::string_view)>& visit, const Snapshot* at) const override {
    return db_.scan(family, from, to, visit, at);
  }
  std::unique_ptr<Cursor> cursor(Family family, std::string_view from, std::string_view to, const Snapshot* at) const override {
    return db_.cursor(family, from, to, at);
  }
  Result<void> write(const LocalBatch& batch) override { return db_.write(batch); }
  Result<void> sync() override { return db_.sync(); }
  Result<void> barrier() override { return db_.barrier(); }
  std::unique_ptr<Snapshot> snapshot() const override { return db_.snapshot(); }

  std::size_t gets() const { return gets_; }

 private:
  LocalDb& db_;
  mutable std::atomic<std::size_t> gets_ = 0;
};

/// A pack that is left open with frames of small objects in it, and their rows as writers put them: in the order of the frame.
class World {
 public:
  World() {
    for (std::size_t frame = 0; frame < kFrames; ++frame) {
      std::vector<FrameObject> objects;
      for (std::size_t i = 0; i < kObjects; ++i) {
        const std::string bytes = "object " + std::to_string(frame * kObjects + i);
        objects.push_back({{ObjectKind::kChunk, sha256(bytes)}, bytes});
      }
      const auto appended = must(store_.packs().append(PackKind::kData, objects, 1));
      LocalBatch rows;
      for (std::size_t i = 0; i < kObjects; ++i) {
        keys_.push_back(object_key(objects[i].id));
        values_.push_back(appended.locations[i].encode());
        rows.put(Family::kIndex, keys_.back(), values_.back());
      }
      REQUIRE(store_.local().write(rows));
    }
  }

  /// Returns how many rows the packs asked for while they were opened.
  std::size_t restart() {
    CountedDb counted(store_.local());
    const auto blobs = must(DirBlobStore::open(store_.directory() / "packs"));
    const auto packs = must(PackSet::open(store_.directory() / "open", counted, *blobs, store_.clock()));
    return counted.gets();
  }

  /// All of a frame's rows from its `first` object on.
  void lose_rows(std::size_t frame, std::size_t first) {
    LocalBatch lost;
    for (std::size_t i = first; i < kObjects; ++i) lost.erase(Family::kIndex, keys_[frame * kObjects + i]);
    REQUIRE(store_.local().write(lost));
  }

  void check_rows() {
    std::size_t right = 0;
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      if (must(store_.local().get(Family::kIndex, keys_[i], nullptr)) == values_[i]) ++right;
    }
    CHECK(right == keys_.size());
  }

 private:
  ObjectStore store_;
  std::vector<std::string> keys_;
  std::vector<std::string> values_;
};

}  // namespace

TEST_CASE("a start asks the index for a few objects of each frame of a pack that was left open", "[store]") {
  World world;
  CHECK(world.restart() < 10 * kFrames);
  world.check_rows();
}

TEST_CASE("a start puts the rows of a frame back that were not written before a kill", "[store]") {
  World world;
  world.lose_rows(kFrames - 1, 0);
  world.lose_rows(kFrames - 2, kObjects / 2);  // the packer's batches end where they are full
  world.restart();
  world.check_rows();
}
