#include "api/internal/accept_loop.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include <grpcpp/server_posix.h>
#include <spdlog/spdlog.h>

namespace pfs::api {
namespace {

/// How long to leave the backlog alone when we are out of descriptors or memory.
constexpr int kExhaustedPauseMs = 100;

}  // namespace

AcceptLoop::AcceptLoop(const Listener& listener, Callers& callers, grpc::Server& server)
    : listener_(listener), callers_(callers), server_(server) {}

Result<void> AcceptLoop::start() {
  wake_ = UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_) return error_from_errno(errno, "eventfd");
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& error) {
    return Error{Code::kUnavailable, std::string("thread of the socket: ") + error.what()};
  }
  return {};
}

void AcceptLoop::stop() {
  if (!thread_.joinable()) return;
  const std::uint64_t one = 1;
  // cannot fail: the counter is far from full
  [[maybe_unused]] const auto written = write(wake_.get(), &one, sizeof one);
  thread_.join();
}

void AcceptLoop::run() {
  pthread_setname_np(pthread_self(), "pfs-api-accept");
  while (wait_for_connection()) {
    while (accept_one()) {
    }
  }
}

bool AcceptLoop::wait_for_connection() const {
  pollfd polled[] = {{wake_.get(), POLLIN, 0}, {listener_.fd(), POLLIN, 0}};
  while (poll(polled, 2, -1) < 0 && errno == EINTR) {
  }
  return polled[0].revents == 0;
}

bool AcceptLoop::accept_one() {
  UniqueFd connection(accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!connection) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
      spdlog::error("api: socket {}: accept: {}", listener_.path(), std::strerror(errno));
      pollfd wake{wake_.get(), POLLIN, 0};
      poll(&wake, 1, kExhaustedPauseMs);
    }
    return errno == ECONNABORTED || errno == EINTR;
  }
  ucred peer{};
  socklen_t length = sizeof peer;
  if (getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) {
    spdlog::error("api: socket {}: SO_PEERCRED: {}", listener_.path(), std::strerror(errno));
    return true;
  }
  callers_.add(connection.get(), Caller{peer.uid, peer.gid, peer.pid, {}});
  grpc::AddInsecureChannelFromFd(&server_, connection.release());
  return true;
}

}  // namespace pfs::api
