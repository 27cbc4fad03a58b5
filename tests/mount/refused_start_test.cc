// What a person is told when pfsd or mount.pfs cannot start: one line that names the object and says what to do, and
// nothing left behind.
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "mount/start.h"

using namespace pfs::test;


TEST_CASE("without /dev/fuse the start is refused before a store is made", "[mount]") {
  if (!Start::has_namespaces()) return;
  const Start start;
  const std::string before = GENERATE(as<std::string>(), "mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3",
                                      "mount --bind /dev/null /dev/fuse");
  if (::geteuid() != 0 && before.find("tmpfs") != before.npos) return;
  for (const auto& command : {start.pfsd(), start.mount_pfs()}) {
    const auto refusal = Start::run_in_namespace(before, command);
    INFO(refusal.text);
    CHECK(refusal.status == (command == start.pfsd() ? 1 : 32));
    CHECK(refusal.is_one_line_with({"pfsd: /dev/fuse: ", "modprobe fuse", "--device /dev/fuse"}));
    CHECK_FALSE(start.made_a_store());
  }
}

TEST_CASE("on the network anything less than TLS with clients' certificates is refused", "[mount]") {
  const Start start;
  const auto refused = [&start](const std::string& flags, const std::vector<std::string>& words) {
    const auto refusal = Start::run(start.pfsd() + " " + flags);
    INFO(flags << ": " << refusal.text);
    CHECK(refusal.status == 1);
    CHECK(refusal.is_one_line_with(words));
    CHECK_FALSE(start.made_a_store());
  };
  refused("--listen 127.0.0.1:0", {"--listen", "--tls-cert", "--tls-client-ca", "--insecure"});
  refused("--listen 127.0.0.1:0 --tls-cert c --tls-key k", {"needs --tls-client-ca", "--insecure"});
  refused("--listen 127.0.0.1:0 --tls-cert c", {"--tls-key"});
  refused("--listen 127.0.0.1:0 --tls-client-ca c", {"--tls-cert"});
  refused("--listen 127.0.0.1:0 --tls-cert c --tls-key k --tls-client-ca a --insecure", {"--insecure: contradicts"});
  refused("--listen nonsense:port --insecure", {"--listen", "HOST:PORT"});
  refused("--insecure", {"--insecure", "--listen"});
  refused("--tls-cert c --tls-key k", {"--tls-cert", "--listen"});
}

TEST_CASE("a root that may not mount is told which capability it lacks", "[mount]") {
  if (::geteuid() != 0) return;
  const Start start;
  const auto refusal = Start::run("setpriv --bounding-set -sys_admin --inh-caps -sys_admin " + start.pfsd());
  INFO(refusal.text);
  CHECK(refusal.status == 1);
  CHECK(refusal.is_one_line_with({start.mount(), "CAP_SYS_ADMIN", "--cap-add"}));
  CHECK_FALSE(start.made_a_store());
}

TEST_CASE("a mount point that another file system has is left to it", "[mount]") {
  if (::geteuid() != 0 || !Start::has_namespaces()) return;
  const Start start;
  for (const auto& command : {start.pfsd(), start.mount_pfs()}) {
    // what is mounted there is there afterwards
    const auto refusal = Start::run_in_namespace(
        "mount -t tmpfs mine " + start.mount() + " && touch " + start.mount() + "/kept",
        "{ " + command + "; s=$?; test -e " + start.mount() + "/kept || echo gone; exit $s; }");
    INFO(refusal.text);
    CHECK(refusal.status == (command == start.pfsd() ? 1 : 32));
    CHECK(refusal.is_one_line_with({start.mount(), "mine (tmpfs) is mounted there", "choose another directory"}));
  }
}

TEST_CASE("a mount point on which another pfsd serves goes on to serve", "[mount]") {
  Mounted other;
  other.make_branch("data@master");
  const Start start;
  const auto refusal = Start::run(start.pfsd(start.store(), other.mount()));
  INFO(refusal.text);
  CHECK(refusal.status == 1);
  CHECK(refusal.is_one_line_with({other.mount(), "is mounted there", "choose another directory"}));
  put(other / "data@master/f", "x");
  CHECK(contents(other / "data@master/f") == "x");
}

TEST_CASE("a store that another pfsd has open is refused to mount.pfs as well, by the process's number", "[mount]") {
  Mounted other;
  const Start start;
  REQUIRE(::symlink(other.store().c_str(), start.store().c_str()) == 0);
  const auto refusal = Start::run(start.mount_pfs());
  INFO(refusal.text);
  CHECK(refusal.status == 32);
  CHECK(refusal.is_one_line_with({start.store(), "process " + std::to_string(other.pid()), "stop it first"}));
  CHECK_FALSE(start.is_mounted());
}

TEST_CASE("a socket on which another pfsd answers is left to it, and no mount stays behind", "[mount]") {
  Mounted other;
  const Start start;
  const auto refusal = Start::run(std::string(PFS_PFSD) + " --store " + start.store() + " --mount " + start.mount() +
                                  " --socket " + other.socket());
  INFO(refusal.text);
  CHECK(refusal.status == 1);
  CHECK(refusal.is_one_line_with({other.socket(), "another daemon answers there", "choose another path"}));
  CHECK_FALSE(start.is_mounted());
}

TEST_CASE("a mount point that is a file, or is not there, is refused before a store is made", "[mount]") {
  const Start start;
  put(start.file("file"), "kept");
  const auto on_file = Start::run(start.pfsd(start.store(), start.file("file")));
  INFO(on_file.text);
  CHECK(on_file.status == 1);
  CHECK(on_file.is_one_line_with({start.file("file"), "not a directory"}));
  CHECK(contents(start.file("file")) == "kept");

  for (const auto* name : {"nothing", "nothing/below"}) {
    const auto missing = Start::run(start.pfsd(start.store(), start.file(name)));
    INFO(missing.text);
    CHECK(missing.status == 1);
    CHECK(missing.is_one_line_with({start.file(name), "no such directory", "mkdir -p " + start.file(name)}));
  }
  CHECK_FALSE(start.made_a_store());
}

TEST_CASE("a directory with something in it is not mounted over", "[mount]") {
  const Start start;
  put(start.mount() + "/mine", "kept");
  for (const auto& command : {start.pfsd(), start.mount_pfs()}) {
    const auto refusal = Start::run(command);
    INFO(refusal.text);
    CHECK(refusal.status == (command == start.pfsd() ? 1 : 32));
    CHECK(refusal.is_one_line_with({start.mount(), "not empty", "'mine'", "choose another directory"}));
    CHECK_FALSE(start.is_mounted());
  }
  CHECK(contents(start.mount() + "/mine") == "kept");
}

TEST_CASE("a store that its own mount would hide is refused", "[mount]") {
  const Start start;
  for (const auto& store : {start.mount(), start.mount() + "/store"}) {
    const auto refusal = Start::run(start.pfsd(store, start.mount()));
    INFO(refusal.text);
    CHECK(refusal.status == 1);
    CHECK(refusal.is_one_line_with({store, "would hide it", "another directory"}));
  }
}

TEST_CASE("a directory that is no store is not made one", "[mount]") {
  const Start start;
  REQUIRE(::mkdir(start.store().c_str(), 0755) == 0);
  put(start.store() + "/thesis.txt", "kept");
  const auto refusal = Start::run(start.pfsd());
  INFO(refusal.text);
  CHECK(refusal.status == 1);
  CHECK(refusal.is_one_line_with({start.store(), "not a store", "'thesis.txt'", "choose"}));
  CHECK(::access((start.store() + "/db").c_str(), F_OK) != 0);

  const auto on_file = Start::run(start.pfsd(start.store() + "/thesis.txt", start.mount()));
  INFO(on_file.text);
  CHECK(on_file.is_one_line_with({start.store() + "/thesis.txt", "not a directory", "choose one"}));
}
