// What is made of what an engine says, by a program in podman's place.
#include <catch2/catch.hpp>

#include "support/temporary_directory.h"
#include "trigger/fake_podman.h"
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

TEST_CASE("reasons that differ in names and numbers only are one", "[trigger]") {
  CHECK(gist_of("container pfs-a-1f00ba: no room (usage: 2625536)") == gist_of("container pfs-a-77ee01: no room (usage: 3002368)"));
  CHECK(gist_of("no such device") != gist_of("no such image"));
  CHECK(gist_of("").empty());
  CHECK(gist_of("x9") != gist_of("y"));
}
