// Parts that are mounted by a FUSE session of their own: what they show, how they end, and what cannot be mounted.
#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"
#include "base/mounts.h"
#include "mount/part_world.h"

using namespace pfs;
using namespace pfs::test;

TEST_CASE("a file handle of a part leads to what is in it, and not above", "[mount][parts]") {
  if (::geteuid() != 0) return;  // what it does beside, umount(2) and the like, is root's
  const PartWorld world;
  REQUIRE(::mkdir((world.whole() + "/e").c_str(), 0755) == 0);
  put(world.whole() + "/e/f", "found");
  put(world.mounted / "data@master/above", "hidden");
  const UniqueFd top(::open(world.part().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const auto handle_of = [](const std::string& path) {
    std::vector<char> bytes(sizeof(file_handle) + MAX_HANDLE_SZ);
    auto* handle = reinterpret_cast<file_handle*>(bytes.data());
    handle->handle_bytes = MAX_HANDLE_SZ;
    int mount_id = 0;
    REQUIRE(::name_to_handle_at(AT_FDCWD, path.c_str(), handle, &mount_id, 0) == 0);
    return bytes;
  };
  const auto opened = [&top](std::vector<char>& handle, int flags) {
    return UniqueFd(::open_by_handle_at(top.get(), reinterpret_cast<file_handle*>(handle.data()), flags | O_CLOEXEC));
  };
  auto file = handle_of(world.part() + "/e/f");
  auto directory = handle_of(world.part() + "/e");
  auto above = handle_of(world.mounted / "data@master");
  {
    const UniqueFd caches(::open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC));  // they are looked up anew, where that is allowed
    if (caches) CHECK(::write(caches.get(), "2", 1) == 1);
  }
  char text[6] = {};
  const auto found = opened(file, O_RDONLY);
  REQUIRE(found);
  CHECK(::pread(found.get(), text, 5, 0) == 5);
  CHECK(std::string(text) == "found");
  const auto e = opened(directory, O_RDONLY | O_DIRECTORY);
  REQUIRE(e);
  struct stat part {};
  struct stat parent {};
  REQUIRE(::fstat(top.get(), &part) == 0);
  REQUIRE(::fstatat(e.get(), "..", &parent, 0) == 0);
  CHECK(part.st_ino == parent.st_ino);
  REQUIRE(::fstatat(e.get(), "../..", &parent, 0) == 0);  // the directory that it is mounted in
  CHECK(parent.st_dev != part.st_dev);
  CHECK_FALSE(opened(above, O_RDONLY | O_DIRECTORY));  // the other mount's
}

TEST_CASE("a commit is cached by a part as well, and can be mapped there", "[mount][parts]") {
  if (::geteuid() != 0) return;  // what it does beside, umount(2) and the like, is root's
  const PartWorld world;
  put(world.whole() + "/f", std::string(4096, 'c'));
  put(world.mounted / "data@master/.pfs/commit", "\n");
  char link[200] = {};
  REQUIRE(::readlink((world.mounted / ".pfs/heads/data@master").c_str(), link, sizeof link - 1) > 0);
  const std::string commit = std::string(link).substr(6);
  const std::string place = world.directory / "commit";
  REQUIRE(::mkdir(place.c_str(), 0755) == 0);
  REQUIRE(world.ask(commit + ":/d", place).empty());
  const UniqueFd file(::open((place + "/f").c_str(), O_RDONLY | O_CLOEXEC));
  auto* mapped = static_cast<char*>(::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, file.get(), 0));
  REQUIRE(mapped != MAP_FAILED);
  CHECK(mapped[4095] == 'c');
  ::munmap(mapped, 4096);
  CHECK(outcome(::open((place + "/g").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644)) == EROFS);
  ::umount2(place.c_str(), MNT_DETACH);
}

TEST_CASE("a part of a branch shows what the branch is moved to, by whichever mount", "[mount][parts]") {
  if (::geteuid() != 0) return;  // what it does beside, umount(2) and the like, is root's
  const PartWorld world;
  const std::string place = world.directory / "branch";
  REQUIRE(::mkdir(place.c_str(), 0755) == 0);
  REQUIRE(world.ask("data@master", place).empty());
  for (const char* name : {"one", "two"}) {
    world.mounted.make_branch(std::string("data@") + name);
    put(world.mounted / (std::string("data@") + name + "/f"), name);
    put(world.mounted / (std::string("data@") + name + "/.pfs/commit"), "\n");
  }
  for (int round = 0; round < 20; ++round) {
    const std::string name = round % 4 < 2 ? "one" : "two";
    const std::string by = round % 2 == 0 ? world.mounted / "data@master" : place;
    INFO("round " << round);
    REQUIRE(::symlink(("data@" + name).c_str(), (by + "/data@" + name).c_str()) == 0);
    CHECK(contents(place + "/f") == name);
    CHECK(comes([&] { return contents(world.mounted / "data@master/f") == name; }));
    CHECK(listed(place) == std::set<std::string>{"f"});
  }
  // what the other part showed is in no branch any more
  CHECK(error_of_stat(world.part() + "/f") == ESTALE);
  ::umount2(place.c_str(), MNT_DETACH);
}

TEST_CASE("whatever ends a part, what it had open is given back", "[mount][parts]") {
  if (::geteuid() != 0) return;  // what it does beside, umount(2) and the like, is root's
  const PartWorld world;
  CHECK(world.parts() == "data@master:/d " + world.part() + "\n");
  SECTION("umount") {
    put(world.part() + "/f", "kept");
    REQUIRE(::umount(world.part().c_str()) == 0);
    CHECK(comes([&] { return world.parts().empty(); }));
    CHECK(contents(world.whole() + "/f") == "kept");
  }
  SECTION("its connection is ended, with a file open for writing") {
    const UniqueFd file(::open((world.part() + "/f").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    REQUIRE(::write(file.get(), "kept", 4) == 4);
    const auto log = contents(world.mounted / "data@master/.pfs/commit");
    CHECK(log.find("f") != log.npos);
    ::umount2(world.part().c_str(), MNT_FORCE);  // EBUSY, as there is somebody inside; its connection has ended
    ::umount2(world.part().c_str(), MNT_DETACH);
    CHECK(comes([&] { return world.parts().empty(); }));
    // nobody writes it any more, so that the branch is quiet: an automatic commit has it
    CHECK(comes([&] { return error_of_stat(world.mounted / ".pfs/heads/data@master/d/f") == 0; }));
  }
  REQUIRE(world.ask("data@master:/d", world.part()).empty());
  CHECK(contents(world.part() + "/f") == "kept");
}

TEST_CASE("parts end with their daemon, and a dead one is mounted anew", "[mount][parts]") {
  if (::geteuid() != 0) return;  // what it does beside, umount(2) and the like, is root's
  PartWorld world;
  put(world.part() + "/f", "kept");
  SECTION("stopped") {
    REQUIRE(world.mounted.stop());
    CHECK(listed(world.part()).empty());  // the directory below it
  }
  SECTION("killed") {
    REQUIRE(world.mounted.kill());
    CHECK(error_of_stat(world.part() + "/f") == ENOTCONN);
  }
  world.mounted.start();
  REQUIRE(world.ask("data@master:/d", world.part()).empty());
  CHECK(contents(world.part() + "/f") == "kept");
}

TEST_CASE("what is mounted where is what the kernel says", "[mount][parts]") {
  if (::geteuid() != 0) return;  // what it does beside, umount(2) and the like, is root's
  const PartWorld world;
  const std::string moved = world.directory / "moved";
  SECTION("unmounted lazily, with a file open") {
    put(world.part() + "/f", "kept");
    const UniqueFd file(::open((world.part() + "/f").c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(::umount2(world.part().c_str(), MNT_DETACH) == 0);
    REQUIRE(world.ask("data@master", world.part()).empty());
    char text[5] = {};
    CHECK(::pread(file.get(), text, 4, 0) == 4);
    CHECK(contents(world.part() + "/d/f") == "kept");
  }
  SECTION("bound elsewhere") {
    REQUIRE(::mkdir(moved.c_str(), 0755) == 0);
    REQUIRE(::mount(world.part().c_str(), moved.c_str(), nullptr, MS_BIND, nullptr) == 0);
    put(moved + "/f", "kept");
    const UniqueFd file(::open((world.part() + "/f").c_str(), O_RDONLY | O_CLOEXEC));
    CHECK(world.ask("data@master", moved).find("is mounted there") != std::string::npos);
    char text[5] = {};
    CHECK(::pread(file.get(), text, 4, 0) == 4);
    ::umount2(moved.c_str(), MNT_DETACH);
  }
  SECTION("in a directory that was renamed since") {
    const std::string inner = world.directory / "a";
    REQUIRE(::mkdir(inner.c_str(), 0755) == 0);
    REQUIRE(::mkdir((inner + "/part").c_str(), 0755) == 0);
    REQUIRE(world.ask("data@master", inner + "/part").empty());
    REQUIRE(::rename(inner.c_str(), moved.c_str()) == 0);
    must(client::Mounts(*connected(world.mounted.socket())).remove(moved + "/part"));
    CHECK(listed(moved + "/part").empty());
  }
  SECTION("by way of a symlink") {
    const std::string place = world.directory / "place";
    REQUIRE(::mkdir(place.c_str(), 0755) == 0);
    REQUIRE(::symlink(place.c_str(), moved.c_str()) == 0);
    REQUIRE(world.ask("data@master", moved).empty());
    CHECK(listed(place) == std::set<std::string>{"d"});
    must(client::Mounts(*connected(world.mounted.socket())).remove(moved));
  }
}

TEST_CASE("what cannot be mounted is a line that says why", "[mount][parts]") {
  if (::geteuid() != 0) return;  // what it does beside, umount(2) and the like, is root's
  const PartWorld world;
  const std::string place = world.directory / "with blank";
  REQUIRE(::mkdir(place.c_str(), 0755) == 0);
  const auto refused = [&](const std::string& part, const std::string& directory, const std::string& words,
                           const std::vector<std::string>& options = {}) {
    INFO(part << " on " << directory);
    const auto said = world.ask(part, directory, options);
    INFO(said);
    CHECK(said.find(words) != said.npos);
    CHECK(said.find('\n') == said.npos);
  };
  refused("data@none", place, "no such branch");
  refused("data@master:/none", place, "data@master:/none: no such directory");
  refused("data@master^", place, "nothing has been committed yet");
  put(world.mounted / "data@master/file", "");
  refused("data@master:/file", place, "not a directory");
  refused("data@master", place, "shiny: no option", {"shiny"});
  refused("data@master", place, "suid: no option", {"ro", "suid"});
  refused("data@master", place, "user_id=0,x: no option", {"user_id=0,x"});
  refused("data@master", place, "x00,suid: no option", {std::string("ro\0,suid", 8)});
  refused("data@master", "relative", "from / on");
  refused("data@master", place + std::string("\0/x", 3), "from / on");
  refused("data@master", world.directory / "miss\ning", "no such directory");
  refused("data@master", world.part(), "data@master is mounted there");
  refused("data@master", world.whole(), "is in a mount of this store");
  refused("data@master", world.part() + "/none", "is in a mount of this store");
  refused("data@master", world.mounted.mount(), "is mounted there");
  put(place + "/in", "");
  refused("data@master", place, "not empty");
  REQUIRE(::unlink((place + "/in").c_str()) == 0);
  REQUIRE(world.ask("data@master", place, {"ro", "noexec"}).empty());
  CHECK(outcome(::open((place + "/f").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644)) == EROFS);
  ::umount2(place.c_str(), MNT_DETACH);
  REQUIRE(world.ask(".", place).empty());
  CHECK(contents(place + "/data@master/file").empty());
  ::umount2(place.c_str(), MNT_DETACH);
}
