#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <random>

#include <boost/filesystem.hpp>

#include "store/chunk/chunker.h"
#include "store/repo/file_state.h"
#include "support/object_store.h"
#include "support/rounds.h"

namespace pfs::test {
namespace {

using namespace pfs::store;

class Cutting {
 public:
  Cutting() : contents_(store_.objects()) {
    auto log = StagingLog::open({.directory = store_.directory() / "stage"});
    REQUIRE(log);
    log_ = std::move(*log);
  }

  void write(FileState& state, Epoch epoch, std::uint64_t offset, const std::string& bytes) {
    StagingRecord record;
    record.file = FileId(1);
    REQUIRE(log_->append(record, as_bytes(bytes)));
    state.put(epoch, offset, Extent{bytes.size(), record.at}, [](const StagedAt&, std::uint64_t) {});
  }

  Content finish(const FileState& state) {
    ObjectWriter writer(store_.objects());
    auto content = finish_file(state, *log_, contents_, writer);
    REQUIRE(content);
    REQUIRE(writer.flush());
    return *content;
  }

  Content afresh(const std::string& bytes) {
    FileState state;
    if (!bytes.empty()) write(state, Epoch(1), 0, bytes);
    return finish(state);
  }

  std::string read(const Content& content) { return read(content, 0, content.size); }
  std::string read(const Content& content, std::uint64_t offset, std::size_t length) {
    std::string bytes(length, '\0');
    auto got = contents_.read(content, offset, std::as_writable_bytes(std::span(bytes)));
    REQUIRE(got);
    REQUIRE(*got == bytes.size());
    return bytes;
  }
  std::size_t runs(const Content& content) {
    std::size_t count = 0;
    REQUIRE(contents_.runs(content, 0, [&](std::uint64_t, const ChunkRun&) { return ++count > 0; }));
    return count;
  }

  void add_spool(FileState& state, Epoch epoch) {
    auto spool = log_->spools().make();
    REQUIRE(spool);
    REQUIRE((*spool)->resize(state.size));
    state.add_spool(epoch, *spool);
  }
  /// Whole blocks, into the spool on top.
  void write_spooled(FileState& state, std::uint64_t offset, const std::string& bytes) {
    REQUIRE(state.layers.back().spool->write(offset, as_bytes(bytes)));
    state.clear(offset, offset + bytes.size(), [](const StagedAt&, std::uint64_t) {});
    state.size = std::max<std::uint64_t>(state.size, offset + bytes.size());
  }
  void resize(FileState& state, Epoch epoch, std::uint64_t size) {
    if (auto* spool = state.writable_spool(epoch)) REQUIRE(spool->resize(size));
    state.truncate(epoch, size, [](const StagedAt&, std::uint64_t) {});
  }
  /// What an open file shows, one piece after the other.
  std::string shown(const FileState& state) {
    std::string bytes(state.size, '?');
    for (std::uint64_t at = 0; at < state.size;) {
      const auto piece = state.piece_at(at);
      REQUIRE(piece.offset == at);
      REQUIRE(piece.length > 0);
      REQUIRE(piece.length <= state.size - at);
      REQUIRE(read_pieces({piece}, *log_, contents_, at, std::as_writable_bytes(std::span(bytes).subspan(at, piece.length))));
      at += piece.length;
    }
    return bytes;
  }

  StagingLog& log() { return *log_; }
  ContentReader& contents() { return contents_; }

 private:
  ObjectStore store_;
  ContentReader contents_;
  std::unique_ptr<StagingLog> log_;
};

TEST_CASE("a file that was edited is cut as one that was written whole", "[store][property]") {
  const std::uint64_t seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  const auto some = [&](std::uint64_t size) {
    std::string bytes(size, '\0');
    const bool zeros = random() % 4 == 0;
    if (!zeros) {
      for (auto& c : bytes) c = static_cast<char>(random());
    }
    return bytes;
  };
  for (int history = 0; history < rounds(8, 2000); ++history) {
    Cutting cutting;
    std::string expected = some(random() % 3'000'000);
    Content content = cutting.afresh(expected);
    std::uint64_t epoch = 1;
    for (int version = 0; version < 6; ++version) {
      FileState state;
      state.base = content;
      state.size = content.size;
      for (std::uint64_t edit = 0; edit < 1 + random() % 5; ++edit) {
        if (random() % 5 == 0) {
          const auto size = random() % (expected.size() + 300000);
          state.truncate(Epoch(epoch), size, [](const StagedAt&, std::uint64_t) {});
          expected.resize(size);
        } else {
          const auto bytes = some(1 + random() % (random() % 3 == 0 ? 500000 : 5000));
          const auto offset = random() % (expected.size() + 1 + (random() % 8 == 0 ? 200000 : 0));
          cutting.write(state, Epoch(epoch), offset, bytes);
          if (expected.size() < offset + bytes.size()) expected.resize(offset + bytes.size());
          expected.replace(offset, bytes.size(), bytes);
        }
        if (random() % 3 == 0) ++epoch;  // a seal: the next edit opens a layer above
      }
      std::string now(state.size, '\0');
      auto got = read_pieces(state.pieces_of(0, state.size), cutting.log(), cutting.contents(), 0,
                             std::as_writable_bytes(std::span(now)));
      REQUIRE(got);
      REQUIRE(now == expected);
      auto again = FileState::decode(state.encode());
      REQUIRE(again);
      content = cutting.finish(*again);
      REQUIRE(cutting.read(content) == expected);
      REQUIRE(content == cutting.afresh(expected));
    }
  }
}

TEST_CASE("a hole is cut as the zeros that it shows", "[store][property]") {
  const std::uint64_t seed = seed_of_run();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  constexpr std::uint64_t kFar = std::uint64_t{3} << 20U;
  for (int history = 0; history < rounds(4, 500); ++history) {
    Cutting cutting;
    std::string expected;
    Content content;
    for (std::uint64_t epoch = 1; epoch <= 3; ++epoch) {
      const std::string before = expected;
      FileState state;
      state.base = content;
      state.size = content.size;
      const bool spooled = random() % 2 == 0;
      if (spooled) cutting.add_spool(state, Epoch(epoch));
      const auto shows = [&](std::uint64_t offset, const std::string& bytes) {
        if (expected.size() < offset + bytes.size()) expected.resize(offset + bytes.size());
        expected.replace(offset, bytes.size(), bytes);
      };
      for (auto edits = 1 + random() % 4; edits > 0; --edits) {
        auto offset = random() % (expected.size() + 1 + (random() % 2 == 0 ? kFar : 0));
        const auto kind = random() % 4;
        if (kind == 0) {
          expected.resize(offset + 1);
          cutting.resize(state, Epoch(epoch), offset + 1);
        } else if (kind == 1 && !before.empty()) {
          const auto from = random() % before.size();
          const auto length = 1 + random() % std::min(before.size() - from, kFar);
          state.put(Epoch(epoch), offset, Extent{length, Slice{content, from}}, [](const StagedAt&, std::uint64_t) {});
          shows(offset, before.substr(from, length));
        } else {
          const bool to_spool = spooled && random() % 2 == 0 && state.writable_spool(Epoch(epoch)) != nullptr;
          const auto block = to_spool ? state.layers.back().spool->block() : 1;
          std::string bytes((1 + random() % 200'000 / block) * block, '\0');
          for (auto& c : bytes) c = static_cast<char>(random());
          offset = offset / block * block;
          to_spool ? cutting.write_spooled(state, offset, bytes) : cutting.write(state, Epoch(epoch), offset, bytes);
          shows(offset, bytes);
        }
      }
      REQUIRE((cutting.shown(state) == expected));
      content = cutting.finish(state);
      REQUIRE((cutting.read(content) == expected));
      REQUIRE(content == cutting.afresh(expected));
    }
  }
}

TEST_CASE("a file of the greatest size is few runs of chunks, whatever is done to it", "[store][property]") {
  constexpr std::uint64_t kGreatest = std::uint64_t{1} << 60U;
  std::mt19937_64 random(11);
  const auto some = [&](std::size_t size) {
    std::string bytes(size, '\0');
    for (auto& c : bytes) c = static_cast<char>(random());
    return bytes;
  };
  const auto zeros = [](std::size_t size) { return std::string(size, '\0'); };
  Cutting cutting;
  FileState state;
  const auto front = some(1024);
  const auto back = some(1024);
  cutting.write(state, Epoch(1), 0, front);
  cutting.write(state, Epoch(1), kGreatest - 1024, back);
  Content content = cutting.finish(state);
  const auto has = [&](std::uint64_t offset, const std::string& bytes) {
    return cutting.read(content, offset, bytes.size()) == bytes;
  };
  REQUIRE(content.size == kGreatest);
  CHECK(cutting.runs(content) < 10);
  CHECK(has(0, front + zeros(1000)));
  CHECK(has(kGreatest / 2 + 5, zeros(600'000)));
  CHECK(has(kGreatest - 2024, zeros(1000) + back));

  SECTION("bytes that are written into it shift all cuts behind them") {
    const auto bytes = some(100'000);
    FileState edited;
    edited.base = content;
    edited.size = content.size;
    cutting.write(edited, Epoch(2), 20'000, bytes);
    content = cutting.finish(edited);
    CHECK(cutting.runs(content) < 20);
    CHECK(has(0, front));
    CHECK(has(19'000, zeros(1000) + bytes + zeros(1000)));
    CHECK(has(kGreatest - 2024, zeros(1000) + back));
  }
  SECTION("it is copied to another place of a file") {
    FileState copy;
    const auto bytes = some(12'345);
    cutting.write(copy, Epoch(2), 0, bytes);
    copy.put(Epoch(2), bytes.size(), Extent{kGreatest - bytes.size(), Slice{content, 0}}, [](const StagedAt&, std::uint64_t) {});
    content = cutting.finish(copy);
    CHECK(cutting.runs(content) < 10);
    CHECK(has(0, bytes + front + zeros(1000)));
    CHECK(has(kGreatest - 300'000, zeros(300'000)));
  }
}

TEST_CASE("a chunk is between its least and its greatest size, the last one excepted", "[store][property]") {
  std::mt19937_64 random(7);
  std::string bytes(20'000'000, '\0');
  for (auto& c : bytes) c = static_cast<char>(random());
  std::string_view rest = bytes;
  std::size_t chunks = 0;
  while (!rest.empty()) {
    const auto length = Chunker::cut(rest);
    CHECK(length <= Chunker::kMax);
    if (length < rest.size()) CHECK(length > Chunker::kMin);
    rest.remove_prefix(length);
    ++chunks;
  }
  const auto average = bytes.size() / chunks;
  CHECK(average > Chunker::kTarget / 2);
  CHECK(average < Chunker::kTarget * 2);
}

}  // namespace
}  // namespace pfs::test
