// What is different when a person looks: colours, the pager, headers that come again.
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>

#include <catch2/catch.hpp>

#include "base/file.h"
#include "cli/pfs_session.h"
#include "cli/recorded_jobs.h"

namespace pfs::test {
namespace {

struct Shown {
  std::string screen;  ///< without carriage returns
  int status = -1;
};

/// Runs `pfs` on a terminal of its own, which controls nobody, with what was `typed` there before. `error_path`: stderr.
/// `columns`: how wide it is; 0: it does not tell.
Shown shown_on_terminal(const PfsSession& session, std::vector<std::string> arguments,
                        std::vector<std::string> variables, const std::string& typed,
                        const std::string& error_path, unsigned short columns = 0) {
  const UniqueFd master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  REQUIRE(::grantpt(master.get()) == 0);
  REQUIRE(::unlockpt(master.get()) == 0);
  std::array<char, 64> name{};
  REQUIRE(::ptsname_r(master.get(), name.data(), name.size()) == 0);
  UniqueFd slave(::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  const winsize size{24, columns, 0, 0};
  if (columns != 0) REQUIRE(::ioctl(slave.get(), TIOCSWINSZ, &size) == 0);
  REQUIRE(::write(master.get(), typed.data(), typed.size()) == static_cast<ssize_t>(typed.size()));

  arguments.insert(arguments.begin(), PFS_BINARY);
  variables.push_back("PFS_ADDRESS=unix:" + session.socket());
  variables.push_back("PATH=/usr/bin:/bin");
  if (std::none_of(variables.begin(), variables.end(),
                   [](const auto& one) { return one.starts_with("TERM="); }))
    variables.push_back("TERM=xterm");
  const auto pointers_of = [](std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    for (auto& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
    return pointers;
  };
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  for (int fd = 0; fd < 3; ++fd) ::posix_spawn_file_actions_adddup2(&actions, slave.get(), fd);
  if (!error_path.empty())
    ::posix_spawn_file_actions_addopen(&actions, 2, error_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  pid_t pid = 0;
  REQUIRE(::posix_spawn(&pid, PFS_BINARY, &actions, &attributes, pointers_of(arguments).data(),
                        pointers_of(variables).data()) == 0);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  slave.reset();
  std::string screen;
  std::array<char, 4096> buffer{};
  for (ssize_t got = 0; (got = ::read(master.get(), buffer.data(), buffer.size())) > 0;)
    screen.append(buffer.data(), static_cast<std::size_t>(got));
  int status = 0;
  ::waitpid(pid, &status, 0);
  screen.erase(std::remove(screen.begin(), screen.end(), '\r'), screen.end());
  return {std::move(screen), WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)};
}

std::string on_terminal(const PfsSession& session, std::vector<std::string> arguments,
                        std::vector<std::string> variables = {}) {
  return shown_on_terminal(session, std::move(arguments), std::move(variables), "", "").screen;
}

std::size_t times(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST_CASE("a list goes through the pager on a terminal, and not with --no-pager or TERM=dumb",
          "[cli][session][terminal]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  const std::vector<std::string> pager = {"PAGER=sed 's/^/page: /'"};
  CHECK(on_terminal(session, {"list", "repo"}, pager).starts_with("page: NAME"));
  CHECK(on_terminal(session, {"list", "repo", "--no-pager"}, pager).starts_with("NAME"));
  CHECK(on_terminal(session, {"list", "repo", "--raw"}, pager).starts_with("{"));
  CHECK(on_terminal(session, {"list", "repo"}, {pager[0], "TERM=dumb"}).starts_with("NAME"));
  CHECK(session.ok({"list", "repo"}).starts_with("NAME"));
}

TEST_CASE("the header comes again every 50 rows on a terminal only", "[cli][session][terminal]") {
  PfsSession session;
  for (int i = 0; i < 101; ++i)
    REQUIRE(session.store().catalog().create_repo(*RepoName::parse("r" + std::to_string(i)), ""));
  CHECK(times(on_terminal(session, {"list", "repo", "--no-pager"}), "SIZE (MASTER)") == 3);
  CHECK(times(session.ok({"list", "repo"}), "SIZE (MASTER)") == 1);
}

TEST_CASE("a person is asked before a repo is deleted, and no changes nothing", "[cli][session][terminal]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  const auto answered = [&](const std::string& typed, const std::string& error_path) {
    return shown_on_terminal(session, {"delete", "repo", "--all"}, {}, typed, error_path);
  };
  const auto no = answered("n\n", "");
  CHECK(no.status == 1);
  CHECK(no.screen.find("Are you sure?") != no.screen.npos);
  CHECK(no.screen.find("nothing is changed") != no.screen.npos);
  // nowhere to ask: stderr is a file, and no terminal controls the session
  const auto unasked = answered("y\n", session.path("errors"));
  CHECK(unasked.status == 1);
  CHECK(text_of_file(session.path("errors")).find("add --yes") != std::string::npos);
  session.ok({"inspect", "repo", "data"});
  CHECK(answered("y\n", "").status == 0);
  CHECK(session.pfs({"inspect", "repo", "data"}).status == 1);
}

TEST_CASE("lists are YAML with -o yaml, one document or one for each object",
          "[cli][session]") {
  PfsSession session;
  CHECK(session.ok({"list", "repo", "-o", "yaml"}) == "[]\n");
  session.ok({"create", "repo", "data"});
  session.ok({"create", "repo", "other"});
  const auto list = session.ok({"list", "repo", "-o", "yaml"});
  CHECK(list.starts_with("- name: other\n  description: \"\"\n"));
  CHECK(list.find("\n- name: data\n") != list.npos);
  CHECK(times(session.ok({"list", "repo", "--raw", "-o", "yaml"}), "---\nname: ") == 2);
  CHECK(session.ok({"inspect", "repo", "data", "-o", "yaml"}).starts_with("name: data\n"));
}

TEST_CASE("what get file shows on a terminal is the file's bytes alone", "[cli][session][terminal]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"put", "file", "data@m:/n"}, "no newline");
  CHECK(on_terminal(session, {"get", "file", "data@m:/n"}) == "no newline");
  CHECK(on_terminal(session, {"get", "file", "data@m:/n", "-o", "-"}) == "no newline");
  // a line is wiped only where one was drawn, which a small file is too quick for
  const auto screen = on_terminal(session, {"get", "file", "data@m:/n", "-o", session.path("n")});
  CHECK((screen.empty() || screen.find("get  ") != screen.npos));
  CHECK(text_of_file(session.path("n")) == "no newline");
}

TEST_CASE("what people have written does not reach the terminal as its commands", "[cli][session][terminal]") {
  RecordedPipelines pipelines;
  pipelines.pipelines = {edges()};
  const std::string odd = "a\x1b[31m\x7f\nb";
  const std::string shown = "a\\x1b[31m\\x7f";
  pipelines.pipelines.front().description = odd;
  pipelines.plan.name = *RepoName::parse("edges");
  pipelines.plan.changes = {odd};
  pipelines.plan.notes = {odd};
  PfsSession session(&pipelines);
  session.ok({"create", "repo", "data", "-d", odd});
  session.ok({"start", "commit", "data@master", "-m", odd});
  session.ok({"put", "file", "data@master:/a"}, "1");
  session.ok({"finish", "commit", "data@master"});
  const std::vector<std::vector<std::string>> commands{{"inspect", "repo", "data"}, {"list", "repo"}, {"inspect", "commit", "data@master"},
                                                       {"list", "commit", "data@master"}, {"inspect", "pipeline", "edges"},
                                                       {"list", "pipeline"}};
  for (const auto& command : commands) {
    const auto said = session.ok(command);
    CAPTURE(command, said);
    CHECK(said.find(shown) != std::string::npos);
    CHECK(said.find_first_of("\x1b\x7f") == std::string::npos);
  }
  CHECK(session.ok({"inspect", "repo", "data"}).find("Description: " + shown + "\n  b\n") != std::string::npos);
  CHECK(session.ok({"list", "repo"}).find(shown + "\\x0ab\n") != std::string::npos);
  const auto applied = session.pfs({"apply", "-f", "-"}, "{}");
  CHECK(applied.out.find("  " + shown + "\\x0ab\n") != std::string::npos);
  CHECK(applied.err.find("edges: " + shown + "\\x0ab\n") != std::string::npos);
}

/// Its jobs run when they are looked at first, and have ended when they are looked at again.
class EndingJobs final : public RecordedPipelines {
 public:
  Result<trigger::JobInfo> job(const JobId& id) const override {
    auto found = RecordedPipelines::job(id);
    if (found && looks_++ == 0) {
      found->state = trigger::JobState::kRunning;
      found->finished.reset();
    }
    return found;
  }

 private:
  mutable std::atomic<int> looks_{0};
};

TEST_CASE("a line that is drawn anew is no longer than the terminal is wide", "[cli][session][terminal]") {
  const auto watched = [](unsigned short columns) {
    EndingJobs pipelines;
    pipelines.recorded_jobs = {job(kJob, trigger::JobState::kSuccess)};
    const PfsSession session(&pipelines);
    return shown_on_terminal(session, {"watch", "job", kJob}, {}, "", "", columns).screen;
  };
  const std::string wipe = "\x1b[K";
  const std::string counts = kJob + "  edges  1 + 4 / 5  DL 57.27KiB  UL 1KiB  ";
  // the last one is not drawn anew, so it may be longer
  CHECK(watched(40) == wipe + counts.substr(0, 38) + "…" + wipe + counts + "success\n");
  CHECK(watched(200) == wipe + counts + "running" + wipe + counts + "success\n");
  CHECK(watched(0) == wipe + counts + "running" + wipe + counts + "success\n");
}

}  // namespace
}  // namespace pfs::test
