#include <catch2/catch.hpp>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/file.h"
#include "support/mounted.h"

using namespace pfs;
using namespace pfs::test;

namespace {

UniqueFd open_file(const std::string& path, int flags) {
  return UniqueFd(::open(path.c_str(), flags | O_CLOEXEC, 0644));
}

}  // namespace

TEST_CASE("a file that is unlinked while it is open is written and read on", "[mount]") {
  Mounted mounted;
  mounted.make_branch("data@master");
  const std::string path = mounted / "data@master/f";
  const UniqueFd file = open_file(path, O_RDWR | O_CREAT);
  REQUIRE(::write(file.get(), "before", 6) == 6);
  REQUIRE(::unlink(path.c_str()) == 0);
  CHECK(::pwrite(file.get(), " after", 6, 6) == 6);
  char text[16] = {};
  CHECK(::pread(file.get(), text, sizeof text, 0) == 12);
  CHECK(std::string(text) == "before after");
  struct stat about {};
  CHECK(outcome(::stat(path.c_str(), &about)) == ENOENT);
  put(path, "another");
  CHECK(::pread(file.get(), text, 6, 0) == 6);
  CHECK(std::string(text, 6) == "before");
}

TEST_CASE("two writers that append lose no line", "[mount]") {
  Mounted mounted;
  mounted.make_branch("data@master");
  const std::string path = mounted / "data@master/log";
  put(path, "");
  constexpr int kLines = 500;
  std::vector<std::thread> writers;
  for (const char letter : {'a', 'b'}) {
    writers.emplace_back([&path, letter] {
      const UniqueFd file = open_file(path, O_WRONLY | O_APPEND);
      const std::string line = std::string(20, letter) + "\n";
      for (int i = 0; i < kLines; ++i) {
        if (::write(file.get(), line.data(), line.size()) < 0) return;
      }
    });
  }
  for (auto& writer : writers) writer.join();
  const std::string text = contents(path);
  CHECK(text.size() == 2 * kLines * 21);
  int whole = 0;
  for (std::size_t at = 0; at < text.size(); at += 21) {
    const std::string line = text.substr(at, 21);
    if (line == std::string(20, 'a') + "\n" || line == std::string(20, 'b') + "\n") ++whole;
  }
  CHECK(whole == 2 * kLines);
}

TEST_CASE("two writers of one file see each other's bytes at once", "[mount]") {
  Mounted mounted;
  mounted.make_branch("data@master");
  const std::string path = mounted / "data@master/f";
  UniqueFd writer = open_file(path, O_RDWR | O_CREAT);
  UniqueFd reader = open_file(path, O_RDWR);
  for (int i = 0; i < 50; ++i) {
    const std::string text = std::to_string(1000 + i);
    const off_t at = i * 4096 + 10;
    REQUIRE(::pwrite(writer.get(), text.data(), 4, at) == 4);
    char seen[5] = {};
    REQUIRE(::pread(reader.get(), seen, 4, at) == 4);
    REQUIRE(seen == text);
    std::swap(writer, reader);
  }
}

TEST_CASE("what is stored through a shared mapping is read by others", "[mount]") {
  Mounted mounted;
  mounted.make_branch("data@master");
  const std::string path = mounted / "data@master/f";
  put(path, std::string(3 * 4096, 'x'));
  const UniqueFd file = open_file(path, O_RDWR);
  auto* mapped = static_cast<char*>(
      ::mmap(nullptr, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0));
  REQUIRE(mapped != MAP_FAILED);
  std::memcpy(mapped + 5000, "mapped", 6);
  REQUIRE(::msync(mapped, 3 * 4096, MS_SYNC) == 0);
  CHECK(contents(path).substr(5000, 6) == "mapped");
  ::munmap(mapped, 3 * 4096);
}

TEST_CASE("a copy between branches by copy_file_range is whole", "[mount]") {
  Mounted mounted;
  mounted.make_branch("data@master");
  mounted.make_branch("data@staging");
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += std::to_string(i);
  put(mounted / "data@staging/f", text);
  const UniqueFd from = open_file(mounted / "data@staging/f", O_RDONLY);
  const UniqueFd to = open_file(mounted / "data@master/f", O_WRONLY | O_CREAT);
  std::size_t copied = 0;
  while (copied < text.size()) {
    const ssize_t got =
        ::copy_file_range(from.get(), nullptr, to.get(), nullptr, text.size() - copied, 0);
    REQUIRE(got > 0);
    copied += static_cast<std::size_t>(got);
  }
  CHECK(contents(mounted / "data@master/f") == text);
}

TEST_CASE("a directory moves between branches with what is open below it", "[mount]") {
  Mounted mounted;
  mounted.make_branch("data@master");
  mounted.make_branch("data@staging");
  REQUIRE(::mkdir((mounted / "data@staging/d").c_str(), 0755) == 0);
  const UniqueFd file = open_file(mounted / "data@staging/d/f", O_WRONLY | O_CREAT);
  REQUIRE(::write(file.get(), "one ", 4) == 4);
  REQUIRE(outcome(::rename((mounted / "data@staging/d").c_str(),
                           (mounted / "data@master/d").c_str())) == 0);
  REQUIRE(::write(file.get(), "two", 3) == 3);
  CHECK(contents(mounted / "data@master/d/f") == "one two");
  CHECK(outcome(::access((mounted / "data@staging/d").c_str(), F_OK)) == ENOENT);
}

TEST_CASE("a branch is never renamed or moved by mistake", "[mount]") {
  Mounted mounted;
  mounted.make_branch("data@master");
  mounted.make_branch("data@dev");
  const auto rename_to = [&](const std::string& to) {
    return outcome(::rename((mounted / "data@dev").c_str(), (mounted / to).c_str()));
  };
  CHECK(rename_to("data@master/data") == EPERM);
  CHECK(rename_to("other@dev") == EPERM);
  CHECK(outcome(::mkdir((mounted / "plain").c_str(), 0755)) == EINVAL);
  CHECK(outcome(open_file(mounted / "file", O_WRONLY | O_CREAT).get()) == EINVAL);
}

TEST_CASE("a write by somebody else takes the set-id bits away", "[mount]") {
  if (::geteuid() != 0) return;  // only root can become somebody else
  Mounted mounted;
  mounted.make_branch("data@master");
  const std::string path = mounted / "data@master/f";
  put(path, "x");
  const auto mode = [&] {
    struct stat about {};
    REQUIRE(::stat(path.c_str(), &about) == 0);
    return about.st_mode & 07777U;
  };
  REQUIRE(::chmod(path.c_str(), 06777) == 0);
  put(path, "by root");
  CHECK(mode() == 06777);
  std::thread other([&] {
    const UniqueFd file = open_file(path, O_WRONLY);
    // of this thread alone: the C library would change every thread
    if (::syscall(SYS_setresuid, -1, 65534, -1) == 0 && ::write(file.get(), "y", 1) != 1) return;
  });
  other.join();
  CHECK(mode() == 00777);

  // whatever way the bytes come
  put(mounted / "data@master/source", "z");
  for (const bool copied : {true, false}) {
    REQUIRE(::chmod(path.c_str(), 06777) == 0);
    std::thread another([&] {
      const UniqueFd source = open_file(mounted / "data@master/source", O_RDONLY);
      const UniqueFd file = open_file(path, O_WRONLY);
      if (::syscall(SYS_setresuid, -1, 65534, -1) != 0) return;
      if (copied) {
        if (::copy_file_range(source.get(), nullptr, file.get(), nullptr, 1, 0) != 1) return;
      } else if (::fallocate(file.get(), 0, 0, 100) != 0) {
        return;
      }
    });
    another.join();
    INFO((copied ? "copied" : "allocated"));
    CHECK(mode() == 00777);
  }
}

TEST_CASE("a name that is too long is told to be", "[mount]") {
  Mounted mounted;
  mounted.make_branch("data@master");
  struct stat about {};
  const std::string name = mounted / ("data@master/" + std::string(256, 'n'));
  CHECK(outcome(::stat(name.c_str(), &about)) == ENAMETOOLONG);
  CHECK(outcome(::unlink(name.c_str())) == ENAMETOOLONG);
  CHECK(outcome(::mkdir(name.c_str(), 0777)) == ENAMETOOLONG);
  CHECK(outcome(::stat((mounted / ("data@master/" + std::string(255, 'n'))).c_str(), &about)) == ENOENT);
}

TEST_CASE("a finished commit is read-only whoever asks", "[mount]") {
  Mounted mounted;
  mounted.make_branch("data@master");
  put(mounted / "data@master/f", "x");
  put(mounted / "data@master/.pfs/commit", "first\n");
  const std::string commit = mounted / "data@master/.pfs/HEAD";
  CHECK(outcome(open_file(commit + "/f", O_WRONLY).get()) == EROFS);
  CHECK(outcome(open_file(commit + "/new", O_WRONLY | O_CREAT).get()) == EROFS);
  CHECK(outcome(::unlink((commit + "/f").c_str())) == EROFS);
  CHECK(outcome(::truncate((commit + "/f").c_str(), 0)) == EROFS);
  CHECK(outcome(::setxattr((commit + "/f").c_str(), "user.a", "b", 1, 0)) == EROFS);
  CHECK(contents(commit + "/f") == "x");
}

TEST_CASE("two names of a branch are exchanged at once, open files and directories included", "[mount]") {
  Mounted mounted;
  mounted.make_branch("data@master");
  mounted.make_branch("data@dev");
  const std::string top = mounted / "data@master/";
  const auto exchange = [](const std::string& one, const std::string& other) {
    return outcome(::syscall(SYS_renameat2, AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE));
  };
  const auto number = [](const std::string& path) {
    struct stat about {};
    return ::lstat(path.c_str(), &about) == 0 ? about.st_ino : 0;
  };
  REQUIRE(::mkdir((top + "d").c_str(), 0755) == 0);
  put(top + "d/below", "below");
  put(top + "f", "file");
  put(mounted / "data@dev/f", "elsewhere");
  const UniqueFd file = open_file(top + "f", O_RDWR);
  const auto d_before = number(top + "d");
  const auto f_before = number(top + "f");
  REQUIRE(exchange(top + "d", top + "f") == 0);
  CHECK(number(top + "f") == d_before);
  CHECK(number(top + "d") == f_before);
  CHECK(contents(top + "f/below") == "below");
  REQUIRE(::write(file.get(), "FILE", 4) == 4);
  CHECK(contents(top + "d") == "FILE");
  REQUIRE(exchange(top + "d", top + "f/below") == 0);
  CHECK(contents(top + "f/below") == "FILE");
  CHECK(contents(top + "d") == "below");
  CHECK(exchange(top + "f", top + "f/below") == EINVAL);
  CHECK(exchange(top + "d", top + "none") == ENOENT);
  CHECK(exchange(top + "d", mounted / "data@dev/f") == EXDEV);
  CHECK(exchange(top + "d", mounted / "data@dev") == EPERM);
  put(top + ".pfs/commit", "exchanged");
  CHECK(contents(mounted / ".pfs/heads/data@master/f/below") == "FILE");
  REQUIRE(mounted.kill());
  mounted.start();
  CHECK(contents(top + "f/below") == "FILE");
  CHECK(contents(top + "d") == "below");
}
