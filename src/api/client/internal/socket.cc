#include "api/client/internal/socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <string_view>

#include <fmt/format.h>

#include "api/wire/keepalive.h"

namespace pfs::client {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kSoon{300};  // a daemon that is well greets within a few
constexpr int kBetweenTries = 10;   // milliseconds
constexpr std::size_t kFrameHead = 9;

/// connect(2) says the same of it as of a socket that nobody listens to.
bool is_no_socket(const std::string& path) {
  struct stat found {};
  return !path.empty() && stat(path.c_str(), &found) == 0 && !S_ISSOCK(found.st_mode);
}

Error no_connection(const Endpoint& endpoint, int error_number) {
  const auto object = fmt::format("daemon at {}", endpoint.str());
  const auto& path = endpoint.socket_path;
  if (is_no_socket(path))
    return {Code::kUnsupported, fmt::format("{}: is no socket; check the address", object)};
  const auto start = fmt::format("start it with: pfsd --store DIR --mount DIR --socket {}", path);
  switch (error_number) {
    case ENOENT: return {Code::kUnavailable, fmt::format("{}: is not running; {}", object, start)};
    case ECONNREFUSED:
      if (path.empty()) {
        return {Code::kUnavailable,
                fmt::format("{}: nothing listens there; start it with: pfsd --listen {} …", object,
                            endpoint.host.str())};
      }
      return {Code::kUnavailable,
              fmt::format("{}: has ended without removing its socket; {}", object, start)};
    case EACCES:
      return {Code::kDenied,
              fmt::format("{}: you may not connect; ask for access to the socket", object)};
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
      return {Code::kUnavailable, fmt::format("{}: cannot be reached ({}); check the address and "
                                              "the network",
                                              object, std::strerror(error_number))};
    default: return error_from_errno(error_number, object);
  }
}

Result<UniqueFd> connect_to_unix(const Endpoint& endpoint, const Patience& patience) {
  const auto& path = endpoint.socket_path;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Error{Code::kNameTooLong, fmt::format("socket {}: a path of over {} bytes", path,
                                                 sizeof address.sun_path - 1)};
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return error_from_errno(errno, "socket");
  const auto give_up = std::chrono::steady_clock::now() + patience.greeting;
  while (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return no_connection(endpoint, errno);
    // the backlog is full, and poll(2) does not tell when it is not: a busy daemon is waited for, one that is stopped is told
    if (std::chrono::steady_clock::now() >= give_up) {
      return Error{Code::kUnavailable,
                   fmt::format("daemon at {}: takes no connections, and as many wait as may; it "
                               "hangs or is stopped, so restart it",
                               endpoint.str())};
    }
    poll(nullptr, 0, kBetweenTries);
  }
  return fd;
}

/// 0, or the errno that it failed with.
int connect_within(int fd, const addrinfo& to, milliseconds patience) {
  if (connect(fd, to.ai_addr, to.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  pollfd polled{fd, POLLOUT, 0};
  if (poll(&polled, 1, static_cast<int>(patience.count())) != 1) return ETIMEDOUT;
  int error_number = 0;
  socklen_t length = sizeof error_number;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error_number, &length);
  return error_number;
}

Result<UniqueFd> connect_to_host(const Endpoint& endpoint, const Patience& patience) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const auto port = fmt::format("{}", endpoint.host.port);
  if (const int failed = getaddrinfo(endpoint.host.host.c_str(), port.c_str(), &wanted, &found)) {
    return Error{Code::kInvalid, fmt::format("daemon at {}: the host is not known ({}); check the "
                                             "address",
                                             endpoint.str(), gai_strerror(failed))};
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, &freeaddrinfo);
  int error_number = EADDRNOTAVAIL;
  for (const auto* to = found; to != nullptr; to = to->ai_next) {
    UniqueFd fd(socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) {
      error_number = errno;
      continue;
    }
    error_number = connect_within(fd.get(), *to, patience.greeting);
    if (error_number != 0) continue;
    const int on = 1;
    setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    api::set_keepalive(fd.get());
    return fd;
  }
  return no_connection(endpoint, error_number);
}

enum class Word { kSettings, kNothing, kEnd, kHttp1, kTls, kOther };

/// What the other end says first. A piece of a frame is enough to tell.
Word first_word(const UniqueFd& fd, milliseconds patience) {
  pollfd polled{fd.get(), POLLIN, 0};
  int ready = 0;
  while ((ready = poll(&polled, 1, static_cast<int>(patience.count()))) < 0 && errno == EINTR) {
  }
  if (ready == 0) return Word::kNothing;
  std::array<char, kFrameHead> head{};
  const auto got = recv(fd.get(), head.data(), head.size(), MSG_PEEK);
  if (got <= 0) return Word::kEnd;
  const std::string_view said(head.data(), static_cast<std::size_t>(got));
  if (said.starts_with("HTTP")) return Word::kHttp1;
  // an alert of TLS; a frame that is as long is no SETTINGS
  if (said.size() > 1 && said[0] == 0x15 && said[1] == 0x03) return Word::kTls;
  // length (24 bits), type 4, flags, stream 0
  if (said.size() < kFrameHead) return said[0] == 0 ? Word::kSettings : Word::kOther;
  const bool is_settings =
      said[0] == 0 && said[3] == 4 && said.substr(5) == std::string_view("\0\0\0\0", 4);
  return is_settings ? Word::kSettings : Word::kOther;
}

/// Says hello first: what waits for us then shows what it is.
Word provoked_word(const Endpoint& endpoint, const Patience& patience) {
  constexpr std::string_view kHello("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);
  const auto give_up = std::chrono::steady_clock::now() + patience.greeting;
  const auto fd = connect_to(endpoint, patience);
  if (!fd) return Word::kNothing;  // the first one was let in, and nobody greets it
  if (send(fd->get(), kHello.data(), kHello.size(), MSG_NOSIGNAL) < 0) return Word::kEnd;
  const auto left = std::chrono::duration_cast<milliseconds>(give_up - std::chrono::steady_clock::now());
  return first_word(*fd, std::max(left, milliseconds(1)));
}

}  // namespace

Result<UniqueFd> connect_to(const Endpoint& endpoint, const Patience& patience) {
  return endpoint.socket_path.empty() ? connect_to_host(endpoint, patience)
                                      : connect_to_unix(endpoint, patience);
}

Result<void> expect_greeting(const UniqueFd& fd, const Endpoint& endpoint,
                             const Patience& patience) {
  auto word = first_word(fd, std::min(kSoon, patience.greeting));
  if (word == Word::kNothing) word = provoked_word(endpoint, patience);
  const auto refused = [&endpoint](Code code, const char* what) {
    return Error{code, fmt::format("daemon at {}: {}", endpoint.str(), what)};
  };
  switch (word) {
    case Word::kSettings: return {};
    case Word::kNothing:
      return refused(Code::kUnavailable,
                     "accepts connections and does not answer; it hangs, or is no pfsd");
    case Word::kEnd:
      return refused(Code::kUnavailable,
                     endpoint.socket_path.empty()
                         ? "hangs up on us; write grpcs:// in its address if it speaks TLS"
                         : "hangs up before it has said anything; it is ending, or is no pfsd");
    case Word::kHttp1:
      return refused(Code::kUnsupported, "is a web server and no pfsd; check the address");
    case Word::kTls:
      return refused(Code::kUnsupported, "speaks TLS; write grpcs:// in its address");
    case Word::kOther: return refused(Code::kUnsupported, "is no pfsd; check the address");
  }
  return {};
}

}  // namespace pfs::client
