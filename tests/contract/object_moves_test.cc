// Objects move: from `hot` rows into packs, and from packs into packs. Nobody who reads them may notice.
#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <map>
#include <random>
#include <set>
#include <thread>

#include <boost/filesystem.hpp>
#include <fmt/format.h>

#include "base/codec.h"
#include "store/chunk/sha256.h"
#include "store/pack/packer.h"
#include "store/pack/repack.h"
#include "support/object_store.h"

namespace pfs::test {
namespace {

using store::ObjectId;
using store::ObjectKind;
using store::PackNumber;

constexpr Timestamp kEver{std::numeric_limits<std::int64_t>::max()};

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// Chunks, and lists (whose bytes nobody parses here), that resemble each other.
struct Made {
  ObjectId id;
  std::string bytes;
};

Made make_object(std::uint64_t number) {
  std::mt19937_64 random(number % 20);
  std::string bytes(200 + number % 20 * 150, '\0');
  for (auto& c : bytes) c = static_cast<char>(random());
  bytes += fmt::format("version {}", number);
  if (number % 3 == 0) return {{ObjectKind::kChunk, store::sha256(bytes)}, bytes};
  return {{ObjectKind::kList, store::sha256_tagged("pfs.list.1", bytes)}, bytes};
}

class World {
 public:
  World() { open_packer(); }

  void open_packer() {
    packer_.reset();
    store::PackingOptions options;
    options.bytes_per_second = 0;
    packer_ = std::make_unique<store::Packer>(
        store::Packer::Parts{&store_.local(), &store_.packs(), &store_.objects().hot(), {}, &store_.clock()}, options);
  }
  void reopen() {
    packer_.reset();
    store_.open_packs();
    open_packer();
  }

  Made add(std::uint64_t number) {
    const auto made = make_object(number);
    store::ObjectWriter writer(store_.objects());
    must(writer.add(made.id, made.bytes, number % 20));
    must(writer.flush());
    return made;
  }
  /// Adds objects [from, to) and seals them into packs of their own.
  void add_sealed(std::uint64_t from, std::uint64_t to) {
    for (auto number = from; number < to; ++number) add(number);
    must(packer_->turn());
    must(store_.packs().seal_opened_until(kEver));
  }
  bool holds(const Made& made) {
    const auto read = store_.objects().read(made.id);
    return read && read->bytes == made.bytes && must(store_.objects().contains(made.id));
  }
  bool holds_all(std::uint64_t from, std::uint64_t to) {
    for (auto number = from; number < to; ++number) {
      if (!holds(make_object(number))) return false;
    }
    return true;
  }
  store::RepackResult repack(const std::atomic<bool>* stop = nullptr) {
    store::RepackOptions options;
    options.stop = stop;
    return must(store::Repack(store_.local(), store_.packs(), options).run());
  }
  std::size_t rows(store::Family family) {
    std::size_t count = 0;
    must(store_.local().scan(family, "", "", [&](std::string_view, std::string_view) {
      ++count;
      return true;
    }));
    return count;
  }
  std::size_t files_in_packs() {
    std::size_t count = 0;
    for (const auto& entry : boost::filesystem::recursive_directory_iterator(store_.directory() / "packs")) {
      count += boost::filesystem::is_regular_file(entry) ? 1 : 0;
    }
    return count;
  }

  ObjectStore store_;
  std::unique_ptr<store::Packer> packer_;
};

TEST_CASE("an object of a small commit is there before, after and long after it is moved", "[store][contract]") {
  World world;
  for (std::uint64_t number = 0; number < 100; ++number) world.add(number);
  CHECK(world.rows(store::Family::kHot) == 100);
  CHECK(world.store_.objects().hot().waiting().bytes > 0);
  CHECK(world.holds_all(0, 100));

  const auto turn = must(world.packer_->turn());
  CHECK(turn.objects == 100);
  CHECK(turn.stored_bytes < turn.raw_bytes);
  CHECK(world.rows(store::Family::kHot) == 0);
  CHECK(world.rows(store::Family::kIndex) == 100);
  CHECK(world.store_.objects().hot().waiting().bytes == 0);
  CHECK_FALSE(world.store_.objects().hot().waiting().oldest);
  CHECK(world.holds_all(0, 100));

  SECTION("and again is not stored again") {
    world.add(7);
    CHECK(world.rows(store::Family::kHot) == 0);
  }
  SECTION("after a restart with its pack still open") {
    world.reopen();
    CHECK(world.holds_all(0, 100));
  }
  SECTION("after its pack was sealed, rewritten, and the store opened again") {
    must(world.store_.packs().seal_opened_until(kEver));
    CHECK(world.files_in_packs() == 2);
    CHECK(world.holds_all(0, 100));
    world.add_sealed(100, 200);
    CHECK(world.files_in_packs() == 4);
    const auto result = world.repack();
    CHECK(result.packs_rewritten == 4);
    CHECK(result.packs_made == 2);
    CHECK(world.files_in_packs() == 2);
    CHECK(world.holds_all(0, 200));
    world.reopen();
    CHECK(world.holds_all(0, 200));
    CHECK(world.repack().packs_rewritten == 0);
  }
}

TEST_CASE("readers find every object while it is moved from rows into packs and from packs into packs", "[store][contract]") {
  World world;
  constexpr std::uint64_t kFirst = 50;
  for (std::uint64_t number = 0; number < kFirst; ++number) world.add(number);
  std::atomic<std::uint64_t> added = kFirst;
  std::atomic<bool> stop = false;
  std::atomic<std::uint64_t> missed = 0;
  std::atomic<std::uint64_t> reads = 0;
  std::vector<std::thread> threads;
  for (std::uint64_t reader = 0; reader < 3; ++reader) {
    threads.emplace_back([&, reader] {
      std::mt19937_64 random(reader);
      while (!stop) {
        if (!world.holds(make_object(random() % added))) ++missed;
        ++reads;
      }
    });
  }
  threads.emplace_back([&] {
    while (!stop && added < 3000) {
      world.add(added);
      ++added;
      std::this_thread::yield();
    }
  });
  // one that stores everything again and again: a dedup hit may rely on an object that is being moved
  threads.emplace_back([&] {
    std::mt19937_64 random(99);
    while (!stop) world.add(random() % added);
  });
  for (int turn = 0; turn < 25 || reads < 2000; ++turn) {
    must(world.packer_->turn());
    if (turn % 2 == 1) must(world.store_.packs().seal_opened_until(kEver));
    if (turn % 5 == 4) CHECK(world.repack().damaged == 0);
  }
  stop = true;
  for (auto& thread : threads) thread.join();
  CHECK(missed == 0);
  CHECK(world.holds_all(0, added));
  world.reopen();
  CHECK(world.holds_all(0, added));
}

TEST_CASE("a damaged row stays where it is, and nothing else waits for it", "[store][contract]") {
  World world;
  const auto damaged = make_object(1);
  store::LocalBatch batch;
  batch.put(store::Family::kHot, store::object_key(damaged.id), world.store_.objects().hot().encode(0, "other bytes"));
  batch.put(store::Family::kHot, "no key of an object", "\x7f no row");
  must(world.store_.local().write(batch));
  world.add(2);
  const auto turn = must(world.packer_->turn());
  CHECK(turn.objects == 1);
  CHECK(turn.damaged == 1);
  CHECK(world.rows(store::Family::kHot) == 2);
  CHECK(world.holds(make_object(2)));
}

TEST_CASE("objects of one directory lie side by side, in the order of their making", "[store][contract]") {
  World world;
  std::map<std::uint64_t, std::vector<std::uint64_t>> expected;
  for (std::uint64_t number = 1; number < 300; number += 3) {  // lists only
    world.add(number);
    expected[number % 20].push_back(number);
  }
  must(world.packer_->turn());
  std::map<std::uint64_t, std::vector<std::pair<std::string, std::uint64_t>>> found;
  for (std::uint64_t number = 1; number < 300; number += 3) {
    const auto row = must(world.store_.local().get(store::Family::kIndex, store::object_key(make_object(number).id)));
    REQUIRE(row);
    const auto at = must(store::Location::decode(*row));
    found[number % 20].push_back({Encoder().u32(at.frame_offset).u32(at.inner).str(), number});
  }
  std::string last_end;
  for (auto& [owner, places] : found) {
    std::sort(places.begin(), places.end());
    std::vector<std::uint64_t> order;
    for (const auto& [place, number] : places) order.push_back(number);
    CHECK(order == expected[owner]);
    CHECK(places.front().first > last_end);
    last_end = places.back().first;
  }
}

TEST_CASE("a pack's number is never given again, also when the pack is gone", "[store][contract]") {
  World world;
  std::set<std::uint64_t> given;
  const auto note = [&] {
    for (const auto& pack : world.store_.packs().sealed_packs()) {
      INFO("pack " << pack.number.value());
      CHECK(given.insert(pack.number.value()).second);
    }
  };
  for (int round = 0; round < 3; ++round) {
    const auto from = static_cast<std::uint64_t>(round) * 20;
    world.add_sealed(from, from + 20);
    note();
    // everything is taken away, as if nothing pointed to it
    std::vector<PackNumber> all;
    for (const auto& pack : world.store_.packs().sealed_packs()) all.push_back(pack.number);
    store::LocalBatch unnamed;
    for (std::uint64_t number = from; number < from + 20; ++number) {
      unnamed.erase(store::Family::kIndex, store::object_key(make_object(number).id));
    }
    must(world.store_.local().write(unnamed));
    must(world.store_.packs().remove(all));
    CHECK(world.files_in_packs() == 0);
    world.reopen();
    CHECK(world.store_.packs().sealed_packs().empty());
  }
}

TEST_CASE("a pack with a damaged object stays when it is rewritten", "[store][contract]") {
  World world;
  world.add_sealed(0, 100);
  world.add_sealed(100, 200);
  std::string victim;
  for (const auto& entry : boost::filesystem::recursive_directory_iterator(world.store_.directory() / "packs")) {
    if (boost::filesystem::is_regular_file(entry)) victim = entry.path().string();
  }
  REQUIRE(::chmod(victim.c_str(), 0600) == 0);
  const auto file = must(File::open(victim, O_RDWR));
  must(file.write_at(store::kPackHeaderSize + 200, "damage", {}));
  const auto result = world.repack();
  CHECK(result.damaged == 1);
  CHECK(result.packs_rewritten == 3);
  CHECK(boost::filesystem::exists(victim));
}

TEST_CASE("a rewrite that is stopped loses nothing, and the next one ends it", "[store][contract]") {
  World world;
  world.add_sealed(0, 300);
  world.add_sealed(300, 600);
  const std::atomic<bool> stop = true;
  CHECK(world.repack(&stop).stopped);
  CHECK(world.holds_all(0, 600));
  const auto result = world.repack();
  CHECK_FALSE(result.stopped);
  CHECK(result.packs_rewritten == 4);
  CHECK(world.holds_all(0, 600));
}

TEST_CASE("a pack that somebody still writes index rows for is left alone", "[store][contract]") {
  World world;
  const auto made = make_object(3);
  auto appended = must(world.store_.packs().append(store::PackKind::kData, {{made.id, made.bytes}}, 1));
  must(store::PackSet::sync(appended.pack));
  must(world.store_.packs().seal_opened_until(kEver));
  CHECK(world.repack().packs_seen == 0);
  store::LocalBatch row;
  row.put(store::Family::kIndex, store::object_key(made.id), appended.locations.front().encode());
  must(world.store_.local().write(row));
  appended.pack.reset();
  world.repack();
  CHECK(world.holds(made));
}

TEST_CASE("packs hold for nothing what the index names elsewhere, until they are rewritten", "[store][contract]") {
  World world;
  world.add_sealed(0, 300);
  CHECK(world.repack().packs_rewritten == 2);
  CHECK(world.repack().packs_rewritten == 0);
  store::LocalBatch unnamed;
  for (std::uint64_t number = 0; number < 290; ++number) unnamed.erase(store::Family::kIndex, store::object_key(make_object(number).id));
  must(world.store_.local().write(unnamed));
  const auto result = world.repack();
  CHECK(result.packs_rewritten == 2);
  CHECK(result.objects == 10);
  CHECK(world.holds_all(290, 300));
}

}  // namespace
}  // namespace pfs::test
