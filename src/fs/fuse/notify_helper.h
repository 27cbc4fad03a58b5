#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>

#include "base/file.h"
#include "base/result.h"

namespace pfs::fs {

/// The first argument that makes an executable run as the helper: `main` calls run_notify_helper()
/// for it.
inline constexpr const char* kNotifyHelperArgument = "--notify-helper";

/// Which of the helper's sockets a notification takes. The kernel takes a directory's lock for a name and a page's for a page, which
/// requests to us may hold: those that wait there keep back their own kind only.
enum class NotifyLane : std::uint8_t { kNames, kPages };
inline constexpr std::size_t kNotifyLanes = 2;

/// What goes to the helper: this, then a notification as the kernel takes it. One packet each.
struct NotifyTicket {
  std::uint64_t number = 0;
};
/// What comes back when the kernel has taken it (or refused: `error` is an errno).
struct NotifyDone {
  std::uint64_t number = 0;
  std::int32_t error = 0;
};

/// The process that writes the notifications that can block in the kernel.
///
/// Such a write waits for requests that wait for pfsd; a thread of pfsd that is killed there keeps
/// the process, and with it the store's lock, for ever. So a child does it that holds /dev/fuse and
/// nothing of the store: no lock, no descriptor but those that it needs. It ends when pfsd's ends of
/// the sockets are closed, by whatever cause; if it is stuck in the kernel then, it aborts the
/// connection first, because nobody is left to answer it.
class NotifyHelper {
 public:
  /// Starts this executable once more as the helper. Call it before the first thread and before the
  /// store is opened.
  static Result<NotifyHelper> start();
  NotifyHelper(NotifyHelper&&) noexcept = default;
  NotifyHelper& operator=(NotifyHelper&&) = delete;
  /// Ends the helper and waits for it.
  ~NotifyHelper();

  /// Hands over /dev/fuse. `connection` is the mount's number below /sys/fs/fuse/connections.
  Result<void> attach(int device, std::uint32_t connection) const;
  int socket(NotifyLane lane) const { return sockets_.at(static_cast<std::size_t>(lane)).get(); }
  pid_t pid() const { return pid_.value; }

 private:
  using Sockets = std::array<UniqueFd, kNotifyLanes>;
  NotifyHelper(Sockets sockets, pid_t pid) : sockets_(std::move(sockets)), pid_(pid) {}

  struct Child {
    explicit Child(pid_t pid) : value(pid) {}
    Child(Child&& other) noexcept : value(other.value) { other.value = 0; }
    pid_t value;
  };
  Sockets sockets_;
  Child pid_;
};

/// The helper's own main: reads from the sockets that it was started with. Returns an exit status.
int run_notify_helper();

}  // namespace pfs::fs
