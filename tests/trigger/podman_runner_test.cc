// What is made of what an engine says, by a program in podman's place.
#include <unistd.h>

#include <fstream>

#include <catch2/catch.hpp>

#include "support/temporary_directory.h"
#include "trigger/fake_podman.h"
#include "trigger/internal/id_map.h"
#include "trigger/internal/trouble.h"
#include "trigger/podman_runner.h"

using namespace pfs;
using namespace pfs::test;
using namespace pfs::trigger;

TEST_CASE("only the engine's own words say that an image or a user is not there", "[trigger]") {
  TemporaryDirectory directory;
  const FakePodman podman(directory.path());
  PodmanRunner runner({"/worker", directory.path(), *ContainerEngine::parse(podman.program())});
  const auto refusal = [&](const std::string& image, const std::string& user) {
    const auto found = runner.user_of({image, user, {}}, [] { return true; });
    REQUIRE_FALSE(found);
    return found.error().code;
  };
  const std::string unknown = "echo 'Error: reading manifest 1 in r/image: manifest unknown' >&2; exit 125";
  podman.answer("pull", unknown);  // which nobody should ask for an image that may be there
  podman.answer("image", "kill -9 $$");
  CHECK(refusal("image:1", "") == Code::kUnavailable);
  podman.answer("image", "echo 'Error: database is locked' >&2; exit 125");
  CHECK(refusal("image:1", "") == Code::kUnavailable);

  podman.answer("image", "echo 'Error: inspecting object: image:1: image not known' >&2; exit 125");
  podman.answer("pull", "kill -9 $$");
  CHECK(refusal("image:1", "") == Code::kUnavailable);
  const std::string away = "echo 'Error: pinging container registry r: dial tcp 10.0.0.1:443: connect: connection refused' >&2; exit 125";
  podman.answer("pull", away);
  CHECK(refusal("r/image:1", "") == Code::kUnavailable);
  CHECK(refusal("localhost/image:1", "") == Code::kNotFound);  // nobody serves those
  podman.answer("pull", unknown);
  CHECK(refusal("r/image:1", "") == Code::kNotFound);

  podman.answer("image", "echo 'Error: parsing reference \"Image:1\": invalid reference format: repository name must be lowercase' >&2; exit 125");
  CHECK(refusal("Image:1", "") == Code::kNotFound);  // and never will be there

  podman.answer("image", "exit 0");
  podman.answer("whoami", "kill -9 $$");
  CHECK(refusal("image:1", "nobody") == Code::kUnavailable);
  podman.answer("whoami", "echo 'Error: unable to find user nobody: no matching entries in passwd file' >&2; exit 126");
  CHECK(refusal("image:1", "nobody") == Code::kInvalid);
  podman.answer("whoami", "echo 65534 65533");
  const auto found = runner.user_of({"image:1", "nobody", {}}, [] { return true; });
  REQUIRE(found);
  CHECK(found->gid == 65533);
}

TEST_CASE("an image without a registry is looked for where docker would, when the engine knows nowhere to look", "[trigger]") {
  TemporaryDirectory directory;
  const FakePodman podman(directory.path());
  PodmanRunner runner({"/worker", directory.path(), *ContainerEngine::parse(podman.program())});
  const std::string there = directory.path() + "/there";
  podman.answer("image", "test -e " + there + " || { echo 'Error: team/image:1: image not known' >&2; exit 125; }");
  podman.answer("pull", "case \"$*\" in *docker.io/team/image:1) touch " + there + ";; "
                        "*) echo 'Error: short-name \"team/image:1\" did not resolve to an alias and no unqualified-search registries "
                        "are defined in \"/etc/containers/registries.conf\"' >&2; exit 125;; esac");
  int pulls = 0;
  const auto found = runner.user_of({"team/image:1", "", {}, [&] { ++pulls; }}, [] { return true; });
  REQUIRE(found);
  CHECK(found->uid == 0);
  CHECK(pulls == 1);
  podman.answer("image", "echo 'Error: other:1: image not known' >&2; exit 125");
  podman.answer("pull", "case \"$*\" in *docker.io/library/other:1) echo 'dial tcp: connect: connection refused' >&2; exit 125;; "
                        "*) echo 'Error: short-name \"other:1\" did not resolve to an alias and no unqualified-search registries "
                        "are defined' >&2; exit 125;; esac");
  const auto missing = runner.user_of({"other:1", "", {}}, [] { return true; });
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == Code::kNotFound);
  CHECK(missing.error().message.find("image other:1: not on this machine, and cannot be pulled") == 0);
}

TEST_CASE("whom a container's user is outside is asked of podman where it runs without root", "[trigger]") {
  TemporaryDirectory directory;
  const FakePodman podman(directory.path());
  podman.answer("unshare", "case $3 in *uid_map) echo '0 1001 1'; echo '1 100000 65536' ;; *) echo '0 1002 1'; echo '1 200000 10' ;; esac");
  PodmanRunner::Options options{"/worker", directory.path(), *ContainerEngine::parse(podman.program())};

  SECTION("with root they are the same, and nothing is asked") {
    options.is_root = true;
    const auto same = PodmanRunner(options).outside({1000, 10});
    REQUIRE(same);
    CHECK(same->uid == 1000);
    CHECK(same->gid == 10);
  }
  SECTION("without, its root is us, and others are ids of the user's range") {
    options.is_root = false;
    PodmanRunner runner(options);
    const auto ours = runner.outside({0, 0});
    REQUIRE(ours);
    CHECK(ours->uid == ::geteuid());
    CHECK(ours->gid == ::getegid());
    const auto theirs = runner.outside({1000, 10});
    REQUIRE(theirs);
    CHECK(theirs->uid == 100999);
    CHECK(theirs->gid == 200009);
    const auto mixed = runner.outside({1000, 0});
    REQUIRE(mixed);
    CHECK(mixed->gid == 1002);
    CHECK(runner.outside({1000, 11}).error().code == Code::kUnavailable);
    CHECK(runner.outside({65537, 0}).error().code == Code::kUnavailable);
    podman.answer("unshare", "echo 'no such thing'");
    CHECK(runner.outside({1, 1}).error().code == Code::kUnavailable);
    // one whose group only the image knows: the runtime tries
    podman.answer("whoami", "echo 'Error: OCI runtime error: unable to start container process: unable to setup user: invalid argument' >&2; exit 126");
    CHECK_THAT(runner.user_of({"image:1", "4000000", {}}, [] { return true; }).error().message, Catch::Contains("/etc/subuid"));
    podman.answer("unshare", "exit 1");
    CHECK(runner.outside({1, 1}).error().code == Code::kUnavailable);
  }
  SECTION("docker's daemon is root's, whoever asks it") {
    boost::filesystem::rename(podman.program(), directory.path() + "/docker");
    options.engine = *ContainerEngine::parse(directory.path() + "/docker");
    options.is_root = false;
    const auto same = PodmanRunner(options).outside({1000, 10});
    REQUIRE(same);
    CHECK(same->uid == 1000);
  }
}

TEST_CASE("containers without root have the user namespace that is asked for their users", "[trigger]") {
  TemporaryDirectory directory;
  // says its words, and fails: that is an error with them
  std::ofstream(directory.path() + "/podman") << "#!/bin/sh\ncase \"$*\" in *--detach*) echo \"$*\" >&2; exit 1 ;; *--rootfs*) exit 0 ;; esac\nexit 1\n";
  boost::filesystem::permissions(directory.path() + "/podman", boost::filesystem::owner_all);
  PodmanRunner::Options options{"/worker", directory.path(), *ContainerEngine::parse(directory.path() + "/podman")};
  const auto words_of_run = [&] {
    const PodRequest request{"pod", {}, {}, R"({"containers": [{"name": "user", "image": "image:1", "command": ["/worker"]}]})", PodNetwork::kNone};
    const auto started = PodmanRunner(options).start(request, [] { return true; });
    REQUIRE_FALSE(started);
    return started.error().message;
  };
  options.is_root = false;
  CHECK_THAT(words_of_run(), Catch::Contains(" --userns host "));  // and not one of containers.conf
  options.is_root = true;
  CHECK_THAT(words_of_run(), !Catch::Contains("--userns"));
}

TEST_CASE("ids outside of a user namespace are those of the kernel's map", "[trigger]") {
  const auto map = IdMap::parse("         0       1001          1\n         1     100000      65536\n 4294967294 7 1\n");
  REQUIRE(map);
  CHECK(map->outside(0) == 1001);
  CHECK(map->outside(1) == 100000);
  CHECK(map->outside(65536) == 165535);
  CHECK_FALSE(map->outside(65537));
  CHECK(map->outside(4294967294U) == 7);
  CHECK_FALSE(map->outside(4294967295U));
  CHECK_FALSE(IdMap::parse(""));
  CHECK_FALSE(IdMap::parse("0 0\n"));
  CHECK_FALSE(IdMap::parse("0 0 1 1\n"));
  CHECK_FALSE(IdMap::parse("cannot say"));
}

TEST_CASE("reasons that differ in names and numbers only are one", "[trigger]") {
  CHECK(gist_of("container pfs-a-1f00ba: no room (usage: 2625536)") == gist_of("container pfs-a-77ee01: no room (usage: 3002368)"));
  CHECK(gist_of("no such device") != gist_of("no such image"));
  CHECK(gist_of("").empty());
  CHECK(gist_of("x9") != gist_of("y"));
}
