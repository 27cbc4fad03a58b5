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

constexpr int kNames = 500;

std::string name_of(int i) { return "f" + std::to_string(i); }

// What `ln -s SOURCE MOUNT/BRANCH` does.
int retarget(const Mounted& mounted, const std::string& branch, const std::string& source) {
  return outcome(::symlink(source.c_str(), (mounted / branch + "/" + source).c_str()));
}

void fill(const std::string& directory, const std::string& text) {
  for (int i = 0; i < kNames; ++i) put(directory + "/" + name_of(i), text);
  REQUIRE(::mkdir((directory + "/sub").c_str(), 0755) == 0);
  put(directory + "/sub/both", text);
}

off_t size_of(const std::string& path) {
  struct stat about {};
  return ::stat(path.c_str(), &about) == 0 ? about.st_size : -1;
}

std::set<std::string> listed(const std::string& path) {
  std::set<std::string> names;
  DIR* directory = ::opendir(path.c_str());
  if (directory == nullptr) return names;
  while (const dirent* entry = ::readdir(directory)) names.insert(entry->d_name);
  ::closedir(directory);
  return names;
}

}  // namespace

TEST_CASE("after a retarget no cached name, attribute or listing shows the old tree", "[mount]") {
  Mounted mounted;
  mounted.make_branch("data@master");
  mounted.make_branch("data@staging");
  fill(mounted / "data@master", "old");
  put(mounted / "data@master/only-old", "x");
  fill(mounted / "data@staging", "newer");
  put(mounted / "data@staging/only-new", "x");
  put(mounted / "data@staging/sub/only-new", "x");

  // let the kernel cache all of it, the absence of names too
  for (int i = 0; i < kNames; ++i) REQUIRE(size_of(mounted / ("data@master/" + name_of(i))) == 3);
  REQUIRE(contents(mounted / "data@master/sub/both") == "old");
  REQUIRE(size_of(mounted / "data@master/only-new") == -1);
  REQUIRE(size_of(mounted / "data@master/sub/only-new") == -1);
  REQUIRE(listed(mounted / "data@master").count("only-old") == 1);

  REQUIRE(retarget(mounted, "data@master", "data@staging") == 0);

  int stale = 0;
  for (int i = 0; i < kNames; ++i) {
    const std::string path = mounted / ("data@master/" + name_of(i));
    if (size_of(path) != 5) ++stale;
    if (contents(path) != "newer") ++stale;
  }
  CHECK(stale == 0);
  CHECK(contents(mounted / "data@master/sub/both") == "newer");
  CHECK(size_of(mounted / "data@master/only-old") == -1);
  CHECK(size_of(mounted / "data@master/only-new") == 1);
  CHECK(size_of(mounted / "data@master/sub/only-new") == 1);
  CHECK(listed(mounted / "data@master").count("only-old") == 0);
  CHECK(listed(mounted / "data@master").count("only-new") == 1);
}

TEST_CASE("a retargeting link leaves no name behind and can be made again", "[mount]") {
  Mounted mounted;
  mounted.make_branch("data@master");
  mounted.make_branch("data@staging");
  put(mounted / "data@staging/f", "x");
  for (int i = 0; i < 3; ++i) CHECK(retarget(mounted, "data@master", "data@staging") == 0);
  CHECK(listed(mounted / "data@master") == std::set<std::string>{".", "..", "f"});
  CHECK(outcome(::unlink((mounted / "data@master/data@staging").c_str())) == ENOENT);
}

TEST_CASE("a release that is under way when HEAD moves is waited for", "[mount]") {
  Mounted mounted;
  mounted.make_branch("data@master");
  mounted.make_branch("data@staging");
  put(mounted / "data@staging/f", "x");
  int refused = 0;
  for (int i = 0; i < 50; ++i) {
    put(mounted / "data@master/f", std::to_string(i));
    if (retarget(mounted, "data@master", "data@staging") != 0) ++refused;
  }
  CHECK(refused == 0);
}

TEST_CASE("HEAD does not move while a file of the branch is being written", "[mount]") {
  Mounted mounted;
  mounted.make_branch("data@master");
  mounted.make_branch("data@staging");
  put(mounted / "data@staging/f", "x");
  const UniqueFd writer(
      ::open((mounted / "data@master/w").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  REQUIRE(::write(writer.get(), "w", 1) == 1);
  CHECK(retarget(mounted, "data@master", "data@staging") == EBUSY);
  CHECK(contents(mounted / "data@master/w") == "w");
}

TEST_CASE("a pointer below .pfs/heads moves HEAD when a link is renamed over it", "[mount]") {
  Mounted mounted;
  mounted.make_branch("data@master");
  mounted.make_branch("data@staging");
  put(mounted / "data@staging/f", "x");
  put(mounted / "data@staging/.pfs/commit", "first\n");
  const std::string heads = mounted / ".pfs/heads";
  REQUIRE(::symlink("../../data@staging", (heads + "/CuTmp").c_str()) == 0);
  CHECK(listed(heads) == std::set<std::string>{".", "..", "data@master", "data@staging"});
  REQUIRE(outcome(::rename((heads + "/CuTmp").c_str(), (heads + "/data@master").c_str())) == 0);
  CHECK(contents(mounted / "data@master/f") == "x");
  CHECK(contents(heads + "/data@master/f") == "x");
}
