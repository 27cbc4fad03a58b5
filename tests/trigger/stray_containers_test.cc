#include "trigger/internal/stray_containers.h"

#include <sys/stat.h>

#include <fstream>
#include <stdexcept>

#include <boost/filesystem.hpp>
#include <catch2/catch.hpp>

#include "base/file.h"
#include "support/job_fixture.h"
#include "support/killed_child.h"
#include "support/must.h"
#include "support/temporary_directory.h"
#include "trigger/fake_podman.h"
#include "trigger/podman_runner.h"

using namespace pfs;
using namespace pfs::test;
using namespace pfs::trigger;

namespace {

/// What podman 4.3 calls conmon with, as root and with `--runtime-flag root=/run/elsewhere`.
RunningProcess recorded() {
  return {17,
          {"/usr/bin/conmon", "--api-version", "1", "-c", "92ea370e", "-u", "92ea370e", "-r", "/usr/sbin/runc", "-b",
           "/var/lib/containers/storage/overlay-containers/92ea370e/userdata", "-p",
           "/run/containers/storage/overlay-containers/92ea370e/userdata/pidfile", "-n", "pfs-work-1", "--exit-dir",
           "/run/libpod/exits", "--full-attach", "-s", "-l", "none", "--log-level", "warning", "--runtime-arg",
           "--log-format=json", "--runtime-arg", "--log",
           "--runtime-arg=/run/containers/storage/overlay-containers/92ea370e/userdata/oci-log", "--runtime-arg",
           "--root=/run/elsewhere", "--conmon-pidfile", "/run/conmon.pid", "--exit-command", "/usr/bin/podman",
           "--exit-command-arg", "-n", "--exit-command-arg", "--runtime", "--exit-command-arg", "crun",
           "--exit-command-arg", "", "--exit-command-arg", "cleanup", "--exit-command-arg", "92ea370e"}};
}

/// Programs in the place of monitors, and of the runtime that they name.
struct Machine {
  Machine() {
    boost::filesystem::create_symlink("/bin/sh", directory / "conmon");
    // blocks, without a child, which would have the same words for a moment
    if (::mkfifo((directory / "nobody").c_str(), 0600) != 0) throw std::runtime_error("mkfifo");
    std::ofstream(directory / "monitor") << "echo up; read -r line < '" << directory / "nobody" << "'\n";
    runtime_does("");
  }
  void runtime_does(const std::string& script) const {
    std::ofstream(directory / "runtime") << "#!/bin/sh\necho \"$*\" >> '" << directory / "called" << "'\n" << script << "\n";
    boost::filesystem::permissions(directory / "runtime", boost::filesystem::owner_all);
  }
  KilledChild monitor(const std::string& container, const std::string& id) const {
    return KilledChild({directory / "conmon", directory / "monitor", "-c", id, "-n", container, "-r", directory / "runtime",
                        "--runtime-arg", "--root", "--runtime-arg", "/records"});
  }
  bool runs(const std::string& container) const {
    for (const ContainerMonitor& monitor : container_monitors()) {
      if (monitor.container == container) return true;
    }
    return false;
  }
  std::string calls() const { return read_file(directory / "called").value_or(""); }

  TemporaryDirectory directory;
};

}  // namespace

TEST_CASE("a monitor's words tell its container, and the runtime with the root of its records", "[trigger]") {
  const auto monitor = monitor_of(recorded());
  REQUIRE(monitor);
  CHECK(monitor->container == "pfs-work-1");
  CHECK(monitor->id == "92ea370e");
  CHECK(monitor->runtime == std::vector<std::string>{"/usr/sbin/runc", "--root=/run/elsewhere"});
  CHECK(monitor->process.pid == 17);
}

TEST_CASE("another program is no monitor, whatever its words are", "[trigger]") {
  RunningProcess process = recorded();
  process.words[0] = "/usr/bin/podman";
  CHECK_FALSE(monitor_of(process));
  CHECK_FALSE(monitor_of({1, {}}));
  CHECK_FALSE(monitor_of({1, {"conmon"}}));
  CHECK_FALSE(monitor_of({1, {"conmon", "--version", "-n"}}));
}

TEST_CASE("a process is killed only while it has the words that were seen", "[trigger]") {
  const Machine machine;
  KilledChild monitor = machine.monitor("pfs-stray-words", "1d1");
  REQUIRE(monitor.read_line() == "up");
  std::vector<ContainerMonitor> found = container_monitors();
  std::erase_if(found, [](const ContainerMonitor& one) { return one.container != "pfs-stray-words"; });
  REQUIRE(found.size() == 1);
  RunningProcess other = found[0].process;
  other.words.back() += "x";
  kill_process(other);
  CHECK(machine.runs("pfs-stray-words"));
  kill_process(found[0].process);
  CHECK(JobFixture::until([&] { return !machine.runs("pfs-stray-words"); }));
  kill_process(found[0].process);
}

TEST_CASE("of a container that podman does not know, the monitor is ended and the runtime's record removed", "[trigger]") {
  const Machine machine;
  KilledChild monitor = machine.monitor("pfs-stray-one", "1d2");
  KilledChild other = machine.monitor("pfs-stray-one-more", "1d3");
  REQUIRE(monitor.read_line() == "up");
  REQUIRE(other.read_line() == "up");
  must(end_half_made("pfs-stray-one", std::nullopt, {}));
  CHECK_FALSE(machine.runs("pfs-stray-one"));
  CHECK(machine.runs("pfs-stray-one-more"));
  CHECK(machine.calls() == "--root /records delete --force 1d2\n");
}

TEST_CASE("of a container whose monitor was killed too, the runtime that podman names is asked", "[trigger]") {
  const Machine machine;
  must(end_half_made("pfs-stray-two", RuntimeRecord{"1d4", machine.directory / "runtime"}, {"env"}));
  CHECK(machine.calls() == "delete --force 1d4\n");
  must(end_half_made("pfs-stray-two", RuntimeRecord{"1d4", machine.directory / "no such runtime"}, {}));
  machine.runtime_does("exit 1");
  const auto refused = end_half_made("pfs-stray-two", RuntimeRecord{"1d4", machine.directory / "runtime"}, {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::kUnavailable);
}

TEST_CASE("what the runtime has of a container is removed with it where its monitor was killed, else left to podman", "[trigger]") {
  const Machine machine;
  const FakePodman podman(machine.directory.path());
  podman.answer("container", "echo '1d5 running " + machine.directory / "runtime" + "'");
  PodmanRunner runner({"/worker", machine.directory.path(), must(ContainerEngine::parse(podman.program()))});
  std::ofstream(machine.directory / "containers/pfs-stray-three") << "pfs.test=three\n";
  const bool all_with_label = GENERATE(false, true);
  const auto stop = [&] {
    must(all_with_label ? runner.stop_all({{"pfs.test", "three"}}) : runner.stop({"pfs-stray-three"}));
    CHECK(podman.containers().empty());
  };
  SECTION("it was killed") {
    CHECK_FALSE(has_monitor("pfs-stray-three"));
    stop();
    CHECK(machine.calls() == "delete --force 1d5\n");
  }
  SECTION("it runs") {
    KilledChild monitor = machine.monitor("pfs-stray-three", "1d5");
    REQUIRE(monitor.read_line() == "up");
    CHECK(has_monitor("pfs-stray-three"));
    stop();
    CHECK(machine.calls().empty());
    CHECK(machine.runs("pfs-stray-three"));
  }
}
