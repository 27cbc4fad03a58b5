#include "trigger/internal/worker_link.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include <fmt/format.h>

#include "trigger/internal/again.h"

namespace pfs::trigger {

namespace {

Error lost() { return Error{Code::kUnavailable, "the connection to the container was lost"}; }

}  // namespace

Result<WorkerLink> WorkerLink::listen(const std::string& directory) {
  WorkerLink link;
  link.path_ = directory + "/" + kSocketName;
  link.directory_ = UniqueFd(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!link.directory_) return error_from_errno(errno, "open " + directory);
  ::unlinkat(link.directory_.get(), kSocketName, 0);
  link.listener_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!link.listener_) return error_from_errno(errno, "socket");
  // a socket's address has room for 107 bytes only; the way through /proc has always enough
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", link.directory_.get(), kSocketName);
  if (::bind(link.listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return error_from_errno(errno, "bind " + link.path_);
  }
  // the container's user, whoever that is, must be able to connect; others do not get as far as the directory
  if (::fchmodat(link.directory_.get(), kSocketName, 0666, 0) != 0) return error_from_errno(errno, "chmod " + link.path_);
  if (::listen(link.listener_.get(), 1) != 0) return error_from_errno(errno, "listen " + link.path_);
  return link;
}

Result<WorkerLink::Wait> WorkerLink::wait(int fd, short events) const {
  pollfd watched{fd, events, 0};
  const int ready = ::poll(&watched, 1, static_cast<int>(kAskEvery.count()));
  if (ready < 0 && errno != EINTR) return error_from_errno(errno, "poll " + path_);
  return ready > 0 ? Wait::kReady : Wait::kTimeout;
}

Result<void> WorkerLink::accept(std::chrono::milliseconds timeout, const KeepGoing& keep_going) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!connection_) {
    PFS_TRY_ASSIGN(const Wait waited, wait(listener_.get(), POLLIN));
    if (waited == Wait::kReady) {
      connection_ = UniqueFd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    } else if (!keep_going()) {
      return Error{Code::kCancelled, "asked to stop"};
    } else if (std::chrono::steady_clock::now() > deadline) {
      return Error{Code::kUnavailable, "the worker in the container did not connect"};
    }
  }
  listener_.reset();
  ::unlinkat(directory_.get(), kSocketName, 0);
  PFS_TRY_ASSIGN(const worker::Frame hello, receive(keep_going));
  if (hello.type != worker::FrameType::kHello || worker::FrameReader(hello.fields).number() != worker::kProtocol) {
    return Error{Code::kUnavailable, "the worker in the container is of another version than pfsd"};
  }
  return {};
}

bool WorkerLink::connected() const {
  pollfd watched{connection_.get(), POLLRDHUP, 0};
  return connection_ && ::poll(&watched, 1, 0) >= 0 && (watched.revents & (POLLRDHUP | POLLHUP | POLLERR)) == 0;
}

Result<void> WorkerLink::send(std::string_view bytes, const KeepGoing& keep_going) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::send(connection_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0 && errno == EAGAIN) {
      // the container may be frozen
      PFS_TRY_ASSIGN(const Wait waited, wait(connection_.get(), POLLOUT));
      if (waited == Wait::kTimeout && !keep_going()) return Error{Code::kCancelled, "asked to stop"};
      continue;
    }
    if (wrote < 0) return lost();
    bytes.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return {};
}

Result<worker::Frame> WorkerLink::receive(const KeepGoing& keep_going) {
  std::array<char, 64 << 10> piece;
  while (true) {
    if (auto frame = received_.next()) return *std::move(frame);
    if (received_.oversized()) return lost();
    // by the clock and not when a wait was in vain: a command that prints all the time leaves none
    if (const auto now = std::chrono::steady_clock::now(); now - asked_ >= kAskEvery) {
      asked_ = now;
      if (!keep_going()) return Error{Code::kCancelled, "asked to stop"};
    }
    PFS_TRY_ASSIGN(const Wait waited, wait(connection_.get(), POLLIN));
    if (waited == Wait::kTimeout) continue;
    const ssize_t got = ::read(connection_.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    // what a worker is sent is still there when it ends: it has not taken all of the command. Source: unix(7), unread data
    if (got < 0 && errno == ECONNRESET) begun_ = false;
    if (got <= 0) return lost();
    received_.append({piece.data(), static_cast<std::size_t>(got)});
  }
}

Result<worker::CommandEnd> WorkerLink::run(const worker::CommandRequest& request,
                                           const std::function<void(std::string_view piece)>& on_output,
                                           const KeepGoing& keep_going) {
  const std::string frame = worker::FrameWriter(worker::FrameType::kRun)
                                .list(request.arguments)
                                .string(request.input)
                                .list(request.environment)
                                .string(request.directory)
                                .finish();
  if (frame.size() > worker::kMaxFrameBytes) {
    return Error{Code::kTooLarge, "the command, its input and its environment are over 16 MiB"};
  }
  begun_ = false;
  PFS_TRY(send(frame, keep_going));
  begun_ = true;
  while (true) {
    PFS_TRY_ASSIGN(const worker::Frame answer, receive(keep_going));
    worker::FrameReader fields(answer.fields);
    if (answer.type == worker::FrameType::kOutput) {
      on_output(fields.string());
    } else if (answer.type == worker::FrameType::kEnded) {
      worker::CommandEnd end;
      end.how = static_cast<worker::End>(fields.number());
      end.code = fields.number();
      end.why = fields.string();
      if (!fields.ok() || end.how > worker::End::kNotStarted) return lost();
      return end;
    } else {
      return lost();
    }
  }
}

}  // namespace pfs::trigger
