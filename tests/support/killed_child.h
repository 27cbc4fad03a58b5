#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

namespace pfs::test {

/// A child process whose standard output is read line by line, and which is killed in the middle of its work.
class KilledChild {
 public:
  explicit KilledChild(std::vector<std::string> command) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    std::vector<char*> arguments;
    for (auto& argument : command) arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    const int failed = ::posix_spawn(&pid_, arguments[0], &actions, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    output_ = ::fdopen(ends[0], "r");
    if (failed != 0 || output_ == nullptr) throw std::runtime_error("cannot start " + command.front());
  }
  KilledChild(const KilledChild&) = delete;
  KilledChild& operator=(const KilledChild&) = delete;
  ~KilledChild() {
    kill();
    std::fclose(output_);
  }

  /// The next line without its newline; empty at the end of the output.
  std::string read_line() {
    std::string line;
    for (int c = std::fgetc(output_); c != EOF && c != '\n'; c = std::fgetc(output_)) line += static_cast<char>(c);
    return line;
  }

  /// SIGKILL, and waits until it is gone. What it wrote before can still be read.
  void kill() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, &status_, 0);
    pid_ = 0;
  }

  /// SIGSTOP, and waits until it does nothing any more.
  void pause() const {
    ::kill(pid_, SIGSTOP);
    ::waitpid(pid_, nullptr, WUNTRACED);
  }

  /// True if it was killed, or had ended before, without complaining.
  bool ended_well() const { return pid_ == 0 && (WIFSIGNALED(status_) || WEXITSTATUS(status_) == 0); }

 private:
  pid_t pid_ = 0;
  int status_ = 0;
  FILE* output_ = nullptr;
};

}  // namespace pfs::test
