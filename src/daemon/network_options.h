#pragma once

#include <string>
#include <vector>

#include <CLI/App.hpp>

#include "api/tcp_options.h"
#include "base/result.h"

namespace pfs::daemon {

/// The flags about the network, before they are checked.
struct NetworkWords {
  std::vector<std::string> listen;
  std::string certificate;
  std::string key;
  std::string client_ca;
  bool insecure = false;
};

/// `words` must live as long as `app`.
void describe_network(CLI::App& app, NetworkWords& words);

/// Errors: kInvalid (a flag that lacks its companions, or anything less than TLS with clients'
/// certificates without --insecure). Files are not looked at.
Result<api::TcpOptions> checked_network(const NetworkWords& words);

}  // namespace pfs::daemon
