#include "trigger/worker/command.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace pfs::trigger::worker {

namespace {

constexpr std::size_t kPiece = 64 << 10;
constexpr int kForkTries = 50;
constexpr int kForkPauseMs = 100;

struct Pipe {
  Descriptor read_end;
  Descriptor write_end;
};

bool open_pipe(Pipe& pipe) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return false;
  pipe.read_end = Descriptor(ends[0]);
  pipe.write_end = Descriptor(ends[1]);
  return true;
}

void set_nonblocking(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

/// How often the kernel has killed a process of this container for its memory limit, as far as it tells.
/// Source: the kernel's cgroup-v2.rst "memory.events", cgroup-v1/memory.rst "memory.oom_control".
unsigned long out_of_memory_kills() {
  for (const char* path : {"/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"}) {
    std::FILE* file = std::fopen(path, "re");
    if (file == nullptr) continue;
    unsigned long kills = 0;
    char line[128];
    while (std::fgets(line, sizeof line, file) != nullptr) (void)!std::sscanf(line, "oom_kill %lu", &kills);
    std::fclose(file);
    return kills;
  }
  return 0;
}

/// What the child tells the worker when it cannot become the command.
struct StartFailure {
  bool changing_directory;
  int error;
};

CommandEnd explain(const StartFailure& failure, const CommandRequest& request) {
  CommandEnd end{End::kNotStarted, static_cast<std::uint32_t>(failure.error), {}};
  const std::string& program = request.arguments.front();
  if (failure.changing_directory) {
    end.why = "working directory " + request.directory + ": " + ::strerror(failure.error);
  } else if (failure.error != ENOENT) {
    end.why = "exec: \"" + program + "\": " + ::strerror(failure.error);
  } else if (program.find('/') != std::string::npos && ::access(program.c_str(), F_OK) == 0) {
    // the kernel says ENOENT for the interpreter of a script and for the loader of a dynamic program, too
    end.why = "exec: \"" + program + "\": its interpreter or loader is not";
  } else {
    end.why = "exec: \"" + program + "\": not found";
  }
  return end;
}

/// In the child, between fork and exec. The worker has one thread, so everything is allowed here.
[[noreturn]] void become(const CommandRequest& request, int input, int output, int failure_pipe) {
  ::setsid();
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  ::dup2(input, 0);
  ::dup2(output, 1);
  ::dup2(output, 2);
  StartFailure failure{false, 0};
  if (!request.directory.empty() && ::chdir(request.directory.c_str()) != 0) {
    failure = {true, errno};
  } else {
    for (const std::string& variable : request.environment) ::putenv(const_cast<char*>(variable.c_str()));
    std::vector<char*> arguments;
    for (const std::string& argument : request.arguments) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    ::execvp(arguments[0], arguments.data());
    failure = {false, errno};
  }
  (void)!::write(failure_pipe, &failure, sizeof failure);
  ::_exit(127);
}

CommandEnd end_of(int status) {
  if (WIFSIGNALED(status)) return {End::kSignalled, static_cast<std::uint32_t>(WTERMSIG(status)), {}};
  return {End::kExited, static_cast<std::uint32_t>(WEXITSTATUS(status)), {}};
}

}  // namespace

Command::Command(const CommandRequest& request)
    : rest_of_input_(request.input), memory_kills_before_(out_of_memory_kills()) {
  Pipe input;
  Pipe output;
  Pipe failure;
  if (!open_pipe(input) || !open_pipe(output) || !open_pipe(failure)) {
    failure_ = CommandEnd{End::kNotStarted, static_cast<std::uint32_t>(errno), std::string("pipe: ") + ::strerror(errno)};
    return;
  }
  pid_ = ::fork();
  // what the command before has left is still ending, or another container has taken what there is
  for (int tries = 0; pid_ < 0 && (errno == EAGAIN || errno == ENOMEM) && tries < kForkTries; ++tries) {
    ::poll(nullptr, 0, kForkPauseMs);
    pid_ = ::fork();
  }
  if (pid_ < 0) {
    failure_ = CommandEnd{End::kNotStarted, static_cast<std::uint32_t>(errno), std::string("fork: ") + ::strerror(errno)};
    return;
  }
  if (pid_ == 0) become(request, input.read_end.get(), output.write_end.get(), failure.write_end.get());

  failure.write_end.close();
  StartFailure trouble{};
  // ends when exec has closed the child's end, or with the trouble
  if (::read(failure.read_end.get(), &trouble, sizeof trouble) == sizeof trouble) {
    ::waitpid(pid_, nullptr, 0);
    failure_ = explain(trouble, request);
    return;
  }
  input_ = std::move(input.write_end);
  output_ = std::move(output.read_end);
  set_nonblocking(input_.get());
  set_nonblocking(output_.get());
  feed();
}

std::string Command::read_output() {
  std::string piece(kPiece, '\0');
  const ssize_t got = ::read(output_.get(), piece.data(), piece.size());
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return {};
  if (got <= 0) output_.close();
  piece.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return piece;
}

void Command::feed() {
  while (!rest_of_input_.empty()) {
    const ssize_t wrote = ::write(input_.get(), rest_of_input_.data(), rest_of_input_.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0 && errno == EAGAIN) return;
    if (wrote < 0) break;  // a command need not read its input
    rest_of_input_.erase(0, static_cast<std::size_t>(wrote));
  }
  input_.close();
}

std::optional<CommandEnd> Command::reap() {
  int status = 0;
  for (pid_t dead = ::waitpid(-1, &status, WNOHANG); dead > 0; dead = ::waitpid(-1, &status, WNOHANG)) {
    if (dead != pid_) continue;
    end_ = end_of(status);
    // it may have been another process of the command that was killed, so its own status need not tell
    if ((WIFSIGNALED(status) || WEXITSTATUS(status) != 0) && out_of_memory_kills() > memory_kills_before_) {
      end_->why = "the memory limit was reached";
    }
  }
  return end_;
}

void Command::kill_everything() {
  if (pid_ < 0) return;
  // As the first process of a container every other process is the user's; anywhere else only the command's group is.
  const bool alone = ::getpid() == 1;
  int status = 0;
  while (true) {
    ::kill(alone ? -1 : -pid_, SIGKILL);
    if (!alone && end_) return;
    const pid_t dead = ::waitpid(-1, &status, 0);
    if (dead < 0 && errno != EINTR) return;
    if (dead == pid_) end_ = end_of(status);
  }
}

}  // namespace pfs::trigger::worker
