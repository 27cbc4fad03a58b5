// What damaged packs cost: what was damaged, and nothing else.
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

#include <boost/filesystem.hpp>
#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "store/chunk/sha256.h"
#include "store/pack/pack_row.h"
#include "support/flip_byte.h"
#include "support/must.h"
#include "support/object_store.h"

using namespace pfs;
using namespace pfs::store;
using namespace pfs::test;

namespace {

constexpr std::size_t kFrames = 5;

std::string bytes_of(std::size_t frame) { return "object " + std::to_string(frame) + std::string(3000, 'x'); }
ObjectId id_of(std::size_t frame) { return {ObjectKind::kChunk, sha256(bytes_of(frame))}; }

/// A store whose one pack has a frame for each object.
class World {
 public:
  World() {
    for (std::size_t frame = 0; frame < kFrames; ++frame) {
      const auto appended = must(store_.packs().append(PackKind::kData, {{id_of(frame), bytes_of(frame)}}, 1));
      places_.push_back(appended.locations.front());
      LocalBatch rows;
      rows.put(Family::kIndex, object_key(id_of(frame)), places_.back().encode());
      REQUIRE(store_.local().write(rows));
    }
  }

  void seal() { REQUIRE(store_.packs().seal_opened_until(Timestamp{std::numeric_limits<std::int64_t>::max()})); }
  void restart() { store_.open_packs(); }
  void damage(std::uint64_t offset) const { flip_byte(path(), offset); }
  void truncate(std::uint64_t size) const { boost::filesystem::resize_file(path(), size); }
  std::uint64_t size() const { return boost::filesystem::file_size(path()); }
  std::string bytes() const {
    const auto pack = must(File::open(path(), O_RDONLY));
    std::string all(must(pack.size()), '\0');
    must(pack.read_exactly(0, std::as_writable_bytes(std::span(all))));
    return all;
  }
  const Location& place(std::size_t frame) const { return places_[frame]; }
  /// As a kill leaves it between the rows of a sealed pack and its way into the blob store.
  void back_into_open() const {
    const std::string sealed = path();
    const std::string open = fmt::format("{}/open/{:010x}.pack", store_.directory().path(), places_.front().pack.value());
    boost::filesystem::rename(sealed, open);
    REQUIRE(::chmod(open.c_str(), 0400) == 0);
  }

  /// Which objects can be read; the others are kCorrupt.
  std::vector<std::size_t> readable() {
    std::vector<std::size_t> found;
    for (std::size_t frame = 0; frame < kFrames; ++frame) {
      const auto object = store_.objects().read(id_of(frame));
      if (object) {
        CHECK(object->bytes == bytes_of(frame));
        found.push_back(frame);
      } else {
        CHECK(object.error().code == Code::kCorrupt);
        CHECK_THAT(object.error().message, Catch::Matchers::Contains("pack"));
      }
    }
    return found;
  }
  ObjectStore& store() { return store_; }

 private:
  std::string path() const {
    for (const auto* directory : {"open", "packs"}) {
      for (boost::filesystem::recursive_directory_iterator entry(store_.directory() / directory), end; entry != end; ++entry) {
        if (boost::filesystem::is_regular_file(entry->path())) {
          ::chmod(entry->path().c_str(), 0600);
          return entry->path().string();
        }
      }
    }
    throw std::runtime_error("no pack");
  }

  ObjectStore store_;
  std::vector<Location> places_;
};

using Frames = std::vector<std::size_t>;

/// Of the calling process, as long as this is there; who is one already stays so. What is in the directory belongs to them.
class AsOrdinaryUser {
 public:
  explicit AsOrdinaryUser(const std::string& directory) {
    if (::geteuid() != 0) return;
    for (auto parent = boost::filesystem::path(directory); parent != parent.root_path(); parent = parent.parent_path()) {
      if (boost::filesystem::status(parent).permissions() & boost::filesystem::others_exe) break;
      REQUIRE(::chmod(parent.c_str(), 0755) == 0);
    }
    REQUIRE(::chown(directory.c_str(), kUser, kUser) == 0);
    for (boost::filesystem::recursive_directory_iterator entry(directory), end; entry != end; ++entry)
      REQUIRE(::lchown(entry->path().c_str(), kUser, kUser) == 0);
    REQUIRE(::seteuid(kUser) == 0);
  }
  ~AsOrdinaryUser() { static_cast<void>(::seteuid(::getuid())); }
  AsOrdinaryUser(const AsOrdinaryUser&) = delete;
  AsOrdinaryUser& operator=(const AsOrdinaryUser&) = delete;

 private:
  static constexpr uid_t kUser = 65534;
};

}  // namespace

TEST_CASE("a damaged frame of a pack that was left open takes no other frame with it", "[store]") {
  World world;
  // its payload; its header, whose magic, length and checksum are at these places
  world.damage(world.place(1).frame_offset + GENERATE(as<std::uint64_t>{}, kFrameHeaderSize + 40, 0, 12, 24));
  world.restart();
  CHECK(world.readable() == Frames{0, 2, 3, 4});
  world.seal();
  world.restart();
  CHECK(world.readable() == Frames{0, 2, 3, 4});
}

TEST_CASE("what looks like a frame in a torn one is content", "[store]") {
  World world;
  const std::string known = "known to nobody";
  const auto forged = encode_frame({{{ObjectKind::kChunk, sha256(known)}, "something else!"}}, 1000, 1);
  std::string content;
  for (std::uint64_t i = 0; content.size() < 4000; ++i) content += sha256(std::to_string(i)).bytes();  // which zstd leaves as it is
  content += forged + forged;
  must(world.store().packs().append(PackKind::kData, {{{ObjectKind::kChunk, sha256(content)}, content}}, 1));
  world.truncate(world.size() - 10);
  REQUIRE(world.bytes().find(forged) != std::string::npos);
  world.restart();
  CHECK(world.readable() == Frames{0, 1, 2, 3, 4});
  CHECK_FALSE(world.store().objects().read({ObjectKind::kChunk, sha256(known)}));
  CHECK(world.size() == world.place(kFrames - 1).frame_offset + world.place(kFrames - 1).frame_length);
}

TEST_CASE("a pack that was being sealed is sealed by the next start, also of a user who may not write to it any more", "[store]") {
  World world;
  world.seal();
  world.back_into_open();
  const AsOrdinaryUser user(world.store().directory().path());
  world.restart();
  CHECK(world.readable() == Frames{0, 1, 2, 3, 4});
  CHECK(world.store().packs().sealed_packs().size() == 1);
}

TEST_CASE("a torn last frame is cut off, and the pack goes on behind the others", "[store]") {
  World world;
  world.truncate(world.size() - 10);
  world.restart();
  CHECK(world.size() == world.place(kFrames - 1).frame_offset);
  const std::string more = "more";
  const auto appended = must(world.store().packs().append(PackKind::kData, {{{ObjectKind::kChunk, sha256(more)}, more}}, 1));
  CHECK(appended.locations.front().frame_offset == world.place(kFrames - 1).frame_offset);
}

TEST_CASE("a damaged header of a pack that was left open is made anew", "[store]") {
  World world;
  world.damage(GENERATE(as<std::uint64_t>{}, 0, 9, 20, 63));
  world.restart();
  CHECK(world.readable() == Frames{0, 1, 2, 3, 4});
  world.restart();
  CHECK(world.readable() == Frames{0, 1, 2, 3, 4});
}

TEST_CASE("a pack that was made and never written is removed", "[store]") {
  World world;
  world.truncate(GENERATE(as<std::uint64_t>{}, 0, 10, 64));
  if (world.size() == kPackHeaderSize) world.damage(0);
  world.restart();
  CHECK(world.store().packs().sealed_packs().empty());
  CHECK(world.readable().empty());
}

TEST_CASE("a damaged footer keeps nobody from finding, reading and storing", "[store]") {
  World world;
  world.seal();
  world.damage(world.size() - GENERATE(as<std::uint64_t>{}, 1, 10, 30, 300));
  world.restart();
  CHECK(world.readable() == Frames{0, 1, 2, 3, 4});
  for (std::size_t frame = 0; frame < kFrames; ++frame) CHECK(must(world.store().objects().contains(id_of(frame))));
}

TEST_CASE("what a sealed pack has lost is named, and the rest is read", "[store]") {
  World world;
  world.seal();
  world.truncate(world.place(3).frame_offset + 10);
  world.restart();
  CHECK(world.readable() == Frames{0, 1, 2});
  for (std::size_t frame = 0; frame < kFrames; ++frame) CHECK(must(world.store().objects().contains(id_of(frame))));
}

TEST_CASE("a damaged row of the index or of a pack is refused by name", "[store]") {
  World world;
  LocalBatch rows;
  SECTION("index") {
    rows.put(Family::kIndex, object_key(id_of(2)), "short");
    REQUIRE(world.store().local().write(rows));
    const auto object = world.store().objects().read(id_of(2));
    REQUIRE_FALSE(object);
    CHECK(object.error().code == Code::kCorrupt);
  }
  SECTION("pack") {
    world.seal();
    rows.put(Family::kPack, pack_key(world.place(0).pack), "short");
    REQUIRE(world.store().local().write(rows));
    const auto packs = PackSet::open(world.store().directory() / "open", world.store().local(),
                                     *must(DirBlobStore::open(world.store().directory() / "packs")), world.store().clock());
    REQUIRE_FALSE(packs);
    CHECK(packs.error().code == Code::kCorrupt);
  }
}
