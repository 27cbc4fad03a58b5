#include <catch2/catch.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <string>

#include "base/file.h"
#include "support/mounted.h"

using namespace pfs;
using namespace pfs::test;

namespace {

constexpr int kMany = 12'000;

void make_many(const std::string& directory) {
  REQUIRE(::mkdir(directory.c_str(), 0755) == 0);
  for (int i = 0; i < kMany; ++i) {
    const UniqueFd file(::open((directory + "/entry" + std::to_string(i)).c_str(),
                               O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    REQUIRE(file);
  }
}

}  // namespace

TEST_CASE("a directory of 12,000 entries is listed whole, each name once", "[mount]") {
  Mounted mounted;
  mounted.make_branch("data@master");
  make_many(mounted / "data@master/many");
  DIR* directory = ::opendir((mounted / "data@master/many").c_str());
  REQUIRE(directory != nullptr);
  for (int pass = 0; pass < 2; ++pass) {
    std::set<std::string> names;
    int count = 0;
    while (const dirent* entry = ::readdir(directory)) {
      names.insert(entry->d_name);
      ++count;
    }
    CHECK(count == kMany + 2);
    CHECK(names.size() == kMany + 2);
    ::rewinddir(directory);
  }
  ::closedir(directory);
}

TEST_CASE("a directory that is emptied while it is listed loses no name", "[mount]") {
  Mounted mounted;
  mounted.make_branch("data@master");
  const std::string path = mounted / "data@master/many";
  make_many(path);
  DIR* directory = ::opendir(path.c_str());
  REQUIRE(directory != nullptr);
  int removed = 0;
  while (const dirent* entry = ::readdir(directory)) {
    if (entry->d_name[0] == '.') continue;
    REQUIRE(::unlinkat(::dirfd(directory), entry->d_name, 0) == 0);
    ++removed;
  }
  ::closedir(directory);
  CHECK(removed == kMany);
  CHECK(outcome(::rmdir(path.c_str())) == 0);
}

TEST_CASE("the root lists branches, and neither .pfs nor commits", "[mount]") {
  Mounted mounted;
  mounted.make_branch("data@master");
  put(mounted / "data@master/f", "x");
  put(mounted / "data@master/.pfs/commit", "first\n");
  DIR* directory = ::opendir(mounted.mount().c_str());
  REQUIRE(directory != nullptr);
  std::set<std::string> names;
  while (const dirent* entry = ::readdir(directory)) names.insert(entry->d_name);
  ::closedir(directory);
  CHECK(names == std::set<std::string>{".", "..", "data@master"});
  struct stat about {};
  CHECK(outcome(::stat((mounted / ".pfs/heads/data@master/f").c_str(), &about)) == 0);
  CHECK(outcome(::stat((mounted / "data@nowhere").c_str(), &about)) == ENOENT);
}
