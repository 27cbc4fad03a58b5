#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace pfs::api {

/// A peer whose machine is gone is noticed a minute after its last word, also while neither end has anything to say: kernels
/// ask each other, whatever the programs are at. What a listening socket accepts has it from that. Source: tcp(7).
inline void set_keepalive(int fd) {
  const auto set = [fd](int level, int name, int value) { setsockopt(fd, level, name, &value, sizeof value); };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
}

}  // namespace pfs::api
