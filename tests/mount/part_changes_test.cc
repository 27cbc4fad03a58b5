// Parts that are mounted by a FUSE session of their own: what is changed by one mount is what the next look at the other sees.
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

TEST_CASE("each change by one mount is what the next look by the other sees", "[mount][parts]") {
  if (::geteuid() != 0) return;  // what it does beside, umount(2) and the like, is root's
  const PartWorld world;
  for (int round = 0; round < 20; ++round) {
    const auto here = [&](const std::string& name) { return world.side(round) + "/" + name; };
    const auto there = [&](const std::string& name) { return world.side(round + 1) + "/" + name; };
    INFO("round " << round);
    CHECK(error_of_stat(there("f")) == ENOENT);  // the kernel may remember that
    put(here("f"), "one");
    CHECK(contents(there("f")) == "one");
    CHECK(listed(world.side(round + 1)) == std::set<std::string>{"f"});
    CHECK(about(there("f")).st_ino == about(here("f")).st_ino);

    const UniqueFd open_there(::open(there("f").c_str(), O_RDONLY | O_CLOEXEC));
    const auto read_there = [&] {
      char text[100] = {};
      const auto size = ::pread(open_there.get(), text, sizeof text, 0);
      return std::string(text, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    };
    CHECK(read_there() == "one");
    put(here("f"), "another");
    CHECK(read_there() == "another");
    CHECK(about(there("f")).st_size == 7);
    const UniqueFd file(::open(here("f").c_str(), O_RDWR | O_CLOEXEC));
    CHECK(::pwrite(file.get(), "A", 1, 0) == 1);
    CHECK(read_there() == "Another");
    CHECK(::ftruncate(file.get(), 4) == 0);
    CHECK(read_there() == "Anot");
    CHECK(::posix_fallocate(file.get(), 0, 6) == 0);
    CHECK(about(there("f")).st_size == 6);
    CHECK(::fallocate(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4) == 0);
    CHECK(read_there() == std::string(6, '\0'));
    put(here("source"), "by reference");
    const UniqueFd source(::open(here("source").c_str(), O_RDONLY | O_CLOEXEC));
    CHECK(::copy_file_range(source.get(), nullptr, file.get(), nullptr, 12, 0) == 12);
    CHECK(read_there() == "by reference");
    CHECK(::chmod(here("f").c_str(), 0600) == 0);
    CHECK((about(there("f")).st_mode & 0777U) == 0600);
    const auto ctime = about(there("f")).st_ctim;
    CHECK(::setxattr(here("f").c_str(), "user.a", "1", 1, 0) == 0);
    const auto later = about(there("f")).st_ctim;
    CHECK(std::memcmp(&ctime, &later, sizeof ctime) != 0);

    CHECK(about(there("f")).st_nlink == 1);
    CHECK(::link(here("f").c_str(), here("link").c_str()) == 0);
    CHECK(about(there("f")).st_nlink == 2);
    CHECK(contents(there("link")) == "by reference");
    CHECK(::unlink(here("link").c_str()) == 0);
    CHECK(error_of_stat(there("link")) == ENOENT);
    CHECK(about(there("f")).st_nlink == 1);

    CHECK(error_of_stat(there("new")) == ENOENT);
    CHECK(::rename(here("f").c_str(), here("new").c_str()) == 0);
    CHECK(error_of_stat(there("f")) == ENOENT);
    CHECK(contents(there("new")) == "by reference");
    put(here("f"), "the other");
    CHECK(contents(there("f")) == "the other");
    CHECK(::renameat2(AT_FDCWD, here("f").c_str(), AT_FDCWD, here("new").c_str(), RENAME_EXCHANGE) == 0);
    CHECK(contents(there("f")) == "by reference");
    CHECK(contents(there("new")) == "the other");
    CHECK(::rename(here("new").c_str(), here("f").c_str()) == 0);
    CHECK(contents(there("f")) == "the other");
    CHECK(read_there() == "by reference");  // what is open stays
    CHECK(::fstat(open_there.get(), std::make_unique<struct stat>().get()) == 0);

    CHECK(error_of_stat(there("e")) == ENOENT);
    CHECK(::mkdir(here("e").c_str(), 0755) == 0);
    put(here("e/in"), "x");
    CHECK(contents(there("e/in")) == "x");
    CHECK(::rename(here("e").c_str(), here("g").c_str()) == 0);
    CHECK(contents(there("g/in")) == "x");
    CHECK(error_of_stat(there("e/in")) == ENOENT);
    CHECK(::unlink(here("g/in").c_str()) == 0);
    CHECK(listed(there("g")).empty());
    CHECK(::rmdir(here("g").c_str()) == 0);
    CHECK(error_of_stat(there("g")) == ENOENT);
    CHECK(::symlink("f", here("s").c_str()) == 0);
    CHECK(contents(there("s")) == "the other");
    for (const char* name : {"f", "s", "source"}) CHECK(::unlink(here(name).c_str()) == 0);
    CHECK(listed(world.side(round + 1)).empty());
  }
}

namespace {

// Of the round that was over before the look, or of the next.
bool may_be_mode(mode_t mode, int round) {
  const auto of = [](int i) { return static_cast<mode_t>(0400 + i % 64); };
  return (mode & 0777U) == of(round) || (mode & 0777U) == of(round + 1);
}

}  // namespace

TEST_CASE("no look at one mount is older than what the other has answered before", "[mount][parts]") {
  if (::geteuid() != 0) return;  // what it does beside, umount(2) and the like, is root's
  const PartWorld world;
  constexpr int kRounds = 2000;
  for (int turn = 0; turn < 2; ++turn) {
    std::atomic<int> done = -1;
    std::atomic<int> stale = 0;
    const std::string here = world.side(turn);
    const std::string there = world.side(turn + 1);
    put(here + "/counter", "0000");
    put(here + "/mode", "");
    std::thread writer([&] {
      const UniqueFd file(::open((here + "/counter").c_str(), O_WRONLY | O_CLOEXEC));
      for (int i = 0; i < kRounds; ++i) {
        char text[16];
        std::snprintf(text, sizeof text, "%04d", i);
        if (::pwrite(file.get(), text, 4, 0) != 4) ++stale;
        const UniqueFd made(::open((here + "/n" + std::to_string(i)).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
        if (!made) ++stale;
        if (i > 1 && ::unlink((here + "/n" + std::to_string(i - 2)).c_str()) != 0) ++stale;
        if (::ftruncate(file.get(), 4 + i) != 0 || ::chmod((here + "/mode").c_str(), static_cast<mode_t>(0400 + i % 64)) != 0) ++stale;
        done = i;
      }
    });
    const UniqueFd open_there(::open((there + "/counter").c_str(), O_RDONLY | O_CLOEXEC));
    int looks = 0, read = 0, opened = 0, gone = 0, missing = 0, size = 0, mode = 0;
    while (done < kRounds - 1) {
      const int before = done;
      char text[5] = {};
      if (::pread(open_there.get(), text, 4, 0) != 4 || std::atoi(text) < before) ++read;
      if (std::stoi(contents(there + "/counter")) < before) ++opened;
      if (before > 1 && error_of_stat(there + "/n" + std::to_string(before - 2)) != ENOENT) ++gone;
      // the next round but one removes it
      if (before >= 0 && error_of_stat(there + "/n" + std::to_string(before)) != 0 && done == before) ++missing;
      struct stat now {};
      if (::stat((there + "/counter").c_str(), &now) != 0 || now.st_size < 4 + before) ++size;
      if (::stat((there + "/mode").c_str(), &now) != 0 || (done == before && before >= 0 && !may_be_mode(now.st_mode, before))) ++mode;
      looks += 6;
    }
    INFO("by " << here);
    CHECK(size == 0);
    CHECK(mode == 0);
    CHECK(read == 0);
    CHECK(opened == 0);
    CHECK(gone == 0);
    CHECK(missing == 0);
    writer.join();
    CHECK(stale == 0);
    CHECK(looks > 400);
    for (int i = kRounds - 2; i < kRounds; ++i) CHECK(::unlink((here + "/n" + std::to_string(i)).c_str()) == 0);
  }
}

TEST_CASE("writers of one page by both mounts do not wait for each other in vain, and lose nothing", "[mount][parts]") {
  if (::geteuid() != 0) return;  // what it does beside, umount(2) and the like, is root's
  const PartWorld world;
  put(world.whole() + "/f", std::string(4096, '.'));
  constexpr int kRounds = 500;
  std::atomic<int> failed = 0;
  const auto begun = std::chrono::steady_clock::now();
  std::vector<std::thread> writers;
  for (int which = 0; which < 4; ++which) {
    writers.emplace_back([&, which] {
      const UniqueFd file(::open((world.side(which) + "/f").c_str(), O_RDWR | O_CLOEXEC));
      for (int i = 0; i < kRounds; ++i) {
        const char mark = static_cast<char>('a' + i % 26);
        char back = 0;
        const auto written = ::pwrite(file.get(), &mark, 1, which);
        const auto read = ::pread(file.get(), &back, 1, which);
        if (written != 1 || read != 1 || back != mark) ++failed;
      }
    });
  }
  for (auto& writer : writers) writer.join();
  CHECK(failed == 0);
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(60));
  const char last = static_cast<char>('a' + (kRounds - 1) % 26);
  CHECK(contents(world.whole() + "/f") == std::string(4, last) + std::string(4092, '.'));
  CHECK(contents(world.part() + "/f") == contents(world.whole() + "/f"));
}

TEST_CASE("appended by both mounts is what each of them appended", "[mount][parts]") {
  if (::geteuid() != 0) return;  // what it does beside, umount(2) and the like, is root's
  const PartWorld world;
  put(world.whole() + "/f", "");
  std::atomic<int> failed = 0;
  std::vector<std::thread> writers;
  for (int which = 0; which < 2; ++which) {
    writers.emplace_back([&, which] {
      const UniqueFd file(::open((world.side(which) + "/f").c_str(), O_RDWR | O_APPEND | O_CLOEXEC));
      for (int i = 0; i < 500; ++i) {
        const std::string line = std::to_string(which) + "\n";
        char start[2] = {};
        if (::write(file.get(), line.data(), line.size()) != 2 || ::pread(file.get(), start, 2, 0) != 2) ++failed;
      }
    });
  }
  for (auto& writer : writers) writer.join();
  CHECK(failed == 0);
  const auto text = contents(world.part() + "/f");
  CHECK(text == contents(world.whole() + "/f"));
  CHECK(text.size() == 2000);
  CHECK(std::count(text.begin(), text.end(), '0') == 500);
}

TEST_CASE("a file that a part has cut is short for who has it open at the whole", "[mount][parts]") {
  if (::geteuid() != 0) return;  // what it does beside, umount(2) and the like, is root's
  const PartWorld world;
  put(world.whole() + "/f", std::string(1 << 20, 'x'));
  const UniqueFd file(::open((world.whole() + "/f").c_str(), O_RDWR | O_CLOEXEC));
  std::string bytes(1 << 20, '\0');
  REQUIRE(::pread(file.get(), bytes.data(), bytes.size(), 0) == 1 << 20);
  REQUIRE(::truncate((world.part() + "/f").c_str(), 10) == 0);
  CHECK(::pread(file.get(), bytes.data(), 4096, 0) == 10);
  REQUIRE(::truncate((world.part() + "/f").c_str(), 8192) == 0);
  CHECK(::pread(file.get(), bytes.data(), 4096, 0) == 4096);
  CHECK(bytes.substr(0, 12) == "xxxxxxxxxx" + std::string(2, '\0'));
}

TEST_CASE("what a shared mapping of the whole has changed is not lost by a write by the part", "[mount][parts]") {
  if (::geteuid() != 0) return;  // what it does beside, umount(2) and the like, is root's
  const PartWorld world;
  put(world.whole() + "/f", std::string(4096, '.'));
  const UniqueFd file(::open((world.whole() + "/f").c_str(), O_RDWR | O_CLOEXEC));
  auto* mapped = static_cast<char*>(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0));
  REQUIRE(mapped != MAP_FAILED);
  for (int i = 0; i < 20; ++i) {
    mapped[i] = 'm';
    const UniqueFd there(::open((world.part() + "/f").c_str(), O_WRONLY | O_CLOEXEC));
    CHECK(::pwrite(there.get(), "w", 1, 100 + i) == 1);
    CHECK(mapped[100 + i] == 'w');
    CHECK(mapped[i] == 'm');
  }
  CHECK(contents(world.part() + "/f").substr(0, 21) == std::string(20, 'm') + ".");
  ::munmap(mapped, 4096);
  // and there is none of a part, whose pages nobody would drop
  const UniqueFd there(::open((world.part() + "/f").c_str(), O_RDWR | O_CLOEXEC));
  CHECK(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, there.get(), 0) == MAP_FAILED);
  CHECK(errno == ENODEV);
}

TEST_CASE("a shared mapping of the whole and a part write one page, and neither loses what it wrote", "[mount][parts]") {
  if (::geteuid() != 0) return;  // what it does beside, umount(2) and the like, is root's
  const PartWorld world;
  put(world.whole() + "/f", std::string(4096, '.'));
  const UniqueFd file(::open((world.whole() + "/f").c_str(), O_RDWR | O_CLOEXEC));
  auto* mapped = static_cast<char*>(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0));
  REQUIRE(mapped != MAP_FAILED);
  constexpr int kRounds = 300;
  int lost_by_mapping = 0;
  std::atomic<int> lost_by_part = 0;
  std::thread part([&] {
    const UniqueFd there(::open((world.part() + "/f").c_str(), O_RDWR | O_CLOEXEC));
    for (int i = 0; i < kRounds; ++i) {
      const char mark = static_cast<char>('a' + i % 26);
      char back = 0;
      if (::pwrite(there.get(), &mark, 1, 2000 + i) != 1 || ::pread(there.get(), &back, 1, 2000 + i) != 1 || back != mark) ++lost_by_part;
    }
  });
  for (int i = 0; i < kRounds; ++i) {
    auto* at = const_cast<volatile char*>(mapped) + i;
    *at = static_cast<char>('A' + i % 26);
    if (*at != 'A' + i % 26) ++lost_by_mapping;
    if (i % 10 == 0) ::msync(mapped, 4096, MS_SYNC);
  }
  part.join();
  REQUIRE(::msync(mapped, 4096, MS_SYNC) == 0);
  CHECK(lost_by_mapping == 0);
  CHECK(lost_by_part == 0);
  std::string expected(4096, '.');
  for (int i = 0; i < kRounds; ++i) {
    expected[static_cast<std::size_t>(i)] = static_cast<char>('A' + i % 26);
    expected[static_cast<std::size_t>(2000 + i)] = static_cast<char>('a' + i % 26);
  }
  CHECK(std::string(mapped, 4096) == expected);
  CHECK(contents(world.part() + "/f") == expected);
  ::munmap(mapped, 4096);
}
