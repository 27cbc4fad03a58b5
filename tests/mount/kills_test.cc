// The daemon is killed at random moments under load, and started again on the same store and mount point.
#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/file.h"
#include "support/mounted.h"

using namespace pfs;
using namespace pfs::test;

namespace {

int kills() { return std::getenv("PFS_SOAK") != nullptr ? 2000 : 50; }

constexpr int kWriters = 3;
constexpr int kNames = 12;

/// One program at work in a directory of its own: makes, replaces, appends, renames, removes and commits, and notes of each
/// file what the last call that returned has made of it. It goes on until the daemon is gone.
class Writer {
 public:
  Writer(std::string branch, std::string directory, unsigned seed)
      : branch_(std::move(branch)), directory_(std::move(directory)), random_(seed) {}

  void run() {
    while (step()) ++steps_;
    ended_by_ = errno;
  }
  int steps() const { return steps_; }

  /// Why what is there is not what was acknowledged; empty when it is. What is there is noted as the new state.
  std::string check() {
    // EIO is the kernel's where the daemon dies while it takes a request; one of its own it would have logged
    if (ended_by_ != ENOTCONN && ended_by_ != ECONNABORTED && ended_by_ != EIO) {
      return directory_ + ": ended by " + std::strerror(ended_by_) + " and not by the daemon's death";
    }
    for (int i = 0; i < kNames; ++i) {
      const std::string name = "f" + std::to_string(i);
      std::string found = read(name);
      const auto& was = files_[name];
      if (found != was && !(under_way_.contains(name) && is_possible(was, under_way_[name], found))) {
        return directory_ + "/" + name + ": has " + shown(found) + " and not " + shown(was) +
               (under_way_.contains(name) ? ", nor what was under way" : "");
      }
      files_[name] = std::move(found);
    }
    under_way_.clear();
    return {};
  }

 private:
  static constexpr const char* kAbsent = "(absent)";

  bool step() {
    const std::string name = "f" + std::to_string(random_() % kNames);
    switch (random_() % 16) {
      case 0: return rename(name, "f" + std::to_string(random_() % kNames));
      case 1: return remove(name);
      case 2: return commit();
      case 3:
      case 4:
      case 5: return append(name);
      default: return replace(name);
    }
  }

  std::string path(const std::string& name) const { return directory_ + "/" + name; }

  std::string some_text() {
    const std::size_t size = random_() % 8 == 0 ? random_() % 3'000'000 : random_() % 9000;
    std::string text = std::to_string(++count_) + ":";
    text.resize(text.size() + size, static_cast<char>('a' + random_() % 26));
    return text;
  }

  // Close is what acknowledges. Before it the file is whatever was written so far.
  bool write(const std::string& name, const std::string& whole, const std::string& text, int flags) {
    under_way_ = {{name, whole}};
    UniqueFd file(::open(path(name).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644));
    if (!file) return false;
    for (std::size_t at = 0; at < text.size();) {
      const ssize_t wrote = ::write(file.get(), text.data() + at, text.size() - at);
      if (wrote <= 0) return false;
      at += static_cast<std::size_t>(wrote);
    }
    // the kernel closes the file also where nobody is left to hear of it
    if (::close(file.release()) != 0) return false;
    files_[name] = whole;
    under_way_.clear();
    return true;
  }
  bool replace(const std::string& name) {
    const std::string text = some_text();
    return write(name, text, text, O_TRUNC);
  }
  bool append(const std::string& name) {
    const std::string text = some_text();
    const std::string& was = files_[name];
    return write(name, (was == kAbsent ? "" : was) + text, text, O_APPEND);
  }
  bool rename(const std::string& from, const std::string& to) {
    if (files_[from] == kAbsent || from == to) return true;
    under_way_ = {{from, kAbsent}, {to, files_[from]}};
    if (::rename(path(from).c_str(), path(to).c_str()) != 0) return false;
    files_[to] = std::exchange(files_[from], kAbsent);
    under_way_.clear();
    return true;
  }
  bool remove(const std::string& name) {
    if (files_[name] == kAbsent) return true;
    under_way_ = {{name, kAbsent}};
    if (::unlink(path(name).c_str()) != 0) return false;
    files_[name] = kAbsent;
    under_way_.clear();
    return true;
  }
  bool commit() const {
    const UniqueFd file(::open((branch_ + "/.pfs/commit").c_str(), O_WRONLY | O_CLOEXEC));
    return file && ::write(file.get(), "go\n", 3) == 3;
  }

  std::string read(const std::string& name) const {
    struct stat about {};
    if (::stat(path(name).c_str(), &about) != 0 && errno == ENOENT) return kAbsent;
    return contents(path(name));
  }

  // Half of a write that was under way: the beginning of the new content, or nothing for O_TRUNC.
  static bool is_possible(const std::string& was, const std::string& becomes, const std::string& found) {
    if (found == becomes || found.empty()) return true;
    if (becomes == kAbsent || found == kAbsent) return false;
    return found.size() <= becomes.size() && becomes.compare(0, found.size(), found) == 0 &&
           (!becomes.starts_with(was) || was == kAbsent || found.size() >= was.size());
  }

  static std::string shown(const std::string& text) {
    return text.substr(0, 20) + " (" + std::to_string(text.size()) + " bytes)";
  }

  const std::string branch_;
  const std::string directory_;
  std::mt19937 random_;
  int count_ = 0;
  int steps_ = 0;
  int ended_by_ = 0;
  std::map<std::string, std::string> files_ = absent();
  std::map<std::string, std::string> under_way_;

  static std::map<std::string, std::string> absent() {
    std::map<std::string, std::string> files;
    for (int i = 0; i < kNames; ++i) files["f" + std::to_string(i)] = kAbsent;
    return files;
  }
};

std::string head_of(const Mounted& mounted) {
  std::array<char, 256> body{};
  const ssize_t size = ::readlink((mounted / ".pfs/heads/data@master").c_str(), body.data(), body.size());
  return size < 0 ? std::string() : std::string(body.data(), static_cast<std::size_t>(size));
}

ino_t number_of(const std::string& path) {
  struct stat about {};
  REQUIRE(outcome(::lstat(path.c_str(), &about)) == 0);
  return about.st_ino;
}

}  // namespace

TEST_CASE("a daemon killed at random moments under load has kept all that was closed, each time", "[mount][fault]") {
  const unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  Mounted mounted;
  mounted.make_branch("data@master");
  mounted.make_branch("data@dev");
  std::vector<Writer> writers;
  for (unsigned i = 0; i < kWriters; ++i) {
    const std::string branch = mounted / (i == 2 ? "data@dev" : "data@master");
    const std::string directory = branch + "/w" + std::to_string(i);
    REQUIRE(::mkdir(directory.c_str(), 0755) == 0);
    writers.emplace_back(branch, directory, seed + i);
  }
  std::string head;
  for (int kill = 0; kill < kills(); ++kill) {
    INFO("seed " << seed << ", kill " << kill);
    std::vector<std::thread> threads;
    for (auto& writer : writers) threads.emplace_back([&writer] { writer.run(); });
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 500));
    REQUIRE(mounted.kill());
    for (auto& thread : threads) thread.join();
    mounted.start();
    for (auto& writer : writers) {
      const std::string difference = writer.check();
      const std::string log = mounted.log();
      INFO("the log's end: " << log.substr(log.size() - std::min<std::size_t>(log.size(), 3000)));
      REQUIRE(difference == "");
      REQUIRE(log.find(" error ") == std::string::npos);
    }
    // the open commit goes on, and what was finished is where it was
    put(mounted / "data@master/.pfs/commit", "after the kill\n");
    const std::string now = head_of(mounted);
    REQUIRE(!now.empty());
    head = now;
  }
  CHECK(contents(mounted / "data@master/.pfs/log").find(head.substr(head.size() - 32)) != std::string::npos);
  for (const auto& writer : writers) CHECK(writer.steps() > kills());
  CHECK(mounted.stop());
}

TEST_CASE("inode numbers are the same after the daemon was killed and started again", "[mount]") {
  Mounted mounted;
  mounted.make_branch("data@master");
  const std::string top = mounted / "data@master";
  REQUIRE(::mkdir((top + "/d").c_str(), 0755) == 0);
  REQUIRE(::mkdir((top + "/d/e").c_str(), 0755) == 0);
  put(top + "/f", "committed");
  put(top + "/d/f", "committed");
  put(top + "/linked", "x");
  REQUIRE(::link((top + "/linked").c_str(), (top + "/d/e/linked").c_str()) == 0);
  REQUIRE(::symlink("f", (top + "/link").c_str()) == 0);
  put(top + "/.pfs/commit", "first\n");
  put(top + "/d/f", "changed since");
  put(top + "/d/e/new", "not committed");
  const std::string commit = mounted.mount() + "/" + head_of(mounted).substr(6);
  const auto numbers = [&] {
    std::map<std::string, ino_t> all;
    for (const std::string& root : {top, commit}) {
      for (const char* name : {"", "/d", "/d/e", "/f", "/d/f", "/d/e/linked", "/linked", "/link"})
        all[root + name] = number_of(root + name);
    }
    all["new"] = number_of(top + "/d/e/new");
    all["heads"] = number_of(mounted / ".pfs/heads");
    return all;
  };
  // as a program sees them that has walked there after the link was made
  REQUIRE(mounted.kill());
  mounted.start();
  const auto before = numbers();
  CHECK(before.at(top + "/linked") == before.at(top + "/d/e/linked"));
  CHECK(before.at(top + "/f") != before.at(commit + "/f"));
  for (int i = 0; i < 3; ++i) {
    REQUIRE(mounted.kill());
    mounted.start();
    if (i == 1) number_of(top + "/d/e/linked");  // another first look
    CHECK(numbers() == before);
  }
}
