#include <catch2/catch.hpp>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "base/file.h"
#include "support/mounted.h"

using namespace pfs;
using namespace pfs::test;

TEST_CASE("what close acknowledged is there after the daemon was killed", "[mount]") {
  Mounted mounted;
  mounted.make_branch("data@master");
  for (int i = 0; i < 100; ++i)
    put(mounted / ("data@master/f" + std::to_string(i)), std::to_string(i));
  REQUIRE(mounted.kill());
  struct statvfs about {};  // stat(2) may remember the root for a moment
  CHECK(outcome(::statvfs(mounted.mount().c_str(), &about)) !=
        0);         // ENOTCONN; ECONNABORTED in the middle of it
  mounted.start();  // takes the dead mount away
  for (int i = 0; i < 100; ++i)
    CHECK(contents(mounted / ("data@master/f" + std::to_string(i))) == std::to_string(i));
}

TEST_CASE("a daemon killed while the kernel holds a directory for it leaves the store's lock free",
          "[mount]") {
  // between the notifications for the helper and the answer to ln: the helper waits in the kernel
  // for the lock of the branch's directory, which the unanswered request holds
  Mounted mounted({"PFS_FAULT=fs.retarget.before_answer:kill"});
  mounted.make_branch("data@master");
  mounted.make_branch("data@staging");
  for (int i = 0; i < 1000; ++i) put(mounted / ("data@master/f" + std::to_string(i)), "x");
  put(mounted / "data@staging/f", "new");

  CHECK(outcome(::symlink("data@staging", (mounted / "data@master/data@staging").c_str())) != 0);
  REQUIRE(mounted.wait_for_end());
  mounted.start();
  // HEAD had moved before the answer was due
  CHECK(contents(mounted / "data@master/f") == "new");
  CHECK(mounted.stop());
}

TEST_CASE("a branch whose commit cannot be finished at the start keeps nobody from the others, and is tried again", "[mount]") {
  Mounted mounted({"PFS_FAULT=store.finish.published:kill:2"});
  mounted.make_branch("data@master");
  mounted.make_branch("other@master");
  put(mounted / "data@master/f", "data");
  put(mounted / "data@master/.pfs/commit", "\n");
  put(mounted / "other@master/f", "other");
  {
    const UniqueFd commit(::open((mounted / "other@master/.pfs/commit").c_str(), O_WRONLY | O_CLOEXEC));
    CHECK(::write(commit.get(), "\n", 1) != 1);
  }
  REQUIRE(mounted.wait_for_end());
  mounted.start({"PFS_FAULT=store.fold.before_branch_row:fail"});
  CHECK(contents(mounted / "data@master/f") == "data");
  CHECK(contents(mounted / "other@master/f") == "other");
  CHECK(mounted.log().find("what was being finished is tried again") != std::string::npos);
  put(mounted / "other@master/g", "more");
  put(mounted / "other@master/.pfs/commit", "\n");
  CHECK(contents(mounted / ".pfs/heads/other@master/g") == "more");
  CHECK(mounted.stop());
}

TEST_CASE("a second daemon on the same store is refused and harms nothing", "[mount]") {
  Mounted mounted;
  mounted.make_branch("data@master");
  TemporaryDirectory other;
  REQUIRE(::mkdir((other / "mnt").c_str(), 0755) == 0);
  const std::string command = std::string(PFS_PFSD) + " --store " + mounted.store() + " --mount " +
                              (other / "mnt") + " --socket " + (other / "s") + " 2>" +
                              (other / "err");
  CHECK(std::system(command.c_str()) != 0);
  CHECK(contents(other / "err").find(std::to_string(mounted.pid())) != std::string::npos);
  put(mounted / "data@master/f", "x");
  CHECK(contents(mounted / "data@master/f") == "x");
}
