// pfsd as a service: its configuration, what it tells systemd, and an ordinary user's.
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>

#include <catch2/catch.hpp>

#include "base/file.h"
#include "mount/start.h"
#include "support/mounted.h"

using namespace pfs;
using namespace pfs::test;

namespace {

/// Where pfsd finds systemd.
class Listener {
 public:
  explicit Listener(const std::string& path)
      : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    path.copy(at.sun_path, sizeof at.sun_path - 1);
    REQUIRE(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
  }
  /// The next message; empty when there was none for a while.
  std::string next() {
    pollfd source{socket_.get(), POLLIN, 0};
    if (::poll(&source, 1, 20'000) != 1) return {};
    std::array<char, 4096> text{};
    const ssize_t size = ::recv(socket_.get(), text.data(), text.size(), 0);
    return {text.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
  }

 private:
  UniqueFd socket_;
};

}  // namespace

TEST_CASE("systemd is told when the mount answers and when it stops", "[mount]") {
  TemporaryDirectory directory;
  Listener systemd(directory / "notify");
  Mounted mounted({"NOTIFY_SOCKET=" + (directory / "notify")});
  const std::string ready = systemd.next();
  CHECK(ready.find("READY=1\n") == 0);
  CHECK(ready.find("STATUS=serving " + mounted.store() + " at " + mounted.mount()) != ready.npos);
  mounted.make_branch("data@master");
  REQUIRE(mounted.stop());
  CHECK(systemd.next().find("STOPPING=1\n") == 0);
}

TEST_CASE("the configuration file has every flag, and the command line wins", "[mount]") {
  const Start start;
  put(start.file("pfsd.toml"),
      "# everything\n"
      "store = \"" +
          start.store() + "\"\nmount = \"" + start.mount() + "\"\nsocket = \"" +
          start.file("socket") +
          "\"\n"
          "log-level = \"error\"\ndaemonize = true\nmount-options = [\"noexec\", "
          "\"noatime\"]\nallow-other = false\n"
          "uid = 1234\ngid = 4321\numask = \"027\"\ncommit = \"auto\"\ncommit-after = "
          "\"250ms\"\ncommit-max = \"2m\"\n");
  const auto said = Start::run(std::string(PFS_PFSD) + " --config " + start.file("pfsd.toml") +
                               " --log-level info");
  INFO(said.text);
  REQUIRE(said.status == 0);
  REQUIRE(start.is_mounted());
  CHECK(contents(start.store() + "/pfsd.log").find("info") ==
        std::string::npos);  // its log goes there from here on
  struct statvfs about {};
  REQUIRE(::statvfs(start.mount().c_str(), &about) == 0);
  CHECK((about.f_flag & ST_NOEXEC) != 0);
  struct stat branch {};
  REQUIRE(::mkdir((start.mount() + "/data@master").c_str(), 0777) == 0);
  REQUIRE(::stat((start.mount() + "/data@master").c_str(), &branch) == 0);
  CHECK(branch.st_uid == 1234);
  CHECK(branch.st_gid == 4321);
  CHECK((branch.st_mode & 07777U) == 0750);
  if (::geteuid() == 0) {
    put(start.mount() + "/data@master/f", "x");
    REQUIRE(::stat((start.mount() + "/data@master/f").c_str(), &branch) == 0);
    CHECK(branch.st_uid == 1234);
    CHECK((branch.st_mode & 0027U) == 0);
  }
  CHECK(Start::unmount(start.mount()));
  start.wait_for_end();
  CHECK(contents(start.store() + "/pfsd.log").find("info") != std::string::npos);
}

TEST_CASE("the configuration that is installed is one, and the unit is one to systemd", "[mount]") {
  const Start start;
  const auto said = Start::run(
      "sed 's#/var/lib/pfs/store#" + start.store() + "#; s#\"/pfs\"#\"" + start.mount() +
      "\"#; s#/run/pfs#" + start.file("") +
      "#; s/^# \\([a-z-]* = \\)/\\1/; s/^uid.*//; s/^gid.*//' " PFS_DAEMON_SOURCES "/pfsd.toml > " +
      start.file("pfsd.toml") + "; " PFS_PFSD " --log-level error --config " +
      start.file("pfsd.toml"));
  INFO(said.text << contents(start.file("pfsd.toml")));
  REQUIRE(said.status == 0);
  REQUIRE(start.is_mounted());
  CHECK(Start::unmount(start.mount()));
  start.wait_for_end();
  if (Start::run("command -v systemd-analyze > /dev/null").status != 0) return;
  // with the pfsd of the build in the place of the one that is not installed
  const auto verified =
      Start::run("sed 's#^ExecStart=[^ ]*#ExecStart=" PFS_PFSD "#' " PFS_DAEMON_UNIT " > " +
                 start.file("pfsd.service") + "; systemd-analyze verify --man=no " +
                 start.file("pfsd.service"));
  INFO(verified.text);
  CHECK(verified.text.find("pfsd.service") == std::string::npos);
}

TEST_CASE("a configuration that cannot be is refused in one line that names the option",
          "[mount]") {
  const Start start;
  const auto refused = [&](const std::string& text, const std::vector<std::string>& words) {
    put(start.file("pfsd.toml"), text);
    const auto refusal = Start::run(start.pfsd() + " --config " + start.file("pfsd.toml"));
    INFO(text << "\n" << refusal.text);
    CHECK(refusal.status == 1);
    CHECK(refusal.is_one_line_with(words));
    CHECK_FALSE(start.made_a_store());
  };
  refused("colour = \"red\"\n",
          {start.file("pfsd.toml"), "colour", "no such option", "pfsd --help"});
  refused("uid = \"me\"\n", {"--uid me", "no number"});
  refused("umask = \"999\"\n", {"--umask 999", "no octal number"});
  refused("commit = \"often\"\n", {"--commit often", "auto, close or manual"});
  refused("commit-after = \"3 weeks\"\n", {"--commit-after", "'3 weeks'", "500ms, 5s"});
  refused("mount-options = [\"ro\", \"bogus\"]\n", {"--mount-options bogus"});
  const auto missing = Start::run(start.pfsd() + " --config " + start.file("nothing.toml"));
  CHECK(missing.is_one_line_with({start.file("nothing.toml"), "cannot be read"}));
}

TEST_CASE("an ordinary user's pfsd mounts by fusermount3, serves its user and ends", "[mount]") {
  const Start start;
  if (!start.give_to_user()) return;
  const auto said = start.run_script(R"sh(
    as_user $pfsd --daemonize --log-level error
    as_user sh -euc 'cd "$1"; mkdir data@master; echo hello > data@master/f; echo now > data@master/.pfs/commit
      cat .pfs/heads/data@master/f; stat -c %u . data@master' - "$M"
    grep -o 'fuse.pfs rw,[a-z,]*user_id=65534' /proc/mounts | cut -d, -f 1
    as_user fusermount3 -u "$M"
    ended
    as_user $pfsd --daemonize --log-level error
    as_user cat "$M/data@master/f"
    kill -9 "$(cut -d ' ' -f 1 "$S/LOCK")"
    ended
    # the dead mount is replaced
    as_user $pfsd --daemonize --log-level error
    as_user cat "$M/data@master/f"
    as_user fusermount3 -u "$M"
    ended
  )sh");
  CHECK(said.text == "hello\n65534\n65534\nfuse.pfs rw\nhello\nhello\n");
  CHECK(said.status == 0);
}

TEST_CASE("others and root enter an ordinary user's mount where user_allow_other is set and only there",
          "[mount]") {
  const Start start;
  if (!start.give_to_user()) return;
  const auto said = start.run_script(R"sh(
    chmod 755 "$D"
    as_another() { setpriv --reuid 54321 --regid 54321 --clear-groups "$@"; }
    echo "# nobody" > "$D/fuse.conf"; mount --bind "$D/fuse.conf" /etc/fuse.conf
    as_user $pfsd --log-level warn > "$D/log" 2>&1 & until as_user test -d "$M/.pfs"; do sleep 0.05; done
    as_user sh -euc 'cd "$1"; mkdir data@master; echo hello > data@master/f; mkdir data@dev; cp data@master/f data@dev/
      ln -s data@dev data@master' - "$M"
    ls "$M" 2>&1 | sed 's/.*: //'
    as_another cat "$M/data@master/f" 2>&1 | sed 's/.*: //'
    grep -o 'add the line user_allow_other to /etc/fuse.conf' "$D/log"
    as_user fusermount3 -u "$M"
    ended
    echo user_allow_other > "$D/fuse.conf"
    as_user $pfsd --daemonize --log-level warn
    cat "$M/data@master/f"
    as_another cat "$M/data@master/f"
    as_another sh -c 'echo theirs > "$1"' - "$M/data@dev/theirs"
    stat -c %u "$M/data@dev/theirs"
    as_user fusermount3 -u "$M"
    ended
  )sh");
  CHECK(said.text == "Permission denied\nPermission denied\nadd the line user_allow_other to /etc/fuse.conf\n"
                     "hello\nhello\n54321\n");
  CHECK(said.status == 0);
}

TEST_CASE("an ordinary user is told what is missing, and by which command it is mended",
          "[mount]") {
  struct Trouble {
    std::string before;
    std::string flags;
    std::vector<std::string> words;
  };
  const auto trouble = GENERATE(values<Trouble>({
      {"chown 0 $M", "", {"mnt: not this user's", "have root say `chown 65534 "}},
      {"touch $M/f", "", {"mnt: not empty", "choose another directory"}},
      {"touch /etc/fuse.conf; mount --bind /dev/null /etc/fuse.conf",
       "--allow-other",
       {"allow_other", "/etc/fuse.conf", "`echo user_allow_other >> /etc/fuse.conf`"}},
      {"mount --bind /dev/null /usr/bin/fusermount3", "", {"no fusermount3", "apt install fuse3"}},
      {"cp /usr/bin/fusermount3 $D/f; chmod 755 $D/f; mount --bind $D/f /usr/bin/fusermount3",
       "",
       {"/usr/bin/fusermount3", "`chmod u+s /usr/bin/fusermount3`"}},
      {"chown 54321 $D $M; as_user() { setpriv --reuid 54321 --regid 54321 --clear-groups env "
       "HOME=$D \"$@\"; }",
       "",
       {"mnt: cannot be mounted on", "could not determine username"}},
      {"chmod 600 /dev/fuse", "", {"/dev/fuse: not allowed to this user", "`chmod 666 /dev/fuse`"}},
      {"mount -t tmpfs mine $M",
       "",
       {"mnt: mine (tmpfs) is mounted there", "choose another directory"}},
  }));
  const Start start;
  if (!start.give_to_user()) return;
  const auto refusal = start.run_script(trouble.before + "\nas_user $pfsd " + trouble.flags);
  INFO(trouble.before << ": " << refusal.text);
  CHECK(refusal.status == 1);
  CHECK(refusal.is_one_line_with(trouble.words));
}

TEST_CASE("a second start on the same store and mount says who has it", "[mount]") {
  Mounted mounted;
  const auto refusal = Start::run(std::string(PFS_PFSD) + " --store " + mounted.store() +
                                  " --mount " + mounted.mount() + " --socket " + mounted.socket());
  INFO(refusal.text);
  CHECK(refusal.status == 1);
  CHECK(refusal.is_one_line_with(
      {mounted.store(), "process " + std::to_string(mounted.pid()), "stop it first"}));
  mounted.make_branch("data@master");
}
