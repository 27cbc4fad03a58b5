// Readers beside a HEAD that moves all the time: whoever looks after `ln` has returned sees no older tree.
#include <catch2/catch.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"
#include "support/mounted.h"
#include "support/temporary_directory.h"

using namespace pfs;
using namespace pfs::test;

namespace {

constexpr int kTrees = 12;
constexpr int kFiles = 60;  // at the top of each tree, and as many in its directory
constexpr int kLooks = 4000;

std::string name_of(int file) { return "f" + std::to_string(file); }
std::string tree_of(int version) { return "data@v" + std::to_string(version % kTrees); }

// Version `v` has files of 10 + v bytes, and `only-<v>` at the top and in `d`.
void make_tree(const Mounted& mounted, int version) {
  const std::string root = mounted / tree_of(version);
  mounted.make_branch(tree_of(version));
  REQUIRE(::mkdir((root + "/d").c_str(), 0755) == 0);
  const std::string text(static_cast<std::size_t>(10 + version), 'x');
  for (const std::string& place : {root, root + "/d"}) {
    for (int i = 0; i < kFiles; ++i) put(place + "/" + name_of(i), text);
    put(place + "/only-" + std::to_string(version), "x");
  }
  put(root + "/.pfs/commit", "made\n");
}

// What a look told: a version (as a number of its tree); nothing where it failed, and errno says why.
using Look = std::function<std::optional<int>(const std::string& place, std::mt19937& random)>;

std::optional<int> by_stat(const std::string& place, std::mt19937& random) {
  struct stat about {};
  if (::stat((place + "/" + name_of(static_cast<int>(random() % kFiles))).c_str(), &about) != 0) return std::nullopt;
  return static_cast<int>(about.st_size) - 10;
}

std::optional<int> by_reading(const std::string& place, std::mt19937& random) {
  const UniqueFd file(::open((place + "/" + name_of(static_cast<int>(random() % kFiles))).c_str(), O_RDONLY | O_CLOEXEC));
  char text[64];
  const ssize_t size = file ? ::read(file.get(), text, sizeof text) : -1;
  if (size < 0) return std::nullopt;
  return static_cast<int>(size) - 10;
}

std::optional<int> by_listing(const std::string& place, std::mt19937&) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(place.c_str()), ::closedir);
  if (!directory) return std::nullopt;
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string name = entry->d_name;
    if (name.starts_with("only-")) return std::atoi(name.c_str() + 5);
  }
  return std::nullopt;
}

// Which of the trees' own names are there; the kernel may remember of the others that they were not.
std::vector<int> present(const std::string& place) {
  std::vector<int> versions;
  for (int version = 0; version < kTrees; ++version) {
    struct stat about {};
    if (::stat((place + "/only-" + std::to_string(version)).c_str(), &about) == 0) versions.push_back(version);
  }
  return versions;
}

struct Counts {
  std::atomic<int> looks = 0;
  std::atomic<int> stale = 0;
  std::atomic<int> overtaken = 0;
  std::atomic<int> failed = 0;
};

// Moves HEAD of data@master through all trees until the readers have looked often enough.
class Race {
 public:
  explicit Race(const Mounted& mounted) : mounted_(mounted) {}

  void read(const std::vector<std::string>& places, const Look& look, Counts& counts, unsigned seed) {
    std::mt19937 random(seed);
    for (int i = 0; i < kLooks / 4; ++i) {
      const int floor = done_;
      errno = 0;
      const auto told = look(places[random() % places.size()], random);
      const int ceiling = begun_;
      ++counts.looks;
      if (!told) {
        // the kernel asks once more after ESTALE, and once only: HEAD was moved again meanwhile
        ++(errno == ESTALE && ceiling > floor ? counts.overtaken : counts.failed);
      } else if (!is_between(*told, floor, ceiling)) {
        ++counts.stale;
      }
    }
  }

  void move_until(const std::atomic<int>& readers) {
    for (int version = 1; readers > 0; ++version) {
      begun_ = version;
      const std::string source = tree_of(version);
      failed_ += ::symlink(source.c_str(), (mounted_ / ("data@master/" + source)).c_str()) == 0 ? 0 : 1;
      done_ = version;
      std::this_thread::sleep_for(std::chrono::milliseconds(version % 7));
    }
  }
  int moves() const { return done_; }
  int failed_moves() const { return failed_; }

 private:
  static bool is_between(int tree, int floor, int ceiling) {
    for (int version = floor; version <= ceiling; ++version) {
      if (version % kTrees == tree) return true;
    }
    return false;
  }

  const Mounted& mounted_;
  std::atomic<int> begun_ = 0;
  std::atomic<int> done_ = 0;
  std::atomic<int> failed_ = 0;
};

}  // namespace

TEST_CASE("4,000 stats, opens and listings beside retargets: none is answered from a former tree", "[mount]") {
  Mounted mounted;
  mounted.make_branch("data@master");
  for (int version = 0; version < kTrees; ++version) make_tree(mounted, version);
  REQUIRE(outcome(::symlink("data@v0", (mounted / "data@master/data@v0").c_str())) == 0);

  // the branch itself, and where root may, the branch bound elsewhere as a container has it
  std::vector<std::string> tops{mounted / "data@master"};
  const TemporaryDirectory bound;
  const bool is_bound = ::mount(tops[0].c_str(), bound.path().c_str(), nullptr, MS_BIND, nullptr) == 0;
  if (is_bound) tops.push_back(bound.path());
  std::vector<std::string> all = tops;
  for (const auto& top : tops) all.push_back(top + "/d");

  Race race(mounted);
  Counts stats;
  Counts opens;
  Counts listings;
  std::atomic<int> readers = 4;
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      race.read(all, by_stat, stats, seed + i);
      race.read(all, by_reading, opens, seed + i);
      race.read(all, by_listing, listings, seed + i);
      --readers;
    });
  }
  race.move_until(readers);
  for (auto& thread : threads) thread.join();

  CHECK(race.moves() > 50);
  CHECK(race.failed_moves() == 0);
  for (const auto* counts : {&stats, &opens, &listings}) {
    CHECK(counts->looks == kLooks);
    CHECK(counts->stale == 0);
    CHECK(counts->failed == 0);
    CHECK(counts->overtaken < kLooks / 20);
  }
  if (is_bound) ::umount2(bound.path().c_str(), MNT_DETACH);
}

TEST_CASE("after a retarget a name that was not there in the former tree is found", "[mount]") {
  Mounted mounted;
  mounted.make_branch("data@master");
  for (int version = 0; version < kTrees; ++version) make_tree(mounted, version);
  int stale = 0;
  for (int version = 0; version < 5 * kTrees; ++version) {
    const std::string source = tree_of(version);
    // names that the kernel has to be told of, one by one
    struct stat about {};
    for (int i = 0; i < kFiles; ++i) ::stat((mounted / ("data@master/" + name_of(i))).c_str(), &about);
    REQUIRE(outcome(::symlink(source.c_str(), (mounted / ("data@master/" + source)).c_str())) == 0);
    for (const char* place : {"data@master/d", "data@master"}) {
      if (present(mounted / place) != std::vector<int>{version % kTrees}) ++stale;
    }
  }
  CHECK(stale == 0);
}
