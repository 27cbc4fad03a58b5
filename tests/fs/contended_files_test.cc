#include <catch2/catch.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "fs/contended_files.h"

using namespace pfs::fs;

namespace {

using Range = std::pair<std::uint64_t, std::uint64_t>;

std::vector<Range> all_of(const PageRanges& ranges) {
  std::vector<Range> all;
  ranges.each([&](std::uint64_t offset, std::uint64_t length) { all.emplace_back(offset, length); });
  return all;
}

/// What is dropped of file 7, at once but for what is held back.
struct Contended {
  std::vector<Range> changed() {
    dropped.clear();
    files.changed(file, 0, 0, drop);
    return dropped;
  }
  std::vector<Range> written(std::uint64_t at, std::uint64_t size) {
    dropped.clear();
    files.written(file, at, size, drop);
    return dropped;
  }
  static std::chrono::milliseconds time_of(const std::function<void()>& work) {
    const auto begun = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
  }
  const NodeId file{7};
  std::vector<Range> dropped;
  bool hold = false;
  std::vector<std::function<void()>> held;
  std::atomic<int> held_back = 0;
  const ContendedFiles::Drop drop = [this](std::uint64_t offset, std::uint64_t length, std::function<void()> gone) {
    dropped.emplace_back(offset, length);
    if (!hold) return gone();
    held.push_back(std::move(gone));
    ++held_back;
  };
  ContendedFiles files;
};

}  // namespace

TEST_CASE("ranges of pages are joined, found and taken out", "[fs]") {
  PageRanges ranges;
  ranges.add(5000, 10);
  CHECK(all_of(ranges) == std::vector<Range>{{4096, 4096}});
  ranges.add(8192, 1);
  ranges.add(20000, 10000);
  CHECK(all_of(ranges) == std::vector<Range>{{4096, 8192}, {16384, 16384}});
  CHECK(all_of(ranges.within(0, 4096)).empty());
  CHECK(all_of(ranges.within(12288, 4096)).empty());
  CHECK(all_of(ranges.within(0, 4097)) == std::vector<Range>{{4096, 4096}});
  CHECK(all_of(ranges.within(8192, 12288)) == std::vector<Range>{{8192, 4096}, {16384, 4096}});
  PageRanges others;
  others.add(8192, 12288);
  ranges.take_out(others);
  CHECK(all_of(ranges) == std::vector<Range>{{4096, 4096}, {20480, 12288}});
  others = PageRanges();
  others.add(24576, 4096);
  ranges.take_out(others);
  CHECK(all_of(ranges) == std::vector<Range>{{4096, 4096}, {20480, 4096}, {28672, 4096}});
  ranges.add(0, 40000);
  CHECK(all_of(ranges) == std::vector<Range>{{0, 40960}});
  PageRanges many;
  for (std::uint64_t page = 10; page < 5000; page += 2) many.add(page * 4096, 4096);
  CHECK(all_of(many).size() <= 256);
  for (std::uint64_t page = 10; page < 5000; page += 2) CHECK_FALSE(many.within(page * 4096, 1).empty());
  CHECK(many.within(0, 4096).empty());
}

TEST_CASE("a write to what was read since the pages were dropped has them dropped again", "[fs]") {
  Contended world;
  world.files.reading(world.file, 0, 100);
  CHECK(world.written(0, 100).empty());  // of no interest before the first drop
  CHECK(world.changed() == std::vector<Range>{{0, 0}});
  CHECK(world.written(0, 100).empty());
  world.files.reading(world.file, 4096, 8192);
  CHECK(world.written(0, 4096).empty());
  CHECK(world.written(5000, 10) == std::vector<Range>{{4096, 4096}});
  CHECK(world.written(5000, 10).empty());  // they are gone
  CHECK(world.written(0, 100'000) == std::vector<Range>{{8192, 4096}});
  world.files.reading(world.file, 0, 100);
  CHECK(world.changed() == std::vector<Range>{{0, 0}});
  CHECK(world.written(0, 100).empty());
  // a change of a range leaves the rest
  world.files.reading(world.file, 0, 20000);
  world.dropped.clear();
  world.files.changed(world.file, 4096, 1, world.drop);
  CHECK(world.dropped == std::vector<Range>{{4096, 1}});
  CHECK(world.written(4096, 1).empty());
  CHECK(world.written(0, 1) == std::vector<Range>{{0, 4096}});
}

TEST_CASE("what is read while pages are dropped is dropped again", "[fs]") {
  Contended world;
  int drops = 0;
  const auto drop_beside_reads = [&](int reads) {
    drops = 0;
    return [&, reads](std::uint64_t, std::uint64_t, const std::function<void()>& gone) {
      if (++drops <= reads) world.files.reading(world.file, 0, 1);
      gone();
    };
  };
  world.files.changed(world.file, 0, 0, drop_beside_reads(2));
  CHECK(drops == 3);
  CHECK(world.written(0, 1).empty());
  // but not for ever
  world.files.changed(world.file, 0, 0, drop_beside_reads(100));
  CHECK(drops == 4);
  CHECK(world.written(0, 1) == std::vector<Range>{{0, 4096}});
}

TEST_CASE("a write waits for a drop of what was read before it, and for a second at most", "[fs]") {
  Contended world;
  world.changed();
  world.files.reading(world.file, 0, 1);
  world.hold = true;
  std::thread other([&] { world.files.changed(world.file, 0, 0, world.drop); });
  while (world.held_back == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK(Contended::time_of([&] { world.files.written(world.file, 0, 1, world.drop); }) >= std::chrono::milliseconds(900));
  // it is over when that is
  std::thread ends([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    for (const auto& gone : world.held) gone();
  });
  CHECK(Contended::time_of([&] { world.files.written(world.file, 0, 1, world.drop); }) < std::chrono::milliseconds(900));
  ends.join();
  other.join();
}

TEST_CASE("a write waits a moment only where it may hold the page itself", "[fs]") {
  Contended world;
  world.changed();
  world.hold = true;
  std::thread other([&] { world.files.changed(world.file, 0, 0, world.drop); });
  while (world.held_back == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  world.files.reading(world.file, 0, 1);  // dropped by that, or not
  const auto waited = [&] { return Contended::time_of([&] { world.files.written(world.file, 0, 1, world.drop); }); };
  auto time = waited();
  CHECK(time >= std::chrono::milliseconds(40));
  CHECK(time < std::chrono::milliseconds(900));
  other.join();
  for (const auto& gone : world.held) gone();
  world.held.clear();
  CHECK(world.written(0, 1).empty());
  // what the kernel has dropped by itself may be so, too
  world.files.reading(world.file, 0, 1);
  world.files.dropped(world.file);
  time = waited();
  CHECK(time >= std::chrono::milliseconds(40));
  CHECK(time < std::chrono::milliseconds(900));
}
