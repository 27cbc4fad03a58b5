#include "cli/pager.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/file.h"

extern char** environ;

namespace pfs::cli {

Pager::Pager() {
  const char* wanted = std::getenv("PAGER");
  // -F: ends by itself after less than a screen; -R: colours; -X: leaves what was read on the screen
  std::string command = wanted != nullptr && *wanted != '\0' ? wanted : "exec less -FRX";
  if (command == "cat") return;
  if (wanted == nullptr && access("/usr/bin/less", X_OK) != 0 && access("/bin/less", X_OK) != 0)
    return;
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return;
  const UniqueFd its_end(ends[0]);
  const UniqueFd our_end(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, its_end.get(), STDIN_FILENO);
  std::string shell = "sh";
  std::string flag = "-c";
  std::array<char*, 4> arguments = {shell.data(), flag.data(), command.data(), nullptr};
  const int failed =
      posix_spawn(&pid_, "/bin/sh", &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) {
    pid_ = -1;
    return;
  }
  std::fflush(stdout);
  terminal_ = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
  dup2(our_end.get(), STDOUT_FILENO);
  // ^C is for the pager, which would be left behind alone
  on_interrupt_ = std::signal(SIGINT, SIG_IGN);
}

Pager::~Pager() {
  if (pid_ < 0) return;
  std::fflush(stdout);
  dup2(terminal_, STDOUT_FILENO);
  close(terminal_);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  std::signal(SIGINT, on_interrupt_);
}

}  // namespace pfs::cli
