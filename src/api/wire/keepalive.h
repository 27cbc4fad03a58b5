#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace pfs::api {

/// A peer whose machine is gone is noticed a minute after its last word while neither end has anything to say, and when the
/// kernel gives up sending (tcp_retries2, a quarter of an hour) otherwise: kernels ask each other, whatever the programs are at.
/// No bound on unread data, which gRPC sets: who stands in a pager reads on later. What a listening socket accepts has all this from it.
/// Source: tcp(7).
inline void set_keepalive(int fd) {
  const auto set = [fd](int level, int name, int value) { setsockopt(fd, level, name, &value, sizeof value); };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 0);
}

}  // namespace pfs::api
