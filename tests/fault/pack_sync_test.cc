// A pack whose sync has failed once: the kernel tells of it once, and may have dropped what it could not write.
#include <catch2/catch.hpp>

#include <fcntl.h>

#include <cstdlib>
#include <limits>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <boost/filesystem.hpp>

#include "base/file.h"
#include "store/chunk/sha256.h"
#include "support/must.h"
#include "support/object_store.h"

namespace pfs::test {
namespace {

using namespace pfs::store;
namespace filesystem = boost::filesystem;

// Each in a frame of its own, and so many that a writer hands all of them over while they are added.
constexpr std::size_t kChunks = 12;
constexpr std::size_t kChunkSize = std::size_t{64} << 10U;

struct Made {
  ObjectId id;
  std::string bytes;
};

/// Chunks that do not compress.
std::vector<Made> make_chunks(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<Made> made(kChunks);
  for (auto& chunk : made) {
    chunk.bytes.resize(kChunkSize);
    for (auto& c : chunk.bytes) c = static_cast<char>(random());
    chunk.id = {ObjectKind::kChunk, sha256(chunk.bytes)};
  }
  return made;
}

class World {
 public:
  std::unique_ptr<ObjectWriter> add(const std::vector<Made>& chunks) {
    auto writer = std::make_unique<ObjectWriter>(store_.objects());
    for (const auto& chunk : chunks) must(writer->add(chunk.id, chunk.bytes));
    return writer;
  }
  Result<void> store(const std::vector<Made>& chunks) { return add(chunks)->flush(); }

  void wait_for_open_bytes(std::uint64_t bytes) const {
    while (filesystem::file_size(open_pack()) < bytes) std::this_thread::yield();
  }
  /// The first of them.
  std::string open_pack() const { return store_.directory() / "open/0000000001.pack"; }

  std::optional<Location> place(const Made& chunk) {
    const auto row = must(store_.local().get(Family::kIndex, object_key(chunk.id)));
    return row ? std::optional(must(Location::decode(*row))) : std::nullopt;
  }
  bool all_in(PackNumber pack, const std::vector<Made>& chunks) {
    for (const auto& chunk : chunks) {
      if (const auto at = place(chunk); !at || at->pack != pack) return false;
    }
    return true;
  }
  bool any_named(const std::vector<Made>& chunks) {
    for (const auto& chunk : chunks) {
      if (place(chunk) || must(store_.objects().contains(chunk.id))) return true;
    }
    return false;
  }
  bool readable(const std::vector<Made>& chunks) {
    for (const auto& chunk : chunks) {
      const auto read = store_.objects().read(chunk.id);
      if (!read || read->bytes != chunk.bytes) return false;
    }
    return true;
  }
  void seal() { must(store_.packs().seal_opened_until(Timestamp{std::numeric_limits<std::int64_t>::max()})); }
  void restart() { store_.open_packs(); }

 private:
  ObjectStore store_;
};

TEST_CASE("what lay in a pack whose sync failed counts as stored only where it was synced before", "[store][fault]") {
  // read once, at the first fault point: this test has a program of its own
  REQUIRE(::setenv("PFS_FAULT", "store.pack.sync:fail:2", 1) == 0);
  World world;
  const auto early = make_chunks(1);
  const auto first = make_chunks(2);
  const auto second = make_chunks(3);
  must(world.store(early));
  REQUIRE(world.all_in(PackNumber(1), early));
  const auto synced = filesystem::file_size(world.open_pack());

  auto writer = world.add(second);
  world.wait_for_open_bytes(synced + kChunks * kChunkSize);
  const auto failed = world.store(first);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == Code::kIo);
  // its own fdatasync would succeed
  CHECK_FALSE(writer->flush());
  CHECK_FALSE(writer->flush());
  writer.reset();
  CHECK_FALSE(world.any_named(first));
  CHECK_FALSE(world.any_named(second));

  must(world.store(first));
  CHECK(world.all_in(PackNumber(2), first));
  world.seal();
  CHECK(world.all_in(PackNumber(1), early));
  CHECK(world.all_in(PackNumber(2), first));
  CHECK_FALSE(world.any_named(second));
  CHECK(world.readable(early));
  CHECK(world.readable(first));

  // the kernel has dropped it
  const auto file = must(File::open(world.open_pack(), O_RDWR));
  must(file.write_at(synced, std::string(must(file.size()) - synced, '\0'), {}));
  world.restart();
  CHECK(world.readable(early));
  CHECK(world.readable(first));
  CHECK_FALSE(world.any_named(second));
  must(world.store(second));
  CHECK(world.readable(second));
  world.seal();
  world.restart();
  CHECK(world.readable(early));
  CHECK(world.readable(first));
  CHECK(world.readable(second));
}

}  // namespace
}  // namespace pfs::test
