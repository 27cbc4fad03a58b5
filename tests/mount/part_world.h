#pragma once

#include <dirent.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "api/client/connection.h"
#include "api/client/mounts.h"
#include "support/mounted.h"
#include "support/must.h"
#include "support/temporary_directory.h"

namespace pfs::test {

// The mount answers first, the socket a moment later.
inline std::unique_ptr<client::Connection> connected(const std::string& socket) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (true) {
    auto connection = client::Connection::to_socket(socket);
    if (connection || std::chrono::steady_clock::now() > deadline) return must(std::move(connection));
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

/// data@master, and its directory `d` by a mount of its own.
class PartWorld {
 public:
  PartWorld() {
    mounted.make_branch("data@master");
    REQUIRE(::mkdir((mounted / "data@master/d").c_str(), 0755) == 0);
    REQUIRE(::mkdir(part().c_str(), 0755) == 0);
    REQUIRE(ask("data@master:/d", part()).empty());
  }
  ~PartWorld() { ::umount2(part().c_str(), MNT_DETACH); }
  PartWorld(const PartWorld&) = delete;
  PartWorld& operator=(const PartWorld&) = delete;

  std::string part() const { return directory / "part"; }
  std::string whole() const { return mounted / "data@master/d"; }
  /// One of both, by turns.
  std::string side(int which) const { return which % 2 == 0 ? whole() : part(); }

  /// What went wrong; empty: nothing.
  std::string ask(const std::string& part, const std::string& place, const std::vector<std::string>& options = {}) const {
    std::optional<CommitRef> ref;
    RepoPath path;
    if (part != ".") {
      const auto colon = std::min(part.find(':'), part.size());
      ref = must(CommitRef::parse(part.substr(0, colon)));
      path = must(RepoPath::parse(part.substr(std::min(colon + 1, part.size()))));
    }
    const auto asked = client::Mounts(*connected(mounted.socket())).add(ref, path, place, options);
    return asked ? std::string() : asked.error().message;
  }
  /// Those that there are.
  std::string parts() const {
    std::string all;
    for (const auto& part : must(client::Mounts(*connected(mounted.socket())).list())) all += part.part + " " + part.directory + "\n";
    return all;
  }

  TemporaryDirectory directory;
  Mounted mounted;
};

inline struct stat about(const std::string& path) {
  struct stat found {};
  INFO(path << ": " << std::strerror(errno));
  REQUIRE(::lstat(path.c_str(), &found) == 0);
  return found;
}

inline int error_of_stat(const std::string& path) {
  struct stat found {};
  return outcome(::lstat(path.c_str(), &found));
}

inline std::set<std::string> listed(const std::string& path) {
  std::set<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
  REQUIRE(directory);
  while (const dirent* entry = ::readdir(directory.get())) {
    if (entry->d_name[0] != '.') names.insert(entry->d_name);
  }
  return names;
}

inline bool comes(const std::function<bool()>& what) {
  for (int i = 0; i < 400; ++i) {
    if (what()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(25));
  }
  return false;
}

}  // namespace pfs::test
