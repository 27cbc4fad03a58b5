// What is changed behind the mount's back, by the API, is what the next look at the mount sees.
#include <catch2/catch.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>

#include "api/client/branches.h"
#include "api/client/commits.h"
#include "api/client/connection.h"
#include "api/client/files.h"
#include "base/file.h"
#include "support/mounted.h"
#include "support/must.h"

using namespace pfs;
using namespace pfs::test;

namespace {

BranchRef branch_named(const std::string& name) { return must(BranchRef::parse(name)); }
CommitRef commit_named(const std::string& name) { return must(CommitRef::parse(name)); }
RepoPath path_named(const std::string& path) { return must(RepoPath::parse(path)); }

// The mount answers first, the socket a moment later.
std::unique_ptr<client::Connection> connected(const std::string& socket) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (true) {
    auto connection = client::Connection::to_socket(socket);
    if (connection || std::chrono::steady_clock::now() > deadline) return must(std::move(connection));
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

/// A mount with data@master, and a client beside it.
class World {
 public:
  World() { mounted_.make_branch("data@master"); }

  const Mounted& mounted() const { return mounted_; }
  std::string operator/(const std::string& name) const { return mounted_ / ("data@master/" + name); }
  const client::Connection& connection() const { return *connection_; }

  void put_file(const std::string& path, const std::string& text, bool append = false) const {
    client::Upload upload(*connection_, branch_named("data@master"), {append, false});
    must(upload.begin_file(path_named(path), {}));
    must(upload.data(text));
    must(upload.finish());
  }
  void remove(const std::string& path) const {
    must(client::Files(*connection_).remove(branch_named("data@master"), {path_named(path)}));
  }
  void copy(const std::string& from, const std::string& to) const {
    must(client::Files(*connection_).copy({commit_named("data@master"), path_named(from)}, branch_named("data@master"),
                                          path_named(to), false));
  }

 private:
  Mounted mounted_;
  std::unique_ptr<client::Connection> connection_ = connected(mounted_.socket());
};

struct stat about(const std::string& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) throw std::runtime_error(path + ": " + std::strerror(errno));
  return found;
}

int error_of_stat(const std::string& path) {
  struct stat found {};
  return outcome(::stat(path.c_str(), &found));
}

std::set<std::string> listed(const std::string& path) {
  std::set<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
  if (!directory) throw std::runtime_error(path + ": " + std::strerror(errno));
  while (const dirent* entry = ::readdir(directory.get())) {
    if (entry->d_name[0] != '.') names.insert(entry->d_name);
  }
  return names;
}

}  // namespace

TEST_CASE("a file that the API puts, appends to, copies or deletes is seen by the next look", "[mount]") {
  const World world;
  REQUIRE(::mkdir((world / "d").c_str(), 0755) == 0);
  for (int i = 0; i < 100; ++i) {
    const std::string name = "d/f" + std::to_string(i);
    INFO(name);
    CHECK(error_of_stat(world / name) == ENOENT);  // the kernel may remember that
    world.put_file(name, "one");
    CHECK(contents(world / name) == "one");
    CHECK(listed(world / "d").count(name.substr(2)) == 1);
    world.put_file(name, "another");
    CHECK(about(world / name).st_size == 7);
    CHECK(contents(world / name) == "another");
    world.put_file(name, " one", true);
    CHECK(contents(world / name) == "another one");
    world.copy(name, "d/copy");
    CHECK(contents(world / "d/copy") == "another one");
    world.remove(name);
    CHECK(error_of_stat(world / name) == ENOENT);
    CHECK(listed(world / "d") == std::set<std::string>{"copy"});
    world.remove("d/copy");
    CHECK(error_of_stat(world / "d/copy") == ENOENT);
  }
}

TEST_CASE("what is appended by the mount behind what the API has appended is read back there", "[mount]") {
  const World world;
  put(world / "f", "abc");
  const UniqueFd file(::open((world / "f").c_str(), O_RDWR | O_APPEND | O_CLOEXEC));
  char bytes[100] = {};
  REQUIRE(::pread(file.get(), bytes, 3, 0) == 3);
  world.put_file("f", "XYZ", true);
  // the page is read again, and nobody asks how long the file is
  REQUIRE(::pread(file.get(), bytes, 3, 0) == 3);
  REQUIRE(::write(file.get(), "d", 1) == 1);
  CHECK(::pread(file.get(), bytes, sizeof bytes, 0) == 7);
  CHECK(std::string(bytes) == "abcXYZd");
  CHECK(contents(world / "f") == "abcXYZd");
}

TEST_CASE("who opens a file that the API makes in that moment, or makes it, has it open", "[mount]") {
  const World world;
  std::atomic<bool> done = false;
  std::map<int, int> errors;
  std::thread opener([&] {
    while (!done) {
      const UniqueFd file(::open((world / "f").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
      if (!file) ++errors[errno];
    }
  });
  for (int round = 0; round < 300; ++round) {
    world.put_file("/f", "by the API");
    world.remove("/f");
  }
  done = true;
  opener.join();
  INFO((errors.empty() ? "" : std::strerror(errors.begin()->first)));
  CHECK(errors.empty());
}

TEST_CASE("what the API puts over a file is seen by who has it open and mapped, as with cp", "[mount]") {
  const World world;
  put(world / "f", "old content");
  const UniqueFd file(::open((world / "f").c_str(), O_RDONLY | O_CLOEXEC));
  void* mapped = ::mmap(nullptr, 11, PROT_READ, MAP_SHARED, file.get(), 0);
  REQUIRE(mapped != MAP_FAILED);
  REQUIRE(std::memcmp(mapped, "old content", 11) == 0);
  const auto number = about(world / "f").st_ino;
  for (const std::string text : {"NEW CONTENT", "changed once more, and longer"}) {
    world.put_file("f", text);
    char read[64] = {};
    CHECK(::pread(file.get(), read, sizeof read, 0) == static_cast<ssize_t>(text.size()));
    CHECK(std::string(read) == text);
    CHECK(std::memcmp(mapped, text.data(), 11) == 0);
    CHECK(contents(world / "f") == text);
    CHECK(about(world / "f").st_ino == number);
    CHECK(about(world / "f").st_nlink == 1);
  }
  // and the other way: who has it open for writing writes into what was put
  const UniqueFd writing(::open((world / "f").c_str(), O_WRONLY | O_CLOEXEC));
  REQUIRE(::pwrite(writing.get(), "by hand", 7, 0) == 7);
  world.put_file("f", "put over what was being written");
  REQUIRE(::pwrite(writing.get(), "PUT", 3, 0) == 3);
  CHECK(contents(world / "f") == "PUT over what was being written");
  put(world / ".pfs/commit", "both\n");
  CHECK(contents(world / "f") == "PUT over what was being written");
  ::munmap(mapped, 11);
}

TEST_CASE("a name of a hard link that the API deletes or replaces is counted by the others at once", "[mount]") {
  const World world;
  REQUIRE(::mkdir((world / "d").c_str(), 0755) == 0);
  REQUIRE(::mkdir((world / "d/e").c_str(), 0755) == 0);
  put(world / "f", "text");
  for (const char* name : {"deleted", "replaced", "copied", "d/below", "d/e/below"}) {
    REQUIRE(::link((world / "f").c_str(), (world / name).c_str()) == 0);
  }
  put(world / ".pfs/commit", "linked\n");
  REQUIRE(about(world / "f").st_nlink == 6);
  world.remove("deleted");
  CHECK(about(world / "f").st_nlink == 5);
  world.put_file("replaced", "other");
  CHECK(about(world / "f").st_nlink == 4);
  world.put_file("other", "other");
  world.copy("other", "copied");
  CHECK(about(world / "f").st_nlink == 3);
  world.remove("d");
  CHECK(about(world / "f").st_nlink == 1);
  CHECK(contents(world / "f") == "text");
}

TEST_CASE("a branch that the API makes, deletes and makes again is what the root shows", "[mount]") {
  const World world;
  const client::Branches branches(world.connection());
  const auto dev = branch_named("data@dev");
  const std::string path = world.mounted() / "data@dev";
  for (int i = 0; i < 50; ++i) {
    INFO(i);
    CHECK(error_of_stat(path) == ENOENT);
    must(branches.create(dev, {}));
    CHECK(listed(path).empty());
    put(path + "/f", "x");
    must(branches.remove(dev, false));
    CHECK(error_of_stat(path) == ENOENT);
    CHECK(error_of_stat(path + "/f") == ENOENT);
    CHECK(listed(world.mounted().mount()).count("data@dev") == 0);
  }
}

TEST_CASE("a HEAD that the API moves is seen by the next look, by open files not", "[mount]") {
  const World world;
  const client::Branches branches(world.connection());
  REQUIRE(::mkdir((world / "d").c_str(), 0755) == 0);
  put(world / "d/f", "first");
  put(world / ".pfs/commit", "first\n");
  const auto first = commit_named("data@" + must(branches.inspect(branch_named("data@master"))).head);
  put(world / "d/f", "second one");
  put(world / "d/only-second", "x");
  put(world / ".pfs/commit", "second\n");
  const auto second = commit_named("data@" + must(branches.inspect(branch_named("data@master"))).head);
  for (int i = 0; i < 50; ++i) {
    INFO(i);
    const UniqueFd file(::open((world / "d/f").c_str(), O_RDONLY | O_CLOEXEC));
    const std::string before = contents(world / "d/f");
    client::BranchSettings settings;
    settings.head = i % 2 == 0 ? first : second;
    must(branches.create(branch_named("data@master"), settings));
    CHECK(about(world / "d/f").st_size == (i % 2 == 0 ? 5 : 10));
    CHECK(contents(world / "d/f") == (i % 2 == 0 ? "first" : "second one"));
    CHECK(error_of_stat(world / "d/only-second") == (i % 2 == 0 ? ENOENT : 0));
    CHECK(listed(world / "d").size() == (i % 2 == 0 ? 1U : 2U));
    char text[16] = {};
    CHECK(::pread(file.get(), text, sizeof text, 0) == static_cast<ssize_t>(before.size()));
    CHECK(text == before);
  }
}
