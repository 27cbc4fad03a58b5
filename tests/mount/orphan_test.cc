#include <catch2/catch.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <thread>

#include "base/file.h"
#include "support/mounted.h"

using namespace pfs;
using namespace pfs::test;

namespace {

// data@master with `d/f` = "old", and data@staging with `d/f` = "newer" to move it to.
void make_two_branches(const Mounted& mounted) {
  for (const std::string branch : {"data@master", "data@staging"}) {
    mounted.make_branch(branch);
    REQUIRE(::mkdir((mounted / branch + "/d").c_str(), 0755) == 0);
    put(mounted / branch + "/d/f", branch == "data@master" ? "old" : "newer");
  }
}

void retarget(const Mounted& mounted) {
  REQUIRE(outcome(::symlink("data@staging", (mounted / "data@master/data@staging").c_str())) == 0);
}

UniqueFd open_at(int directory, const char* path, int flags) {
  return UniqueFd(::openat(directory, path, flags | O_CLOEXEC, 0644));
}

}  // namespace

TEST_CASE("an open file of the old tree is read to its end after HEAD has moved", "[mount]") {
  Mounted mounted;
  make_two_branches(mounted);
  const UniqueFd file(::open((mounted / "data@master/d/f").c_str(), O_RDONLY | O_CLOEXEC));
  void* mapped = ::mmap(nullptr, 3, PROT_READ, MAP_SHARED, file.get(), 0);
  REQUIRE(mapped != MAP_FAILED);
  retarget(mounted);

  char text[8] = {};
  CHECK(::pread(file.get(), text, sizeof text, 0) == 3);
  CHECK(std::string(text) == "old");
  CHECK(std::memcmp(mapped, "old", 3) == 0);
  // ESTALE for the moment in which the kernel still has the old name
  struct stat about {};
  while (outcome(::fstat(file.get(), &about)) == ESTALE) std::this_thread::yield();
  CHECK(about.st_size == 3);
  CHECK(contents(mounted / "data@master/d/f") == "newer");
  ::munmap(mapped, 3);
}

TEST_CASE("names below an old working directory are stale until it is entered again", "[mount]") {
  Mounted mounted;
  make_two_branches(mounted);
  const UniqueFd directory(
      ::open((mounted / "data@master/d").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  retarget(mounted);

  CHECK(outcome(open_at(directory.get(), "made", O_WRONLY | O_CREAT).get()) == ESTALE);
  CHECK(outcome(open_at(directory.get(), "f", O_RDONLY).get()) == ESTALE);
  CHECK(outcome(::mkdirat(directory.get(), "m", 0755)) == ESTALE);
  struct stat about {};
  CHECK(outcome(::stat((mounted / "data@master/d/made").c_str(), &about)) == ENOENT);
}

TEST_CASE("an old directory that is open can still be listed", "[mount]") {
  Mounted mounted;
  make_two_branches(mounted);
  put(mounted / "data@master/d/only-old", "x");
  const UniqueFd directory(
      ::open((mounted / "data@master/d").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  retarget(mounted);
  char buffer[4096];
  const ssize_t size = ::getdents64(directory.get(), buffer, sizeof buffer);
  REQUIRE(size > 0);
  CHECK(std::string(buffer, static_cast<std::size_t>(size)).find("only-old") != std::string::npos);
}

TEST_CASE("the top directory of a branch stays the same node when HEAD moves", "[mount]") {
  Mounted mounted;
  make_two_branches(mounted);
  const UniqueFd top(::open((mounted / "data@master").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat before {};
  struct stat after {};
  REQUIRE(::fstat(top.get(), &before) == 0);
  retarget(mounted);
  REQUIRE(::stat((mounted / "data@master").c_str(), &after) == 0);
  CHECK(before.st_ino == after.st_ino);
  // as a container sees it that has the branch bound
  CHECK(outcome(open_at(top.get(), "d/f", O_RDONLY).get()) == 0);
  struct stat through {};
  REQUIRE(::fstatat(top.get(), "d/f", &through, 0) == 0);
  CHECK(through.st_size == 5);
}

TEST_CASE("two files that differ never share an inode number", "[mount]") {
  Mounted mounted;
  make_two_branches(mounted);
  put(mounted / "data@master/.pfs/commit", "first\n");
  const auto number = [&](const std::string& path) {
    struct stat about {};
    REQUIRE(::stat((mounted / path).c_str(), &about) == 0);
    return about.st_ino;
  };
  const auto live = number("data@master/d/f");
  CHECK(live != number("data@staging/d/f"));
  CHECK(live != number("data@master/.pfs/HEAD/d/f"));
  REQUIRE(::rename((mounted / "data@master/d/f").c_str(), (mounted / "data@master/d/g").c_str()) ==
          0);
  CHECK(number("data@master/d/g") == live);
  put(mounted / "data@master/d/f", "another");
  CHECK(number("data@master/d/f") != live);
}
