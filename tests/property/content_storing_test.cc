// What happens to content between a file and a pack: hashed and compressed by several threads, stored once, in order, read
// ahead of whoever reads forward.
#include <catch2/catch.hpp>

#include <fcntl.h>

#include <atomic>
#include <random>
#include <thread>

#include <boost/filesystem.hpp>

#include "base/codec.h"
#include "store/chunk/chunker.h"
#include "store/chunk/sha256.h"
#include "store/tree/content_list.h"
#include "support/object_store.h"
#include "support/rounds.h"

namespace pfs::test {
namespace {

using namespace pfs::store;

std::string random_bytes(std::mt19937_64& random, std::size_t size) {
  std::string bytes(size, '\0');
  for (auto& c : bytes) c = static_cast<char>(random());
  return bytes;
}

Content put(ObjectWriter& writer, std::string_view bytes) {
  ContentBuilder builder(writer);
  while (!bytes.empty()) {
    const auto length = Chunker::cut(bytes);
    REQUIRE(builder.add_chunk(bytes.substr(0, length)));
    bytes.remove_prefix(length);
  }
  auto content = builder.finish();
  REQUIRE(content);
  return *content;
}

Content store(ObjectStore& store, std::string_view bytes) {
  ObjectWriter writer(store.objects());
  auto content = put(writer, bytes);
  REQUIRE(writer.flush());
  return content;
}

std::string read(const ContentReader& contents, const Content& content) {
  std::string bytes(content.size, '\0');
  const auto got = contents.read(content, 0, std::as_writable_bytes(std::span(bytes)));
  REQUIRE(got);
  REQUIRE(*got == bytes.size());
  return bytes;
}

std::uint64_t packed(const ObjectStore& store) {
  std::uint64_t sum = 0;
  for (const auto* name : {"packs", "open"}) {
    for (boost::filesystem::recursive_directory_iterator it(store.directory() / name), end; it != end; ++it) {
      if (boost::filesystem::is_regular_file(it->path())) sum += boost::filesystem::file_size(it->path());
    }
  }
  return sum;
}

std::size_t rows(ObjectStore& store, Family family) {
  std::size_t count = 0;
  REQUIRE(store.local().scan(family, "", "", [&](std::string_view, std::string_view) {
    ++count;
    return true;
  }));
  return count;
}

std::vector<Location> locations(ObjectStore& store, const ContentReader& contents, const Content& content) {
  std::vector<Location> found;
  REQUIRE(contents.runs(content, 0, [&](std::uint64_t, const ChunkRun& run) {
    const auto row = store.local().get(
        Family::kIndex, Encoder().u32(0).u8(static_cast<std::uint8_t>(ObjectKind::kChunk)).raw(run.digest.bytes()).str());
    REQUIRE(row);
    REQUIRE(row->has_value());
    auto location = Location::decode(**row);
    REQUIRE(location);
    found.push_back(*location);
    return true;
  }));
  return found;
}

TEST_CASE("a big file's chunks lie in its order, whatever thread made them ready", "[store][property]") {
  std::mt19937_64 random(1);
  ObjectStore world;
  const auto bytes = random_bytes(random, 40'000'000);
  const auto content = store(world, bytes);
  const ContentReader contents(world.objects());
  CHECK(read(contents, content) == bytes);
  const auto where = locations(world, contents, content);
  REQUIRE(where.size() > 100);
  const auto before = [](const Location& a, const Location& b) {
    return std::tie(a.pack, a.frame_offset, a.inner) < std::tie(b.pack, b.frame_offset, b.inner);
  };
  CHECK(std::is_sorted(where.begin(), where.end(), before));
  world.open_packs();
  const ContentReader again(world.objects());
  CHECK(read(again, content) == bytes);
}

TEST_CASE("the same bytes again store nothing, sealed packs or not", "[store][property]") {
  std::mt19937_64 random(2);
  ObjectStore world;
  const auto bytes = random_bytes(random, 80'000'000);  // more than one pack
  const auto content = store(world, bytes);
  const auto before = packed(world);
  const auto index = rows(world, Family::kIndex);
  CHECK(store(world, bytes) == content);
  CHECK(packed(world) == before);
  CHECK(rows(world, Family::kIndex) == index);
  world.open_packs();
  CHECK(store(world, bytes) == content);
  CHECK(store(world, bytes.substr(0, 30'000'000)).size == 30'000'000);
  CHECK(packed(world) < before + 300'000);
}

TEST_CASE("equal chunks on their way at the same time are stored once", "[store][property]") {
  std::mt19937_64 random(3);
  ObjectStore world;
  const auto piece = random_bytes(random, 3'000'000);
  ObjectWriter writer(world.objects());
  Content content;
  for (int i = 0; i < 8; ++i) content = put(writer, piece);
  REQUIRE(writer.flush());
  CHECK(packed(world) < 2 * piece.size());
  const ContentReader contents(world.objects());
  CHECK(read(contents, content) == piece);
}

TEST_CASE("big and small files of one commit are all there after it", "[store][property]") {
  const std::uint64_t seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  ObjectStore world;
  const ContentReader contents(world.objects());
  std::vector<std::pair<Content, std::string>> files;
  for (int commit = 0; commit < 4; ++commit) {
    ObjectWriter writer(world.objects());
    for (int i = 0; i < 30; ++i) {
      const auto most = random() % 4 == 0 ? 4'000'000U : 20'000U;
      auto bytes = random_bytes(random, random() % most);
      if (!files.empty() && random() % 3 == 0) bytes = files[random() % files.size()].second;
      const auto content = put(writer, bytes);
      files.emplace_back(content, std::move(bytes));
    }
    REQUIRE(writer.flush());
    // what follows a flush, as the commit itself does, is stored like few and small objects
    const auto hot = rows(world, Family::kHot);
    const std::string last = "commit " + std::to_string(commit);
    REQUIRE(writer.add({ObjectKind::kCommit, sha256(last)}, last));
    REQUIRE(writer.flush());
    CHECK(rows(world, Family::kHot) == hot + 1);
    for (const auto& [content, bytes] : files) REQUIRE(read(contents, content) == bytes);
  }
}

TEST_CASE("a failure of the pool's is told, and the next commit does not suffer from it", "[store][fault]") {
  std::mt19937_64 random(4);
  ObjectStore world;
  const auto bytes = random_bytes(random, 60'000'000);
  boost::filesystem::remove_all(world.directory() / "open");
  {
    ObjectWriter writer(world.objects());
    ContentBuilder builder(writer);
    Result<void> told;
    for (std::string_view rest = bytes; told && !rest.empty();) {
      const auto length = Chunker::cut(rest);
      told = builder.add_chunk(rest.substr(0, length));
      rest.remove_prefix(length);
    }
    const auto finished = builder.finish();
    const auto flushed = writer.flush();
    CHECK((!told || !finished || !flushed));
    CHECK_FALSE(flushed);
  }
  CHECK(rows(world, Family::kIndex) == 0);
  boost::filesystem::create_directories(world.directory() / "open");
  const auto content = store(world, bytes);
  const ContentReader contents(world.objects());
  CHECK(read(contents, content) == bytes);
}

TEST_CASE("a commit that is given up leaves nothing under way", "[store][fault]") {
  std::mt19937_64 random(5);
  ObjectStore world;
  const auto bytes = random_bytes(random, 20'000'000);
  for (int i = 0; i < 5; ++i) {
    ObjectWriter writer(world.objects());
    put(writer, bytes);
  }
  const auto content = store(world, bytes);
  const ContentReader contents(world.objects());
  CHECK(read(contents, content) == bytes);
}

TEST_CASE("a file of few small chunks is stored without another thread", "[store][property]") {
  ObjectStore world;
  const auto threads = [] {
    return std::distance(boost::filesystem::directory_iterator("/proc/self/task"), boost::filesystem::directory_iterator());
  };
  const auto before = threads();
  std::mt19937_64 random(6);
  const auto content = store(world, random_bytes(random, 200'000));
  CHECK(threads() == before);
  CHECK(content.size == 200'000);
  CHECK(packed(world) == 0);
}

TEST_CASE("readers that go forward, jump and go side by side read what is there", "[store][property]") {
  std::mt19937_64 random(7);
  ObjectStore world;
  std::string bytes = random_bytes(random, 12'000'000);
  bytes.append(5'000'000, '\0');  // a run of equal chunks
  bytes += random_bytes(random, 3'000'000);
  const auto content = store(world, bytes);
  const ContentReader contents(world.objects());
  std::atomic<int> wrong = 0;
  std::vector<std::thread> readers;
  for (unsigned number = 0; number < 6; ++number) {
    readers.emplace_back([&, number] {
      std::mt19937_64 mine(number);
      std::vector<std::byte> out;
      std::uint64_t at = number * 1'000'000;
      for (int i = 0; i < 400; ++i) {
        if (mine() % 40 == 0) at = mine() % bytes.size();
        if (number >= 3 && mine() % 4 == 0) at = at > 100'000 ? at - 100'000 : 0;
        out.resize(1 + mine() % 200'000);
        const auto got = contents.read(content, at, out);
        const auto expected = at < bytes.size() ? std::min<std::size_t>(out.size(), bytes.size() - at) : 0;
        if (!got || *got != expected || (expected > 0 && as_text(out).substr(0, expected) != std::string_view(bytes).substr(at, expected))) ++wrong;
        at = at >= bytes.size() ? 0 : at + out.size();
      }
    });
  }
  for (auto& reader : readers) reader.join();
  CHECK(wrong == 0);
}

TEST_CASE("damage is met by the read that reaches it and by none before", "[store][fault]") {
  std::mt19937_64 random(8);
  ObjectStore world;
  const auto bytes = random_bytes(random, 20'000'000);
  const auto content = store(world, bytes);
  const ContentReader contents(world.objects());
  const auto where = locations(world, contents, content);
  const auto& hit = where[where.size() / 2];
  boost::filesystem::path pack;
  for (const auto& file : boost::filesystem::directory_iterator(world.directory() / "open")) {
    if (std::stoull(file.path().stem().string(), nullptr, 16) == hit.pack.value()) pack = file.path();
  }
  REQUIRE_FALSE(pack.empty());
  auto file = File::open(pack.string(), O_RDWR);
  REQUIRE(file);
  REQUIRE(file->write_at(hit.frame_offset + hit.frame_length / 2, "damage", {}));
  std::uint64_t damaged_from = 0;
  std::size_t number = 0;
  REQUIRE(contents.runs(content, 0, [&](std::uint64_t begin, const ChunkRun&) {
    damaged_from = begin;
    return number++ < where.size() / 2;
  }));
  std::vector<std::byte> out(100'000);
  for (std::uint64_t at = 0; at < bytes.size(); at += out.size()) {
    const auto got = contents.read(content, at, out);
    if (at + out.size() <= damaged_from) {
      REQUIRE(got);
      REQUIRE(as_text(out) == std::string_view(bytes).substr(at, out.size()));
    } else {
      REQUIRE_FALSE(got);
      CHECK(got.error().code == Code::kCorrupt);
      break;
    }
  }
  CHECK(contents.read(content, bytes.size() - 50'000, out));
}

TEST_CASE("what somebody waits for goes before what can wait, and all is done at the end", "[store]") {
  std::vector<int> done;
  {
    WorkPool pool(1);
    std::atomic<bool> go = false;
    pool.submit(WorkPool::Turn::kLater, [&] {
      while (!go) std::this_thread::yield();
    });
    for (const int number : {1, 2}) pool.submit(WorkPool::Turn::kLater, [&done, number] { done.push_back(number); });
    for (const int number : {3, 4}) pool.submit(WorkPool::Turn::kSoon, [&done, number] { done.push_back(number); });
    go = true;
  }
  CHECK(done == std::vector<int>{3, 4, 1, 2});
}

// ---- lists made from parts of others

class Lists {
 public:
  std::vector<ChunkRun> some(std::size_t most) {
    std::vector<ChunkRun> runs;
    for (std::size_t count = random() % (most + 1); count > 0; --count) {
      ChunkRun run;
      // few different ones at times, so that neighbours are equal; beginnings that end a node, and many that do not
      const std::uint64_t value = random() % 5 == 0 ? random() % 3 : random();
      run.digest = sha256(std::to_string(value));
      run.length = 20'000U + run.digest.array()[9];
      run.repeat = 1 + (random() % 50 == 0 ? random() % 1000 : 0);
      runs.push_back(run);
    }
    return runs;
  }

  Content build(const std::vector<ChunkRun>& runs) {
    ObjectWriter writer(store.objects());
    ContentBuilder builder(writer);
    for (const auto& run : runs) REQUIRE(builder.add_run(run));
    auto content = builder.finish();
    REQUIRE(content);
    REQUIRE(writer.flush());
    return *content;
  }

  std::mt19937_64 random{std::random_device{}()};
  ObjectStore store;
};

// The runs of [from, to), which are beginnings of chunks.
std::vector<ChunkRun> part_of(const std::vector<ChunkRun>& runs, std::uint64_t from, std::uint64_t to) {
  std::vector<ChunkRun> part;
  std::uint64_t at = 0;
  for (const auto& run : runs) {
    const auto begin = std::clamp(from, at, at + run.bytes());
    const auto end = std::clamp(to, at, at + run.bytes());
    if (begin < end) part.push_back({run.digest, run.length, (end - begin) / run.length});
    at += run.bytes();
  }
  return part;
}

TEST_CASE("a list made from parts of another is the one made from its chunks", "[store][property]") {
  const int histories = rounds(12, 400);
  for (int history = 0; history < histories; ++history) {
    Lists lists;
    const auto seed = lists.random();
    INFO("seed " << seed);
    lists.random.seed(seed);
    auto runs = lists.some(history % 3 == 0 ? 30'000 : 2'000);
    runs.push_back({sha256("the last"), 77, 1});
    runs.push_back({sha256("and one more"), 78, 1});
    auto content = lists.build(runs);
    const ContentReader contents(lists.store.objects());
    for (int version = 0; version < 8; ++version) {
      // beginnings of chunks, in order: between two of them the old chunks stay, then some new ones come
      std::vector<std::uint64_t> edges{0};
      std::uint64_t at = 0;
      for (const auto& run : runs) {
        if (lists.random() % (runs.size() / 4 + 1) == 0) edges.push_back(at + lists.random() % run.repeat * run.length);
        at += run.bytes();
      }
      edges.push_back(at);
      ObjectWriter writer(lists.store.objects());
      ContentBuilder builder(writer);
      std::vector<ChunkRun> expected;
      for (std::size_t i = 0; i + 1 < edges.size(); ++i) {
        if (lists.random() % 4 != 0 || edges.size() == 2) {
          REQUIRE(builder.add_part(contents, content, edges[i], edges[i + 1]));
          const auto part = part_of(runs, edges[i], edges[i + 1]);
          expected.insert(expected.end(), part.begin(), part.end());
        }
        for (const auto& run : lists.some(4)) {
          REQUIRE(builder.add_run(run));
          expected.push_back(run);
        }
      }
      for (const auto* last : {"x", "y"}) {
        const ChunkRun run{sha256(last), 50, 1};
        REQUIRE(builder.add_run(run));
        expected.push_back(run);
      }
      auto made = builder.finish();
      REQUIRE(made);
      REQUIRE(writer.flush());
      REQUIRE(*made == lists.build(expected));
      content = *made;
      runs = expected;
    }
  }
}

TEST_CASE("an edit of a long list makes a path of it anew", "[store][property]") {
  Lists lists;
  lists.random.seed(11);
  std::vector<ChunkRun> runs;
  for (std::uint64_t i = 0; i < 60'000; ++i) runs.push_back({sha256(std::to_string(i)), 65'536, 1});
  const auto content = lists.build(runs);
  const auto lists_there = [&] { return rows(lists.store, Family::kHot) + rows(lists.store, Family::kIndex); };
  const ContentReader contents(lists.store.objects());
  for (const std::uint64_t place : {std::uint64_t{0}, std::uint64_t{31'234}, std::uint64_t{59'998}}) {
    const auto before = lists_there();
    ObjectWriter writer(lists.store.objects());
    ContentBuilder builder(writer);
    REQUIRE(builder.add_part(contents, content, 0, place * 65'536));
    REQUIRE(builder.add_run({sha256("changed"), 65'536, 1}));
    REQUIRE(builder.add_part(contents, content, (place + 1) * 65'536, content.size));
    auto made = builder.finish();
    REQUIRE(made);
    REQUIRE(writer.flush());
    CHECK(lists_there() - before <= 12);
    runs[place].digest = sha256("changed");
    CHECK(*made == lists.build(runs));
    runs[place].digest = sha256(std::to_string(place));
  }
}

}  // namespace
}  // namespace pfs::test
