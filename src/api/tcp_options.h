#pragma once

#include <string>
#include <vector>

#include "base/host_port.h"

namespace pfs::api {

/// Where the API is served beside its unix socket, and who gets in there.
struct TcpOptions {
  std::vector<HostPort> addresses;  ///< port 0: any that is free
  /// PEM files. Without certificate and key connections are not encrypted; without the authorities
  /// that sign clients' certificates anybody may call. Whether that is meant is for the caller to
  /// know.
  std::string certificate_path;
  std::string key_path;
  std::string client_ca_path;
};

}  // namespace pfs::api
