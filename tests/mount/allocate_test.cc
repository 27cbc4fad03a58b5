#include <catch2/catch.hpp>

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/file.h"
#include "support/mounted.h"

using namespace pfs;
using namespace pfs::test;

namespace {

/// A file of 3 MB of x, open for writing, and what a plain string would be in its place.
class World {
 public:
  World() {
    mounted_.make_branch("data@master");
    put(path_, text_);
    file_ = UniqueFd(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
  }

  int allocate(int mode, off_t offset, off_t length) { return outcome(::fallocate(file_.get(), mode, offset, length)); }
  int file() const { return file_.get(); }
  std::string& text() { return text_; }
  void zero(std::size_t offset, std::size_t length) { text_.replace(offset, length, length, '\0'); }
  /// As it is, and as it is in the commit and after a kill.
  void check() {
    CHECK(contents(path_) == text_);
    put(mounted_ / "data@master/.pfs/commit", "allocated\n");
    CHECK(contents(mounted_ / "data@master/.pfs/HEAD/f") == text_);
    REQUIRE(mounted_.kill());
    mounted_.start();
    CHECK(contents(path_) == text_);
  }

 private:
  Mounted mounted_;
  const std::string path_ = mounted_ / "data@master/f";
  std::string text_ = std::string(3'000'000, 'x');
  UniqueFd file_;
};

}  // namespace

TEST_CASE("fallocate makes a file longer, and with KEEP_SIZE it does not", "[mount]") {
  World world;
  CHECK(world.allocate(FALLOC_FL_KEEP_SIZE, 0, 5'000'000) == 0);
  CHECK(world.allocate(0, 1'000'000, 1000) == 0);
  struct stat about {};
  REQUIRE(::fstat(world.file(), &about) == 0);
  CHECK(about.st_size == 3'000'000);
  CHECK(::posix_fallocate(world.file(), 2'999'999, 2001) == 0);
  world.text().resize(3'002'000);
  CHECK(world.allocate(0, 0, off_t{1} << 55) == ENOSPC);
  CHECK(world.allocate(FALLOC_FL_COLLAPSE_RANGE, 0, 4096) == EOPNOTSUPP);
  world.check();
}

TEST_CASE("a punched hole reads as zeros, through a mapping also, and behind the end nothing changes", "[mount]") {
  World world;
  auto* mapped = static_cast<char*>(::mmap(nullptr, 3'000'000, PROT_READ, MAP_SHARED, world.file(), 0));
  REQUIRE(mapped != MAP_FAILED);
  CHECK(mapped[1'500'000] == 'x');
  REQUIRE(world.allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 500, 2'000'000) == 0);
  world.zero(500, 2'000'000);
  CHECK(mapped[1'500'000] == '\0');
  CHECK(mapped[499] == 'x');
  REQUIRE(world.allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2'900'000, 9'000'000) == 0);
  world.zero(2'900'000, 100'000);
  ::munmap(mapped, 3'000'000);
  world.check();
}

TEST_CASE("a zeroed range reads as zeros and makes the file longer unless it is kept", "[mount]") {
  World world;
  REQUIRE(world.allocate(FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 2'000'000, 2'000'000) == 0);
  world.zero(2'000'000, 1'000'000);
  REQUIRE(world.allocate(FALLOC_FL_ZERO_RANGE, 10, 20) == 0);
  world.zero(10, 20);
  REQUIRE(world.allocate(FALLOC_FL_ZERO_RANGE, 2'999'000, 5000) == 0);
  world.text().resize(3'004'000);
  world.check();
}

TEST_CASE("a seek for data or a hole finds a file full of data that ends in a hole", "[mount]") {
  World world;
  CHECK(::lseek(world.file(), 100, SEEK_DATA) == 100);
  CHECK(::lseek(world.file(), 100, SEEK_HOLE) == 3'000'000);
  CHECK(outcome(::lseek(world.file(), 3'000'000, SEEK_DATA)) == ENXIO);
}
