// The server is killed in the middle of a command: what it asked for has happened as a whole or not at all, and can be asked for
// again.
#include <catch2/catch.hpp>

#include <signal.h>

#include <memory>

#include "cli/pfs_session.h"

namespace pfs::test {
namespace {

/// A server in a process of its own, on the store of a session that is stopped.
class Victim {
 public:
  Victim(const std::string& store, const std::string& socket, const std::string& fault) {
    int pipe[2];
    REQUIRE(::pipe(pipe) == 0);
    const std::string binary = PFS_SERVER_VICTIM;
    std::string variable = "PFS_FAULT=" + fault;
    char* arguments[] = {const_cast<char*>(binary.c_str()), const_cast<char*>(store.c_str()),
                         const_cast<char*>(socket.c_str()), nullptr};
    char* environment[] = {variable.data(), nullptr};
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, pipe[1], 1);
    ::posix_spawn_file_actions_addclose(&actions, pipe[0]);
    REQUIRE(::posix_spawn(&pid_, binary.c_str(), &actions, nullptr, arguments, environment) == 0);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(pipe[1]);
    char c = 0;
    REQUIRE(::read(pipe[0], &c, 1) == 1);
    ::close(pipe[0]);
  }
  ~Victim() {
    if (pid_ <= 0) return;  // has been waited for; to anything but a child's number nothing is sent
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;
  /// Whether the fault has killed it.
  bool died() {
    int status = 0;
    for (int i = 0; i < 200; ++i) {
      if (::waitpid(pid_, &status, WNOHANG) == pid_) {
        pid_ = 0;
        return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
      }
      ::usleep(10'000);
    }
    return false;
  }

 private:
  pid_t pid_ = 0;  // 0: it is gone
};

/// Runs a command against a server that dies at `fault`. What has come before in the session stays.
Said killed_at(PfsSession& session, const std::string& fault, const std::vector<std::string>& command,
               const std::string& input = "") {
  session.stop();
  Said said;
  {
    Victim victim(session.path("store"), session.socket(), fault.find(':') == fault.npos ? fault + ":kill" : fault);
    said = session.pfs(command, input);
    INFO(fault);
    CHECK(victim.died());
  }
  session.open();
  REQUIRE(session.store().resume());
  return said;
}

std::string has(PfsSession& session, const std::string& file) {
  const auto said = session.pfs({"get", "file", file});
  return said.status == 0 ? said.out : "-";
}

TEST_CASE("a transaction whose finishing is killed has happened or can be finished", "[cli][killed]") {
  for (const std::string fault :
       {"store.steps.files", "store.steps.files:kill:2", "store.finish.frozen", "store.finish.walked",
        "store.steps.ready", "store.finish.published", "store.steps.published"}) {
    CAPTURE(fault);
    PfsSession session;
    session.ok({"create", "repo", "data"});
    session.ok({"put", "file", "data@master:/old"}, "o");
    session.ok({"start", "transaction"});
    session.ok({"put", "file", "data@master:/f"}, "1");
    session.ok({"put", "file", "data@new:/g"}, "2");
    session.ok({"create", "branch", "data@copy", "--head", "master"});
    const auto started = session.ok({"start", "commit", "data@open"});
    session.ok({"put", "file", "data@open:/h"}, "3");
    // not committed yet: becomes a commit before
    const auto tree = session.store().trees().branch(*BranchRef::parse("data@master"));
    REQUIRE(session.store().trees().make(session.store().trees().root(*tree), "late", {}));
    const auto said = killed_at(session, fault, {"finish", "transaction"});
    CHECK(said.status == 1);
    const bool done = has(session, "data@master:/f") == "1";
    CHECK(has(session, "data@new:/g") == (done ? "2" : "-"));
    CHECK(has(session, "data@copy:/f") == (done ? "1" : "-"));
    CHECK(has(session, "data@open:/h") == (done ? "3" : "-"));
    CHECK(has(session, "data@master:/late").empty());
    CHECK(has(session, "data@master:/old") == "o");
    const auto again = session.pfs({"finish", "transaction"});
    CHECK((again.status == 0) == !done);
    if (done) session.ok({"stop", "transaction"});
    CHECK(has(session, "data@master:/f") == "1");
    CHECK(has(session, "data@open:/h") == "3");
    session.ok({"finish", "commit", "data@open"});
    CHECK(has(session, "data@" + started.substr(0, 32) + ":/h") == "3");
    session.ok({"put", "file", "data@master:/after"}, "a");
    CHECK(has(session, "data@master:/after") == "a");
  }
}

TEST_CASE("a file that is put in a transaction is in it or not when the server is killed", "[cli][killed]") {
  for (const std::string fault : {"api.put.message", "store.steps.files", "api.transaction.queue"}) {
    CAPTURE(fault);
    PfsSession session;
    session.ok({"create", "repo", "data"});
    session.ok({"start", "transaction"});
    session.ok({"put", "file", "data@master:/f"}, "1");
    CHECK(killed_at(session, fault, {"put", "file", "data@master:/g"}, "2").status == 1);
    CHECK(session.ok({"inspect", "transaction"}).find("Request 2") == std::string::npos);
    session.ok({"put", "file", "data@master:/g"}, "2");
    session.ok({"finish", "transaction"});
    CHECK(has(session, "data@master:/f") == "1");
    CHECK(has(session, "data@master:/g") == "2");
  }
}

TEST_CASE("a put whose server is killed has happened or not, and can be made again", "[cli][killed]") {
  const std::string big(3'000'000, 'x');
  for (const std::string fault : {"api.put.message", "store.finish.frozen", "store.finish.walked",
                                  "store.steps.ready", "store.finish.published"}) {
    CAPTURE(fault);
    PfsSession session;
    session.ok({"create", "repo", "data"});
    session.ok({"put", "file", "data@master:/old"}, "o");
    CHECK(killed_at(session, fault, {"put", "file", "data@master:/big"}, big).status == 1);
    const auto now = has(session, "data@master:/big");
    CHECK((now == "-" || now == big));
    CHECK(has(session, "data@master:/old") == "o");
    session.ok({"put", "file", "data@master:/big"}, big);
    CHECK(has(session, "data@master:/big") == big);
    CHECK(has(session, "data@master:/old") == "o");
  }
}

TEST_CASE("a repo whose deletion is killed is there as a whole or gone", "[cli][killed]") {
  for (const std::string fault : {"store.steps.ready", "store.steps.published"}) {
    CAPTURE(fault);
    PfsSession session;
    session.ok({"create", "repo", "data"});
    for (int i = 0; i < 20; ++i) session.ok({"put", "file", "data@b" + std::to_string(i % 4) + ":/f" + std::to_string(i)}, "x");
    CHECK(killed_at(session, fault, {"delete", "repo", "data"}).status == 1);
    const bool there = session.pfs({"inspect", "repo", "data"}).status == 0;
    CHECK(there == (fault == "store.steps.ready"));
    if (there) {
      CHECK(session.ok({"list", "commit", "data", "--raw"}).find("b3") != std::string::npos);
      CHECK(has(session, "data@b3:/f19") == "x");
      session.ok({"delete", "repo", "data"});
    }
    session.ok({"create", "repo", "data"});
    CHECK(session.ok({"list", "commit", "data", "--raw"}).empty());
    session.ok({"put", "file", "data@b0:/new"}, "n");
    CHECK(has(session, "data@b0:/new") == "n");
    CHECK(has(session, "data@b0:/f0") == "-");
  }
}

}  // namespace
}  // namespace pfs::test
