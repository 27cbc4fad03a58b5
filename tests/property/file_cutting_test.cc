#include <catch2/catch.hpp>

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

  std::string read(const Content& content) {
    std::string bytes(content.size, '\0');
    auto got = contents_.read(content, 0, std::as_writable_bytes(std::span(bytes)));
    REQUIRE(got);
    REQUIRE(*got == bytes.size());
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
