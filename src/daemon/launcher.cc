#include "daemon/launcher.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"

extern char** environ;

namespace pfs::daemon {

namespace {

constexpr int kReadyFdInChild = 3;

Result<pid_t> start_daemon(std::vector<std::string> words, int ready_end) {
  words.insert(words.end(), {"--ready-fd", fmt::format("{}", kReadyFdInChild)});
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ready_end, kReadyFdInChild);
  posix_spawn_file_actions_addclosefrom_np(&actions, kReadyFdInChild + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  pid_t pid = 0;
  const int failed =
      posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return error_from_errno(failed, "starting pfsd");
  return pid;
}

int exit_status_of(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 1;
}

}  // namespace

Result<int> launch(const Options& options, std::vector<std::string> words) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return error_from_errno(errno, "pipe");
  const UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  PFS_TRY_ASSIGN(const pid_t pid, start_daemon(std::move(words), theirs.get()));
  theirs.reset();
  char ready = 0;
  ssize_t got = 0;
  while ((got = read(ours.get(), &ready, 1)) < 0 && errno == EINTR) {
  }
  if (got != 1) return exit_status_of(pid);
  // the first answer of the mount, asked for by a process that does not serve it
  struct stat about {};
  if (stat(options.mount_path.c_str(), &about) != 0)
    return error_from_errno(errno, options.mount_path);
  return 0;
}

Result<void> report_ready(int ready_fd, const std::string& log_path) {
  const UniqueFd ready(ready_fd);
  PFS_TRY_ASSIGN(auto log, File::open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0600));
  dup2(log.fd(), STDOUT_FILENO);
  dup2(log.fd(), STDERR_FILENO);
  // a pipe of the caller's shell must not keep its directory busy
  if (chdir("/") != 0) return error_from_errno(errno, "/");
  if (write(ready.get(), "1", 1) != 1) return error_from_errno(errno, "telling the launcher");
  return {};
}

}  // namespace pfs::daemon
