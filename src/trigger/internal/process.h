#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "trigger/runner.h"

namespace pfs::trigger {

struct ProcessResult {
  int exit_code = 0;   ///< 128 + signal when it was killed
  std::string output;  ///< standard output
  std::string errors;  ///< standard error

  bool succeeded() const { return exit_code == 0; }
  /// The last line of its standard error that says something: what tools put their reason in.
  std::string last_error_line() const;
};

struct ProcessOptions {
  std::chrono::milliseconds timeout{60'000};
  KeepGoing keep_going;  ///< empty: until the end
  std::chrono::milliseconds grace{0};  ///< how long it may go on when it is told to stop, before it is killed
};

/// Runs a program to its end, with our environment, no input, and none of our descriptors.
/// Shape: `arguments[0]` is looked for in PATH. Output beyond 1 MiB each is dropped.
/// Errors: kNotFound (no such program), kUnavailable (it took longer than `timeout` and was killed), kCancelled, kIo.
/// Source: posix_spawn(3); a fork that goes on would copy other threads' locks.
Result<ProcessResult> run_process(const std::vector<std::string>& arguments, const ProcessOptions& options = {});

/// A process as it was when it was looked at.
struct RunningProcess {
  pid_t pid = 0;
  std::vector<std::string> words;  ///< its arguments, the program first
};

/// The processes of this machine, whoever started them; without those of the kernel and those that have ended.
/// Source: proc(5), /proc/PID/cmdline; what it hides from us is passed over.
std::vector<RunningProcess> running_processes();

/// Whether one of them has that word among its arguments.
bool is_word_of_a_process(std::string_view word);

/// SIGKILL, unless the number is another process's by now. Does not wait for its end.
/// Source: pidfd_open(2), pidfd_send_signal(2).
void kill_process(const RunningProcess& process);

}  // namespace pfs::trigger
