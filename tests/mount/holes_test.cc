// What lseek(2) says of the holes in a file.
#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "support/mounted.h"

using namespace pfs;
using namespace pfs::test;

namespace {

constexpr off_t kMiB = off_t{1} << 20;

using Ranges = std::vector<std::pair<off_t, off_t>>;

/// The ranges of data, as a program that copies a sparse file finds them.
Ranges data_of(int file) {
  Ranges ranges;
  for (off_t at = 0; (at = ::lseek(file, at, SEEK_DATA)) >= 0;) {
    const off_t end = ::lseek(file, at, SEEK_HOLE);
    if (end <= at) FAIL("a hole at " << end << " where data begins at " << at);
    ranges.emplace_back(at, end);
    at = end;
  }
  CHECK(errno == ENXIO);
  return ranges;
}

Ranges data_of(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  REQUIRE(file);
  return data_of(file.get());
}

/// Each of `places` is in a range, and the ranges are not much more than those.
void check_ranges(const Ranges& ranges, const std::vector<off_t>& places) {
  off_t bytes = 0;
  for (const auto& [begin, end] : ranges) bytes += end - begin;
  CHECK(bytes < static_cast<off_t>(places.size()) * kMiB);
  for (const off_t place : places) {
    bool found = false;
    for (const auto& [begin, end] : ranges) found = found || (begin <= place && place < end);
    INFO("the byte at " << place);
    CHECK(found);
  }
}

}  // namespace

TEST_CASE("lseek finds the data in a sparse file that is open, that is finished and after a kill", "[mount]") {
  Mounted mounted;
  mounted.make_branch("data@master");
  const std::string path = mounted / "data@master/f";
  const std::vector<off_t> places{5 * kMiB + 17, 300 * kMiB, 3000 * kMiB};
  {
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
    for (const off_t place : places) REQUIRE(::pwrite(file.get(), "data", 4, place) == 4);
    REQUIRE(::ftruncate(file.get(), 4096 * kMiB) == 0);
    check_ranges(data_of(path), places);
  }
  SECTION("after a kill") {
    REQUIRE(mounted.kill());
    mounted.start();
    check_ranges(data_of(path), places);
  }
  SECTION("in the commit") {
    put(mounted / "data@master/.pfs/commit", "sparse\n");
    check_ranges(data_of(mounted / "data@master/.pfs/HEAD/f"), places);
    check_ranges(data_of(path), places);
    // and where the finished file is changed again
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    REQUIRE(::pwrite(file.get(), "more", 4, 2000 * kMiB) == 4);
    check_ranges(data_of(path), {5 * kMiB + 17, 300 * kMiB, 2000 * kMiB, 3000 * kMiB});
  }
}

TEST_CASE("a file without holes is data up to its end, and there is nothing behind it", "[mount]") {
  Mounted mounted;
  mounted.make_branch("data@master");
  const std::string path = mounted / "data@master/f";
  put(path, std::string(3'000'000, 'x'));
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  for (int round = 0; round < 2; ++round) {
    CHECK(data_of(file.get()) == Ranges{{0, 3'000'000}});
    CHECK(::lseek(file.get(), 1234, SEEK_DATA) == 1234);
    CHECK(::lseek(file.get(), 1234, SEEK_HOLE) == 3'000'000);
    CHECK(outcome(::lseek(file.get(), 3'000'000, SEEK_HOLE)) == ENXIO);
    put(mounted / "data@master/.pfs/commit", "dense\n");
  }
}

TEST_CASE("lseek finds what a shared mapping has put into a hole", "[mount]") {
  Mounted mounted;
  mounted.make_branch("data@master");
  const std::string path = mounted / "data@master/f";
  const UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  REQUIRE(::ftruncate(file.get(), 16 * kMiB) == 0);
  CHECK(data_of(file.get()).empty());
  void* mapped = ::mmap(nullptr, 16 * kMiB, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  REQUIRE(mapped != MAP_FAILED);
  static_cast<char*>(mapped)[9 * kMiB] = 'x';
  check_ranges(data_of(path), {9 * kMiB});
  CHECK(::munmap(mapped, 16 * kMiB) == 0);
}
