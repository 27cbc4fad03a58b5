#include <catch2/catch.hpp>

#include <chrono>
#include <memory>
#include <thread>

#include "support/job_fixture.h"
#include "support/killed_child.h"
#include "trigger/fake_podman.h"

using namespace pfs;
using namespace pfs::test;

namespace {

bool is_empty_or_gone(const std::string& directory) {
  return !boost::filesystem::exists(directory) || boost::filesystem::is_empty(directory);
}

/// A pfsd that was killed while it had `podman run` under way.
void kill_in_the_middle_of_a_run(const TemporaryDirectory& directory, const FakePodman& podman) {
  podman.hold_a_run();
  KilledChild victim({PFS_PODMAN_VICTIM, directory.path()});
  REQUIRE(JobFixture::until([&] { return podman.holds_a_run(); }));
  victim.kill();
  REQUIRE(podman.made() == 0);
}

}  // namespace

TEST_CASE("a container that podman makes only after its pfsd was killed and the next one has looked is removed",
          "[trigger][fault]") {
  TemporaryDirectory directory;
  const FakePodman podman(directory.path());
  kill_in_the_middle_of_a_run(directory, podman);
  FakePodmanPfsd next(directory.path());
  REQUIRE(JobFixture::until([&] { return podman.made() == 1; }));
  const auto own = podman.containers();
  REQUIRE(own.size() == 1);
  podman.let_go();
  REQUIRE(JobFixture::until([&] { return podman.made() == 2; }));
  CHECK(JobFixture::until([&] { return podman.containers() == own; }));
}

TEST_CASE("a container that podman makes only after the second pfsd was stopped is removed by the third", "[trigger][fault]") {
  TemporaryDirectory directory;
  const FakePodman podman(directory.path());
  kill_in_the_middle_of_a_run(directory, podman);
  {
    FakePodmanPfsd second(directory.path());
    REQUIRE(JobFixture::until([&] { return podman.made() == 1; }));
  }
  CHECK(podman.containers().empty());
  podman.let_go();
  REQUIRE(JobFixture::until([&] { return podman.made() == 2; }));
  CHECK(podman.containers().size() == 1);

  FakePodmanPfsd third(directory.path());
  REQUIRE(JobFixture::until([&] { return podman.made() == 3; }));
  CHECK(JobFixture::until([&] { return podman.containers().size() == 1; }));
}

TEST_CASE("a container whose start is under way when nobody wants it any more is made, and removed", "[trigger][fault]") {
  TemporaryDirectory directory;
  const FakePodman podman(directory.path());
  auto pfsd = std::make_unique<FakePodmanPfsd>(directory.path());
  podman.hold_a_run();
  pfsd->make_pipeline();
  REQUIRE(JobFixture::until([&] { return podman.holds_a_run(); }));
  std::thread stop([&] { pfsd.reset(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(500));  // longer than it takes to be asked to stop
  podman.let_go();
  stop.join();
  CHECK(podman.made() == 1);
  CHECK(podman.containers().empty());
}

TEST_CASE("a pfsd that is stopped leaves no container, and nothing to look for", "[trigger][fault]") {
  TemporaryDirectory directory;
  const FakePodman podman(directory.path());
  {
    FakePodmanPfsd pfsd(directory.path());
    pfsd.make_pipeline();
    REQUIRE(JobFixture::until([&] { return podman.made() == 1; }));
    REQUIRE(podman.containers().size() == 1);
    CHECK(podman.containers().begin()->second.find("pfs.start=") != std::string::npos);
    CHECK_FALSE(is_empty_or_gone(directory / "jobs/starts"));
  }
  CHECK(podman.containers().empty());
  CHECK(is_empty_or_gone(directory / "jobs/starts"));
}
