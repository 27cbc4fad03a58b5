#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/result.h"
#include "trigger/runner.h"
#include "trigger/worker/frames.h"

namespace pfs::trigger {

/// Our end of the connection to the worker in a container: one socket, for one container, in a directory that only that
/// container has mounted. Once the worker has connected the socket's name is gone, so nothing else in there can.
///
/// Used by one thread.
class WorkerLink {
 public:
  static constexpr const char* kSocketName = "socket";

  /// Listens at `directory`/socket; the directory is there already. Errors: kIo, kNoSpace.
  static Result<WorkerLink> listen(const std::string& directory);

  /// Waits for the worker. `keep_going` is asked about every 100 ms.
  /// Errors: kCancelled, kUnavailable (`timeout` passed, or it speaks another protocol).
  Result<void> accept(std::chrono::milliseconds timeout, const KeepGoing& keep_going);

  /// False once the worker is known to be gone.
  bool connected() const;
  /// Whether the last run() has come as far as the command. The worker is gone otherwise, and nothing has happened.
  bool begun() const { return begun_; }

  /// Runs a command to its end; its output comes in pieces as they are written. When `keep_going` says no it goes on
  /// without us: the caller ends the container.
  /// Errors: kCancelled, kUnavailable (the connection is lost: the container has ended).
  Result<worker::CommandEnd> run(const worker::CommandRequest& request,
                                 const std::function<void(std::string_view piece)>& on_output,
                                 const KeepGoing& keep_going);

 private:
  enum class Wait { kReady, kTimeout };
  /// `events`: as poll(2)'s.
  Result<Wait> wait(int fd, short events) const;
  /// As receive().
  Result<void> send(std::string_view bytes, const KeepGoing& keep_going);
  /// The next frame; asks `keep_going` at most every 100 ms, whether frames come or not.
  Result<worker::Frame> receive(const KeepGoing& keep_going);

  std::string path_;
  UniqueFd directory_;
  UniqueFd listener_;
  UniqueFd connection_;
  worker::FrameBuffer received_;
  bool begun_ = false;
  std::chrono::steady_clock::time_point asked_;  ///< when keep_going was asked last
};

}  // namespace pfs::trigger
