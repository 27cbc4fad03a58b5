#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "trigger/worker/descriptor.h"
#include "trigger/worker/frames.h"

namespace pfs::trigger::worker {

/// The user's command, a child in a session of its own, with pipes to it. One at a time; the worker has one thread.
class Command {
 public:
  /// Starts it. What keeps it from starting is in `failure()`.
  explicit Command(const CommandRequest& request);

  const std::optional<CommandEnd>& failure() const { return failure_; }
  /// -1 when there is nothing more to read or to write.
  int output() const { return output_.get(); }
  int input() const { return input_.get(); }

  /// A piece of its output; empty at the end of it.
  std::string read_output();
  /// Gives it some of its input, and closes the pipe behind the last byte or when it does not want it.
  void feed();
  /// Collects dead children; the end of the command once it is among them.
  std::optional<CommandEnd> reap();
  /// Kills the command and all that it has started, and waits until they are gone.
  void kill_everything();

 private:
  pid_t pid_ = -1;
  Descriptor output_;
  Descriptor input_;
  std::string rest_of_input_;
  unsigned long memory_kills_before_;  ///< that the kernel had to do in this container
  std::optional<CommandEnd> failure_;
  std::optional<CommandEnd> end_;
};

}  // namespace pfs::trigger::worker
