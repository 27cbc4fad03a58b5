#pragma once

#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "support/mounted.h"

namespace pfs::test {

struct Refusal {
  int status = 0;
  std::string text;  // stdout and stderr

  bool is_one_line_with(const std::vector<std::string>& words) const {
    return std::count(text.begin(), text.end(), '\n') == 1 &&
           std::all_of(words.begin(), words.end(),
                       [this](const auto& word) { return text.find(word) != text.npos; });
  }
};

/// A store, a mount point and a socket that nobody uses, and the two ways to start pfsd on them.
class Start {
 public:
  Start() { REQUIRE(::mkdir(mount().c_str(), 0755) == 0); }

  std::string store() const { return directory_ / "store"; }
  std::string mount() const { return directory_ / "mnt"; }
  std::string file(const std::string& name) const { return directory_ / name; }

  std::string pfsd() const { return pfsd(store(), mount()); }
  std::string pfsd(const std::string& store, const std::string& mount) const {
    return std::string(PFS_PFSD) + " --store " + store + " --mount " + mount + " --socket " +
           (directory_ / "socket");
  }
  static std::string helper() {
    const std::string beside = PFS_PFSD;
    return beside.substr(0, beside.rfind('/')) + "/mount.pfs";
  }
  std::string mount_pfs() const {
    return helper() + " " + store() + " " + mount() + " -o socket=" + (directory_ / "socket");
  }

  /// Runs the command, which is expected to refuse; one that starts after all is ended after a
  /// while.
  static Refusal run(const std::string& script) {
    FILE* pipe = ::popen(("{ timeout 20 " + script + "; } 2>&1").c_str(), "r");
    REQUIRE(pipe != nullptr);
    Refusal refusal;
    std::array<char, 4096> buffer{};
    for (std::size_t got = 0; (got = ::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
      refusal.text.append(buffer.data(), got);
    const int status = ::pclose(pipe);
    refusal.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return refusal;
  }
  /// The same in a mount namespace of its own, in which `before` has run.
  static Refusal run_in_namespace(const std::string& before, const std::string& command) {
    const std::string unshare = ::geteuid() == 0 ? "unshare -m" : "unshare -r -m";
    return run(unshare + " sh -c '" + before + " && " + command + "'");
  }
  static bool has_namespaces() {
    if (run_in_namespace("true", "true").status == 0) return true;
    WARN("skipped: no mount namespace for this user");
    return false;
  }
  bool made_a_store() const { return ::access(store().c_str(), F_OK) == 0; }
  bool is_mounted() const {
    struct stat outside {};
    struct stat inside {};
    return ::stat(directory_.path().c_str(), &outside) == 0 &&
           ::stat(mount().c_str(), &inside) == 0 && outside.st_dev != inside.st_dev;
  }

  static bool unmount(const std::string& path) {
    return run("umount " + path + " || fusermount3 -u " + path).status == 0;
  }
  /// Until the daemon that had the store has let go of it.
  void wait_for_end() const {
    for (int i = 0; i < 400 && run("flock -n " + store() + "/LOCK true").status != 0; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }

  /// The directory becomes that of an ordinary user, 65534 where the test is run by root. False
  /// where that cannot be.
  bool give_to_user() const {
    if (::geteuid() != 0) {
      WARN("skipped: an ordinary user is made by root");
      return false;
    }
    return ::chown(directory_.path().c_str(), 65534, 65534) == 0 &&
           ::chown(mount().c_str(), 65534, 65534) == 0;
  }
  /// Runs a script in a mount namespace of its own, in which everybody may open /dev/fuse, as an
  /// ordinary machine has it. `as_user COMMAND…` is that user's, `pfsd` starts one that must be
  /// ended in the script.
  Refusal run_script(const std::string& script) const {
    put(file("script"),
        "set -e\nas_user() { setpriv --reuid 65534 --regid 65534 --clear-groups env HOME='" +
            directory_.path() + "' \"$@\"; }\npfsd='" + pfsd() + "' M='" + mount() + "' S='" +
            store() + "' D='" + directory_.path() +
            "'\nmknod \"$D/fuse\" c 10 229; chmod 666 \"$D/fuse\"; mount --bind \"$D/fuse\" "
            "/dev/fuse\n" +
            "ended() { flock -w 20 \"$S/LOCK\" true; }\n" + script);
    return run("unshare -m sh " + file("script"));
  }

 private:
  TemporaryDirectory directory_;
};

}  // namespace pfs::test
