#include <catch2/catch.hpp>

#include <chrono>
#include <thread>

#include "support/killed_child.h"
#include "support/temporary_directory.h"
#include "trigger/internal/worker_link.h"

using namespace pfs;
using namespace pfs::trigger;
using worker::CommandEnd;
using worker::CommandRequest;
using worker::End;

namespace {

const KeepGoing kAlways = [] { return true; };

/// The real worker, outside of a container, at the other end of a link.
struct Connected {
  Connected()
      : link(*WorkerLink::listen(directory.path())),
        child({PFS_WORKER, directory / WorkerLink::kSocketName}) {
    REQUIRE(link.accept(std::chrono::seconds(20), kAlways));
  }

  Result<CommandEnd> run(const CommandRequest& request) {
    output.clear();
    return link.run(request, [this](std::string_view piece) { output += piece; }, kAlways);
  }
  Result<CommandEnd> shell(const std::string& script) { return run({{"/bin/sh", "-c", script}, {}, {}, {}}); }

  test::TemporaryDirectory directory;
  WorkerLink link;
  test::KilledChild child;
  std::string output;
};

}  // namespace

TEST_CASE("the worker runs a command and reports its output and its end", "[trigger]") {
  Connected worker;
  const auto end = worker.shell("echo out; echo err >&2; exit 3");
  REQUIRE(end);
  CHECK(end->how == End::kExited);
  CHECK(end->code == 3);
  CHECK(worker.output == "out\nerr\n");
}

TEST_CASE("the worker runs one command after another", "[trigger]") {
  Connected worker;
  for (int i = 0; i < 20; ++i) {
    const auto end = worker.shell("echo " + std::to_string(i));
    REQUIRE(end);
    CHECK(worker.output == std::to_string(i) + "\n");
  }
}

TEST_CASE("a worker that is frozen before it has taken the command holds nobody up", "[trigger]") {
  Connected worker;
  worker.child.pause();
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
  const auto end = worker.link.run({{"/bin/true"}, std::string(4 << 20, 'x'), {}, {}}, [](std::string_view) {},
                                   [until] { return std::chrono::steady_clock::now() < until; });
  REQUIRE_FALSE(end);
  CHECK(end.error().code == Code::kCancelled);
}

TEST_CASE("a command gets its input, environment and directory", "[trigger]") {
  Connected worker;
  CommandRequest request;
  request.arguments = {"sh", "-c", "pwd; echo $NAME; cat"};
  request.input = std::string(300'000, 'x');
  request.environment = {"NAME=a b"};
  request.directory = "/usr";
  const auto end = worker.run(request);
  REQUIRE(end);
  CHECK(end->code == 0);
  CHECK(worker.output == "/usr\na b\n" + request.input);
}

TEST_CASE("a command need not read its input", "[trigger]") {
  Connected worker;
  CommandRequest request;
  request.arguments = {"true"};
  request.input = std::string(1'000'000, 'x');
  const auto end = worker.run(request);
  REQUIRE(end);
  CHECK(end->code == 0);
}

TEST_CASE("a command that is not there, or no program, is told apart from one that fails", "[trigger]") {
  Connected worker;
  auto end = worker.run({{"no-such-program"}, {}, {}, {}});
  REQUIRE(end);
  CHECK(end->how == End::kNotStarted);
  CHECK(end->why == "exec: \"no-such-program\": not found");
  end = worker.run({{"/etc/passwd"}, {}, {}, {}});
  REQUIRE(end);
  CHECK(end->how == End::kNotStarted);
  end = worker.run({{"true"}, {}, {}, "/no/such/directory"});
  REQUIRE(end);
  CHECK(end->how == End::kNotStarted);
  CHECK(end->why.starts_with("working directory /no/such/directory: "));  // by which it is told from the program
}

TEST_CASE("a command killed by a signal says which", "[trigger]") {
  Connected worker;
  const auto end = worker.shell("kill -TERM $$");
  REQUIRE(end);
  CHECK(end->how == End::kSignalled);
  CHECK(end->code == SIGTERM);
}

TEST_CASE("what a command leaves running is killed, and does not hold up its end", "[trigger]") {
  Connected worker;
  const auto began = std::chrono::steady_clock::now();
  const auto end = worker.shell("sleep 600 & echo $!");
  REQUIRE(end);
  CHECK(end->code == 0);
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(60));
  // its pid is there until init has collected it
  const pid_t left = std::stoi(worker.output);
  while (::kill(left, 0) == 0 && std::chrono::steady_clock::now() - began < std::chrono::seconds(60)) {
    std::this_thread::yield();
  }
  CHECK(::kill(left, 0) != 0);
}

TEST_CASE("much output arrives whole and in order", "[trigger]") {
  Connected worker;
  const auto end = worker.shell("i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done");
  REQUIRE(end);
  std::string expected;
  for (int i = 0; i < 20000; ++i) expected += std::to_string(i) + "\n";
  CHECK(worker.output == expected);
}

TEST_CASE("a command that prints without a pause can be stopped", "[trigger]") {
  Connected worker;
  int asked = 0;
  std::size_t printed = 0;
  const auto began = std::chrono::steady_clock::now();
  // ends by itself where nobody asks, so that this test ends, too
  const CommandRequest chatty{{"timeout", "10", "yes"}, {}, {}, {}};
  const auto end = worker.link.run(chatty, [&](std::string_view piece) { printed += piece.size(); }, [&] { return ++asked < 5; });
  REQUIRE_FALSE(end);
  CHECK(end.error().code == Code::kCancelled);
  CHECK(printed > 0);
  const auto took = std::chrono::steady_clock::now() - began;
  CHECK(took < std::chrono::seconds(9));
  CHECK(took >= std::chrono::milliseconds(300));  // it is not asked for each piece
}

TEST_CASE("a worker that dies is noticed", "[trigger]") {
  Connected worker;
  worker.child.kill();
  const auto end = worker.shell("true");
  REQUIRE_FALSE(end);
  CHECK(end.error().code == Code::kUnavailable);
}

TEST_CASE("a worker that dies before it has taken a command has not begun it", "[trigger]") {
  Connected worker;
  const CommandRequest request{{"true"}, {}, {}, {}};
  const auto quiet = [](std::string_view) {};
  CHECK(worker.link.connected());
  SECTION("and is dead when it is sent") {
    worker.child.kill();
    CHECK_FALSE(worker.link.connected());
    CHECK_FALSE(worker.link.run(request, quiet, kAlways));
    CHECK_FALSE(worker.link.begun());
  }
  SECTION("and dies before it looks") {
    worker.child.pause();
    const auto kill = [&] {
      worker.child.kill();
      return true;
    };
    CHECK_FALSE(worker.link.run(request, quiet, kill));
    CHECK_FALSE(worker.link.begun());
  }
  SECTION("which is not so once the command runs") {
    CHECK_FALSE(worker.shell("kill -KILL $PPID; sleep 1"));
    CHECK(worker.link.begun());
  }
}

TEST_CASE("the socket has no name once the worker is connected", "[trigger]") {
  Connected worker;
  CHECK(::access((worker.directory / WorkerLink::kSocketName).c_str(), F_OK) != 0);
}
