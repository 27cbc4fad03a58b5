// What every Runner does, and what the worker that it starts does. Built twice: with threads, and with podman.

#include <catch2/catch.hpp>

#include <cstdlib>
#include <iostream>

#include <boost/filesystem.hpp>

#include "base/file.h"
#include "support/temporary_directory.h"
#include "trigger/internal/worker_link.h"
#include "trigger/internal/worker_pod.h"
#include "trigger/podman_runner.h"
#ifdef PFS_WITH_PODMAN
#include "contract/trigger/podman_image.h"
#else
#include "support/fake_runner.h"
#endif

using namespace pfs;
using namespace pfs::trigger;

namespace {

const KeepGoing kAlways = [] { return true; };

#ifdef PFS_WITH_PODMAN
struct Backend {
  PodmanRunner runner{{PFS_WORKER, directory.path(), *ContainerEngine::parse("podman")}};
  std::string image = test::busybox_image();

  Backend() {
    if (const auto probed = runner.probe(); !probed) {
      std::cerr << "skipped: " << probed.error().message << "\n";
      std::exit(77);
    }
  }
  static test::TemporaryDirectory directory;
};
test::TemporaryDirectory Backend::directory;
#else
struct Backend {
  test::FakeRunner runner{[](const test::ProgramCall& call) {
    // the commands of these tests, as a shell would run them
    if (call.request.arguments.back() == "id") call.print("uid\n");
    if (call.request.arguments.back() == "echo $GREETING") call.print(call.environment.at("GREETING") + "\n");
    return worker::CommandEnd{worker::End::kExited, call.request.arguments.back() == "exit 3" ? 3u : 0u, {}};
  }};
  std::string image = "image";
};
#endif

struct Pods : Backend {
  Pods() { boost::filesystem::create_directories(directory / "view"); }
  ~Pods() { (void)runner.stop_all({{kStoreLabel, store_id}}); }

  PipelineSpec spec() const {
    return *parse_spec(R"({"pipeline": {"name": "contract"}, "input": {"pfs": {"repo": "r", "glob": "/*"}},
                           "transform": {"image": ")" + image + R"(", "cmd": ["sh"], "env": {"GREETING": "good day"}})" +
                      (limits.empty() ? "" : ", " + limits) + "}");
  }
  PodRequest request(const std::string& suffix, PodUser user = {}) {
    const std::string links = directory / suffix;
    boost::filesystem::create_directories(links);
    return worker_pod(spec(), user, {store_id, PFS_WORKER, directory / "view", links, suffix});
  }
  /// A pod whose worker is connected.
  struct Started {
    PodId pod;
    WorkerLink link;

    Result<worker::CommandEnd> shell(const std::string& script, std::string& output) {
      return link.run({{"sh", "-c", script}, {}, {}, {}}, [&](std::string_view piece) { output += piece; }, kAlways);
    }
  };
  Started start(const std::string& suffix, PodUser user = {}) {
    const PodRequest pod = request(suffix, user);
    auto link = WorkerLink::listen(directory / suffix);
    REQUIRE(link);
    auto id = runner.start(pod, kAlways);
    INFO((id ? "" : id.error().message));
    REQUIRE(id);
    REQUIRE(link->accept(std::chrono::seconds(30), kAlways));
    return Started{*id, *std::move(link)};
  }

  std::string limits;  ///< a field of the spec more
  test::TemporaryDirectory directory;
  const std::string store_id = new_commit_id().hex();
};

}  // namespace

TEST_CASE("a runner that works says so", "[runner][contract]") {
  Pods pods;
  REQUIRE(pods.runner.probe());
  CHECK_FALSE(pods.runner.report().empty());
}

TEST_CASE("an image's users are known before anything runs", "[runner][contract]") {
  Pods pods;
  const auto own = pods.runner.user_of({pods.image, "", {}}, kAlways);
  REQUIRE(own);
  CHECK(own->uid == 0);
  const auto named = pods.runner.user_of({pods.image, "nobody", {}}, kAlways);
  REQUIRE(named);
  CHECK(named->uid == 65534);
  CHECK(named->gid == 65534);
  CHECK(pods.runner.user_of({pods.image, "stranger", {}}, kAlways).error().code == Code::kInvalid);
}

TEST_CASE("an image that is not there and cannot be fetched is not found", "[runner][contract]") {
  Pods pods;
  const auto user = pods.runner.user_of({"pfs-no-such-image:1", "", {}}, kAlways);
  REQUIRE_FALSE(user);
  CHECK(user.error().code == Code::kNotFound);
  CHECK(user.error().message.find("pfs-no-such-image:1") != std::string::npos);
}

TEST_CASE("a pod runs the worker, which runs commands in its environment", "[runner][contract]") {
  Pods pods;
  auto started = pods.start("one");
  CHECK(pods.runner.status(started.pod)->running);
  std::string output;
  const auto end = started.shell("echo $GREETING", output);
  REQUIRE(end);
  CHECK(end->code == 0);
  CHECK(output == "good day\n");
  const auto failed = started.shell("exit 3", output);
  REQUIRE(failed);
  CHECK(failed->code == 3);
}

TEST_CASE("a stopped pod does not run, and stopping it again is no error", "[runner][contract]") {
  Pods pods;
  auto started = pods.start("two");
  REQUIRE(pods.runner.stop(started.pod));
  const auto status = pods.runner.status(started.pod);
  REQUIRE(status);
  CHECK_FALSE(status->running);
  CHECK_FALSE(status->reason.empty());
  CHECK(pods.runner.stop(started.pod));
  std::string output;
  CHECK(started.shell("true", output).error().code == Code::kUnavailable);
}

TEST_CASE("pods are found again by their labels", "[runner][contract]") {
  Pods pods;
  auto first = pods.start("three");
  auto second = pods.start("four");
  REQUIRE(pods.runner.stop_all({{kStoreLabel, "another store"}}));
  CHECK(pods.runner.status(first.pod)->running);
  REQUIRE(pods.runner.stop_all({{kStoreLabel, pods.store_id}, {kPipelineLabel, "contract"}}));
  CHECK_FALSE(pods.runner.status(first.pod)->running);
  CHECK_FALSE(pods.runner.status(second.pod)->running);
}

#ifdef PFS_WITH_PODMAN
TEST_CASE("a command that the memory limit ends says so, and the container goes on", "[runner][container]") {
  Pods pods;
  pods.limits = R"("resource_limits": {"memory": "64Mi", "cpu": 0.5})";
  auto started = pods.start("limits");
  std::string output;
  // a shell's variable of more than the limit
  const auto end = started.shell("x=xxxxxxxxxxxxxxxx; while true; do x=$x$x; done", output);
  REQUIRE(end);
  CHECK((end->how == worker::End::kSignalled || end->code != 0));
  CHECK(end->why == "the memory limit was reached");
  const auto next = started.shell("echo again", output);
  REQUIRE(next);
  CHECK(next->why.empty());
}

TEST_CASE("a container has the view at /pfs, the user asked for, and no network", "[runner][container]") {
  Pods pods;
  boost::filesystem::permissions(pods.directory.path(), boost::filesystem::perms(0755));
  boost::filesystem::permissions(pods.directory / "view", boost::filesystem::perms(0777));
  auto started = pods.start("five", PodUser{65534, 65534});
  std::string output;
  REQUIRE(started.shell("id -u; echo made > /pfs/file; cat /proc/net/dev | wc -l 2>/dev/null || echo", output));
  CHECK(output.substr(0, 6) == "65534\n");
  CHECK(pfs::read_file(pods.directory / "view/file").value_or("") == "made\n");
}

TEST_CASE("a container of another user than root has as many processes as the machine allows", "[runner][container]") {
  Pods pods;
  auto started = pods.start("processes", PodUser{4321, 4321});
  std::string output;
  const auto end = started.shell("i=0; while test $i -lt 100; do sleep 600 & i=$((i+1)); done; echo $i", output);
  REQUIRE(end);
  INFO(output);
  CHECK(end->code == 0);
  CHECK(output.starts_with("100\n"));
}

TEST_CASE("what a command leaves in its container is killed before its end is told", "[runner][container]") {
  Pods pods;
  auto started = pods.start("six");
  std::string output;
  REQUIRE(started.shell("(trap '' HUP; sleep 600) & (sleep 600 &) ; true", output));
  output.clear();
  REQUIRE(started.shell("for p in /proc/[0-9]*; do echo $p; done", output));
  CHECK(output.find("/proc/1\n") == 0);
  CHECK(std::count(output.begin(), output.end(), '\n') == 2);  // the worker and this very shell
}

TEST_CASE("a command that does nothing costs a warm container a few milliseconds", "[runner][container]") {
  Pods pods;
  auto started = pods.start("seven");
  std::string output;
  constexpr int kTimes = 50;
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < kTimes; ++i) REQUIRE(started.shell("exit 0", output));
  const auto each = (std::chrono::steady_clock::now() - began) / kTimes;
  CHECK(each < std::chrono::milliseconds(50));
  WARN("a command: " << std::chrono::duration_cast<std::chrono::microseconds>(each).count() << " us");
}
#endif
