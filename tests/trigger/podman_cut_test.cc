// What is left of a container whose `podman run` is killed by somebody else, with the real podman.
#include <catch2/catch.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>

#include <boost/filesystem.hpp>

#include "base/file.h"
#include "base/ids.h"
#include "contract/trigger/podman_image.h"
#include "support/job_fixture.h"
#include "support/must.h"
#include "support/temporary_directory.h"
#include "trigger/internal/process.h"
#include "trigger/internal/start_records.h"
#include "trigger/internal/stray_containers.h"
#include "trigger/podman_runner.h"

using namespace pfs;
using namespace pfs::test;
using namespace pfs::trigger;

namespace {

const KeepGoing kAlways = [] { return true; };

// Before podman: its `run` is killed after a while, and who waits for it is, too. Of the runtimes podman finds those below.
constexpr const char* kPodman = R"sh(#!/bin/sh
here=${0%/*}
export CONTAINERS_CONF="$here/containers.conf"
runs=
for word; do
  shift
  set -- "$@" "$word"
  test "$word" != run || runs=yes
  test "$word" != --detach || set -- "$@" --cidfile "$here/id"
done
if test -z "$runs"; then
  test ! -e "$here/broken" || exit 1
  exec podman "$@"
fi
podman "$@" &
echo $! > "$here/new.pid"
mv "$here/new.pid" "$here/pid"
if test -e "$here/kill_after"; then
  sleep "$(cat "$here/kill_after")"
  kill -9 $! 2> /dev/null
  kill -9 $$
fi
wait $!
)sh";

// Before the runtime: it kills podman before or after it makes a container.
constexpr const char* kRuntime = R"sh(#!/bin/sh
here=${0%/*}
for word; do
  test "$word" != create || creates=yes
done
end() { while ! test -e "$here/pid"; do sleep 0.01; done; kill -9 "$(cat "$here/pid")"; }
if test -n "$creates" && mv "$here/kill_before" "$here/killed" 2> /dev/null; then end; fi
if test -n "$creates" && mv "$here/kill_behind" "$here/killed" 2> /dev/null; then
  "${0##*/}" "$@"
  status=$?
  end
  exit $status
fi
exec "${0##*/}" "$@"
)sh";

struct CutPodman {
  CutPodman() {
    write("podman", kPodman);
    write("containers.conf", "[engine.runtimes]\nrunc = [\"" + directory / "runc" + "\"]\ncrun = [\"" + directory / "crun" + "\"]\n");
    for (const char* runtime : {"runc", "crun"}) write(runtime, kRuntime);
    runner = make_runner();
    if (const auto probed = runner->probe(); !probed) {
      std::cerr << "skipped: " << probed.error().message << "\n";
      std::exit(77);
    }
  }
  ~CutPodman() {
    forget("broken");
    (void)runner->stop_all({{"pfs.test", name}});
  }

  void write(const std::string& file, const std::string& text) const {
    std::ofstream(directory / file) << text;
    boost::filesystem::permissions(directory / file, boost::filesystem::owner_all);
  }
  void forget(const std::string& file) const { boost::filesystem::remove(directory / file); }
  bool has(const std::string& file) const { return boost::filesystem::exists(directory / file); }

  std::unique_ptr<PodmanRunner> make_runner() const {
    return std::make_unique<PodmanRunner>(PodmanRunner::Options{PFS_WORKER, directory.path(), must(ContainerEngine::parse(directory / "podman"))});
  }
  Result<PodId> start() {
    forget("id");
    forget("pid");
    return runner->start({name + "-" + std::to_string(++asked_), {{"pfs.test", name}}, {}, R"({"containers": [{"name": "user", "image": ")" + image +
                                  R"(", "command": ["sleep"], "args": ["600"]}]})"}, kAlways);
  }

  /// Of the container that was asked for last, where it came as far as that.
  std::string id() const { return read_file(directory / "id").value_or(""); }

  /// What is there of a container; empty: nothing of it, and no other of ours.
  std::string left(const std::string& id) const {
    std::string all;
    std::istringstream names(must(run_process({"podman", "ps", "--all", "--external", "--format", "{{.Names}}"})).output);
    for (std::string one; std::getline(names, one);) {
      if (one.starts_with(name)) all += one + " ";
    }
    for (const ContainerMonitor& monitor : container_monitors()) {
      if (monitor.container.starts_with(name)) all += "monitor ";
    }
    if (id.empty()) return all;
    if (is_word_of_a_process(id)) all += "process ";
    for (const char* runtime : {"runc", "crun"}) {
      const auto state = run_process({runtime, "state", id});
      if (state && state->succeeded()) all += runtime;
    }
    return all;
  }
  std::string left() const { return left(id()); }

  TemporaryDirectory directory;
  const std::string image = busybox_image();
  const std::string name = "pfs-cut-" + new_commit_id().hex().substr(0, 12);
  std::unique_ptr<PodmanRunner> runner;

 private:
  int asked_ = 0;
};

}  // namespace

TEST_CASE("nothing is left of a container whose podman is killed while its runtime makes it", "[trigger][container]") {
  CutPodman podman;
  const std::string moment = GENERATE("kill_before", "kill_behind");
  podman.write(moment, "");
  REQUIRE_FALSE(podman.start());
  CHECK(podman.has("killed"));
  CHECK(podman.left() == "");
}

TEST_CASE("nothing is left of a container whose podman is killed at any moment", "[trigger][container]") {
  CutPodman podman;
  const auto began = std::chrono::steady_clock::now();
  const auto whole = must(podman.start());
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - began;
  CHECK_FALSE(podman.left().empty());
  must(podman.runner->stop(whole));
  constexpr int kMoments = 8;
  for (int moment = 1; moment <= kMoments; ++moment) {
    podman.write("kill_after", std::to_string(time.count() * moment / kMoments));
    CAPTURE(moment);
    REQUIRE_FALSE(podman.start());
    // of one that podman knew to run, the monitor ends by itself, a little later
    CHECK(JobFixture::until([&] { return podman.left().empty(); }));
    CHECK(podman.left() == "");
  }
}

TEST_CASE("nothing is left of a container whose monitor is killed while it runs", "[trigger][container]") {
  CutPodman podman;
  const PodId pod = must(podman.start());
  for (const ContainerMonitor& monitor : container_monitors()) {
    if (monitor.container == pod.value) kill_process(monitor.process);
  }
  REQUIRE(JobFixture::until([&] { return !has_monitor(pod.value); }));
  SECTION("it is stopped") { must(podman.runner->stop(pod)); }
  SECTION("leftovers are removed") { must(podman.runner->stop_all({{"pfs.test", podman.name}})); }
  CHECK(podman.left() == "");
}

TEST_CASE("the next start removes what a killed podman and its pfsd have left", "[trigger][container]") {
  CutPodman podman;
  podman.write("broken", "");
  podman.write("kill_behind", "");
  REQUIRE_FALSE(podman.start());
  const std::string forgotten = podman.id();
  must(run_process({"podman", "rm", "--force", forgotten}));
  podman.write("kill_behind", "");
  REQUIRE_FALSE(podman.start());
  CHECK(podman.left(forgotten).find("process") != std::string::npos);
  CHECK(podman.left().find("process") != std::string::npos);
  podman.forget("broken");

  podman.runner.reset();
  const StartRecords starts(podman.directory / "starts");
  const auto killed = starts.earlier();
  REQUIRE(killed.size() == 1);
  podman.runner = podman.make_runner();
  podman.runner->remove_earlier();
  CHECK(JobFixture::until([&] {
    const auto still = starts.earlier();
    return std::find(still.begin(), still.end(), killed[0]) == still.end();
  }));
  CHECK(podman.left(forgotten) == "");
  CHECK(podman.left() == "");
}
