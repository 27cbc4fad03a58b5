#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/host_port.h"

namespace pfs::client {

/// Whom to trust, and who one is, over TLS: PEM texts. Empty: the system's authorities, and nobody.
struct TlsIdentity {
  std::string authorities;
  std::string certificate;
  std::string key;
};

/// Where a daemon is.
struct Endpoint {
  std::string socket_path;           ///< of a unix socket; empty: on the network
  HostPort host;
  std::optional<TlsIdentity> tls;  ///< on the network; nullopt: not encrypted

  /// As people write it: `unix:PATH`, `grpc://HOST:PORT`, `grpcs://HOST:PORT`.
  std::string str() const {
    if (!socket_path.empty()) return "unix:" + socket_path;
    return (tls ? "grpcs://" : "grpc://") + host.str();
  }
};

/// How long is waited.
struct Patience {
  std::chrono::milliseconds greeting{10'000};  ///< for the daemon's first word
  std::optional<std::chrono::milliseconds> call;  ///< for each call; nullopt: as long as it takes
};

}  // namespace pfs::client
