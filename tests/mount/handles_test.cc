// File handles (name_to_handle_at(2), NFS servers) outlive what the kernel remembers, and the daemon.
#include <catch2/catch.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include <boost/filesystem.hpp>

#include "base/file.h"
#include "support/mounted.h"

using namespace pfs;
using namespace pfs::test;

namespace {

/// What name_to_handle_at(2) gives, and where it leads to.
class Kept {
 public:
  explicit Kept(const std::string& path) {
    handle()->handle_bytes = MAX_HANDLE_SZ;
    int mount = 0;
    REQUIRE(outcome(::name_to_handle_at(AT_FDCWD, path.c_str(), handle(), &mount, 0)) == 0);
  }
  /// `ESTALE`, or the bytes of the file.
  std::string contents(const Mounted& mounted) const {
    const UniqueFd top(::open(mounted.mount().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const UniqueFd file(::open_by_handle_at(top.get(), handle(), O_RDONLY | O_CLOEXEC));
    if (!file) return errno == ESTALE ? "ESTALE" : std::strerror(errno);
    std::array<char, 64> text{};
    const auto size = ::read(file.get(), text.data(), text.size());
    return size < 0 ? std::strerror(errno) : std::string(text.data(), static_cast<std::size_t>(size));
  }

 private:
  file_handle* handle() const { return reinterpret_cast<file_handle*>(bytes_.data()); }
  alignas(file_handle) mutable std::array<char, sizeof(file_handle) + MAX_HANDLE_SZ> bytes_;
};

}  // namespace

TEST_CASE("a file handle leads to its file after kills, whoever has looked what up by then", "[mount]") {
  if (::geteuid() != 0) return;
  Mounted mounted;
  mounted.make_branch("data@master");
  const auto directory = mounted / "data@master/d/e";
  boost::filesystem::create_directories(directory);
  const auto path = [&](int i) { return directory + "/f" + std::to_string(i); };
  constexpr int kFiles = 50;
  std::vector<Kept> kept;
  for (int i = 0; i < kFiles; ++i) {
    put(path(i), std::to_string(i));
    kept.emplace_back(path(i));
  }
  const auto all_lead = [&](const char* when) {
    for (int i = 0; i < kFiles; ++i) {
      INFO(when << ", file " << i);
      CHECK(kept[static_cast<std::size_t>(i)].contents(mounted) == std::to_string(i));
    }
  };
  all_lead("at once");
  REQUIRE(mounted.kill());
  mounted.start();
  all_lead("nothing looked up");
  REQUIRE(mounted.kill());
  mounted.start();
  for (int i = kFiles - 1; i >= 0; --i) REQUIRE(contents(path(i)) == std::to_string(i));
  all_lead("in another order");
  // forgotten by the kernel, and moved about
  REQUIRE(outcome(::rename(directory.c_str(), (mounted / "data@master/moved").c_str())) == 0);
  REQUIRE(outcome(::rename((mounted / "data@master/moved/f7").c_str(), (mounted / "data@master/seven").c_str())) == 0);
  REQUIRE(mounted.kill());
  mounted.start();
  all_lead("renamed");
  REQUIRE(outcome(::unlink((mounted / "data@master/seven").c_str())) == 0);
  CHECK(kept[7].contents(mounted) == "ESTALE");
  put(mounted / "data@master/other", "another");
  REQUIRE(mounted.kill());
  mounted.start();
  CHECK(kept[7].contents(mounted) == "ESTALE");
  CHECK(kept[8].contents(mounted) == "8");
}

TEST_CASE("a file handle leads to its file or to none, never to another that has its name", "[mount]") {
  if (::geteuid() != 0) return;
  Mounted mounted;
  mounted.make_branch("data@master");
  mounted.make_branch("data@staging");
  const std::string top = mounted / "data@master";
  boost::filesystem::create_directories(top + "/d/e");
  boost::filesystem::create_directories(mounted / "data@staging/d/e");
  put(mounted / "data@staging/d/e/f", "another");
  const std::string path = top + "/d/e/f";
  put(path, "first");
  const bool is_killed = GENERATE(false, true);
  INFO((is_killed ? "killed" : "not killed"));
  const Kept kept(path);
  SECTION("removed, and made again") {
    REQUIRE(outcome(::unlink(path.c_str())) == 0);
    put(path, "second");
  }
  SECTION("its directory removed, and made again") {
    boost::filesystem::remove_all(top + "/d");
    boost::filesystem::create_directories(top + "/d/e");
    put(path, "second");
  }
  SECTION("replaced by a rename") {
    put(top + "/new", "second");
    REQUIRE(outcome(::rename((top + "/new").c_str(), path.c_str())) == 0);
  }
  SECTION("its directory exchanged, and removed") {
    boost::filesystem::create_directories(top + "/d/g");
    put(top + "/d/g/f", "second");
    REQUIRE(outcome(::renameat2(AT_FDCWD, (top + "/d/g").c_str(), AT_FDCWD, (top + "/d/e").c_str(), RENAME_EXCHANGE)) == 0);
    CHECK(kept.contents(mounted) == "first");
    boost::filesystem::remove_all(top + "/d/g");
  }
  SECTION("its branch moved") {
    REQUIRE(outcome(::symlink("data@staging", (top + "/data@staging").c_str())) == 0);  // as ln -s does
  }
  SECTION("its branch deleted, and made again") {
    boost::filesystem::remove_all(top);
    mounted.make_branch("data@master");
    boost::filesystem::create_directories(top + "/d/e");
    put(path, "second");
  }
  if (is_killed) {
    REQUIRE(mounted.kill());
    mounted.start();
  }
  CHECK(contents(path) != "first");
  CHECK(kept.contents(mounted) == "ESTALE");
  const Kept now(path);
  REQUIRE(mounted.kill());
  mounted.start();
  CHECK(kept.contents(mounted) == "ESTALE");
  CHECK(now.contents(mounted) == contents(path));
}

TEST_CASE("a file handle is stale when the process is killed while its branch is being moved", "[mount]") {
  if (::geteuid() != 0) return;
  Mounted mounted;
  mounted.make_branch("data@master");
  mounted.make_branch("data@staging");
  put(mounted / "data@staging/f", "another");
  put(mounted / "data@master/f", "first");
  const Kept kept(mounted / "data@master/f");
  REQUIRE(mounted.kill());
  mounted.start({"PFS_FAULT=store.steps.published:kill"});
  REQUIRE(contents(mounted / "data@master/f") == "first");
  static_cast<void>(::symlink("data@staging", (mounted / "data@master/data@staging").c_str()));
  REQUIRE(mounted.wait_for_end());
  mounted.start();
  REQUIRE(contents(mounted / "data@master/f") == "another");
  CHECK(kept.contents(mounted) == "ESTALE");
}

TEST_CASE("the handle of a file with several names leads to none but that", "[mount]") {
  if (::geteuid() != 0) return;
  Mounted mounted;
  const std::string top = mounted / "data@dev";
  const auto link = [](const std::string& from, const std::string& to) { REQUIRE(outcome(::link(from.c_str(), to.c_str())) == 0); };
  const auto rename = [](const std::string& from, const std::string& to) { REQUIRE(outcome(::rename(from.c_str(), to.c_str())) == 0); };
  const auto again = [&] {
    REQUIRE(mounted.kill());
    mounted.start();
  };
  mounted.make_branch("data@dev");
  put(top + "/a", "first");
  const Kept early(top + "/a");
  link(top + "/a", top + "/b");
  put(top + "/.pfs/commit", "now\n");
  again();
  SECTION("in a branch that was renamed, and another that was made of it under its name") {
    const std::string release = mounted / "data@release";
    const Kept kept(top + "/a");
    struct stat before {};
    REQUIRE(outcome(::stat((top + "/a").c_str(), &before)) == 0);
    rename(top, release);
    mounted.make_branch("data@dev");
    REQUIRE(outcome(::symlink("data@release", (top + "/data@release").c_str())) == 0);
    again();
    put(top + "/a", "another");
    CHECK(kept.contents(mounted) == "first");
    again();
    CHECK(kept.contents(mounted) == "first");
    struct stat after {};
    REQUIRE(outcome(::stat((release + "/a").c_str(), &after)) == 0);
    CHECK(after.st_ino == before.st_ino);
  }
  SECTION("that was renamed, and its name given to a link") {
    CHECK(contents(top + "/b") == "first");
    rename(top + "/a", top + "/c");
    put(top + "/o", "another");
    link(top + "/o", top + "/a");
    again();
    const auto found = early.contents(mounted);
    CHECK((found == "first" || found == "ESTALE"));
  }
  SECTION("that was exchanged") {
    CHECK(contents(top + "/b") == "first");
    put(top + "/z", "another");
    REQUIRE(outcome(::renameat2(AT_FDCWD, (top + "/a").c_str(), AT_FDCWD, (top + "/z").c_str(), RENAME_EXCHANGE)) == 0);
    again();
    const auto found = early.contents(mounted);
    CHECK((found == "first" || found == "ESTALE"));
  }
}

TEST_CASE("many files that had one temporary name keep their numbers", "[mount]") {
  Mounted mounted;
  mounted.make_branch("data@master");
  const std::string top = mounted / "data@master/";
  constexpr int kFiles = 300;
  for (int i = 0; i < kFiles; ++i) {
    put(top + "tmp", std::to_string(i));
    REQUIRE(outcome(::rename((top + "tmp").c_str(), (top + "f" + std::to_string(i)).c_str())) == 0);
  }
  std::map<ino_t, int> numbers;
  for (int i = 0; i < kFiles; ++i) {
    struct stat stat {};
    REQUIRE(outcome(::stat((top + "f" + std::to_string(i)).c_str(), &stat)) == 0);
    ++numbers[stat.st_ino];
  }
  CHECK(numbers.size() == kFiles);
  REQUIRE(mounted.kill());
  mounted.start();
  for (int i = 0; i < kFiles; ++i) {
    struct stat stat {};
    REQUIRE(outcome(::stat((top + "f" + std::to_string(i)).c_str(), &stat)) == 0);
    ++numbers[stat.st_ino];
  }
  CHECK(numbers.size() == kFiles);
}

TEST_CASE("a file keeps its inode number and its handle wherever it is moved", "[mount]") {
  if (::geteuid() != 0) return;
  Mounted mounted;
  mounted.make_branch("data@master");
  const std::string top = mounted / "data@master";
  const auto number = [&](const std::string& name) {
    struct stat stat {};
    REQUIRE(outcome(::stat((top + "/" + name).c_str(), &stat)) == 0);
    return stat.st_ino;
  };
  put(top + "/f", "first");
  const Kept first(top + "/f");
  const auto first_number = number("f");
  REQUIRE(outcome(::rename((top + "/f").c_str(), (top + "/moved").c_str())) == 0);
  put(top + "/f", "second");
  const Kept second(top + "/f");
  const auto second_number = number("f");
  CHECK(second_number != first_number);
  for (const bool in_order : {true, false}) {
    REQUIRE(mounted.kill());
    mounted.start();
    CHECK(number(in_order ? "moved" : "f") == (in_order ? first_number : second_number));
    CHECK(number(in_order ? "f" : "moved") == (in_order ? second_number : first_number));
    CHECK(first.contents(mounted) == "first");
    CHECK(second.contents(mounted) == "second");
  }
  // what readdir says without a look at the files
  REQUIRE(mounted.kill());
  mounted.start();
  std::map<std::string, ino_t> listed;
  DIR* directory = ::opendir(top.c_str());
  REQUIRE(directory != nullptr);
  while (const dirent* entry = ::readdir(directory)) listed[entry->d_name] = entry->d_ino;
  ::closedir(directory);
  CHECK(listed["moved"] == first_number);
  CHECK(listed["f"] == second_number);
}
