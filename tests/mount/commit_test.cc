#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include <boost/filesystem.hpp>

#include "base/file.h"
#include "support/mounted.h"

using namespace pfs;
using namespace pfs::test;

TEST_CASE("a line written into .pfs/commit is a durable commit when the write returns", "[mount]") {
  Mounted mounted;
  mounted.make_branch("data@master");
  put(mounted / "data@master/f", "x");
  put(mounted / "data@master/.pfs/commit", "a message\n");
  CHECK(contents(mounted / "data@master/.pfs/HEAD/f") == "x");
  REQUIRE(mounted.kill());
  mounted.start();
  CHECK(contents(mounted / "data@master/.pfs/HEAD/f") == "x");
}

TEST_CASE("a commit that is asked for holds what lies in shared mappings", "[mount]") {
  Mounted mounted;
  mounted.make_branch("data@master");
  const std::string path = mounted / "data@master/f";
  put(path, std::string(4096, 'x'));
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  auto* mapped =
      static_cast<char*>(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0));
  REQUIRE(mapped != MAP_FAILED);
  file.reset();  // the mapping outlives the descriptor, and no flush will come
  std::memcpy(mapped, "mapped", 6);
  put(mounted / "data@master/.pfs/commit", "with mappings\n");
  CHECK(contents(mounted / "data@master/.pfs/HEAD/f").substr(0, 6) == "mapped");
  ::munmap(mapped, 4096);
}

TEST_CASE("a commit that leaves a branch without files is told in the log, with the way back", "[mount]") {
  Mounted mounted;
  mounted.make_branch("data@master");
  put(mounted / "data@master/f", "x");
  put(mounted / "data@master/.pfs/commit", "now\n");
  CHECK(mounted.log().find("were removed") == std::string::npos);
  REQUIRE(::unlink((mounted / "data@master/f").c_str()) == 0);
  put(mounted / "data@master/.pfs/commit", "now\n");
  const std::string log = mounted.log();
  INFO(log);
  const std::string told = "branch data@master: all of its 1 files were removed and that is committed; they are in its commit ";
  const auto at = log.find(told);
  REQUIRE(at != std::string::npos);
  const std::string before = "data@" + log.substr(at + told.size(), 32);
  REQUIRE(::symlink(before.c_str(), (mounted / "data@master/" + before).c_str()) == 0);  // as ln does with a directory
  CHECK(contents(mounted / "data@master/f") == "x");
}

TEST_CASE("a branch that is removed with its files is told in the log, with the way back", "[mount]") {
  Mounted mounted;
  mounted.make_branch("data@master");
  put(mounted / "data@master/f", "x");
  put(mounted / "data@master/.pfs/commit", "now\n");
  boost::filesystem::remove_all(mounted / "data@master");  // as rm -r does
  const std::string log = mounted.log();
  INFO(log);
  const std::string told = "branch data@master: deleted, after all of its 1 files were removed; they are in its commit ";
  const auto at = log.find(told);
  REQUIRE(at != std::string::npos);
  const std::string before = log.substr(at + told.size(), 32);
  CHECK(log.find("`pfs create branch data@master --head " + before + "` brings them back") != std::string::npos);
  CHECK(contents(mounted / ("data@" + before + "/f")) == "x");
}

TEST_CASE("a write into .pfs/commit reports its refusal at the write", "[mount]") {
  if (::geteuid() != 0) return;
  Mounted mounted;
  mounted.make_branch("data@master");
  REQUIRE(::chmod((mounted / "data@master").c_str(), 0755) == 0);
  const UniqueFd file(::open((mounted / "data@master/.pfs/commit").c_str(), O_WRONLY | O_CLOEXEC));
  REQUIRE(file);
  CHECK(outcome(::write(file.get(), std::string(65537, 'x').data(), 65537)) == EFBIG);
}

TEST_CASE("the object and the commit of a file are told by name only", "[mount]") {
  Mounted mounted;
  mounted.make_branch("data@master");
  const std::string path = mounted / "data@master/f";
  put(path, "x");
  char value[128];
  CHECK(outcome(::getxattr(path.c_str(), "user.pfs.object", value, sizeof value)) == ENODATA);
  put(mounted / "data@master/.pfs/commit", "first\n");
  CHECK(::getxattr(path.c_str(), "user.pfs.object", value, sizeof value) == 64);
  const ssize_t size = ::getxattr(path.c_str(), "user.pfs.commit", value, sizeof value);
  REQUIRE(size == 32);
  const std::string commit(value, 32);
  put(mounted / "data@master/g", "y");
  put(mounted / "data@master/.pfs/commit", "second\n");
  REQUIRE(::getxattr(path.c_str(), "user.pfs.commit", value, sizeof value) == 32);
  CHECK(std::string(value, 32) == commit);
  CHECK(::listxattr(path.c_str(), value, sizeof value) == 0);
}

TEST_CASE("a stopped daemon has finished what was open", "[mount]") {
  Mounted mounted;
  mounted.make_branch("data@master");
  put(mounted / "data@master/f", "x");
  REQUIRE(mounted.stop());
  mounted.start();
  CHECK(contents(mounted / "data@master/.pfs/HEAD/f") == "x");
}
