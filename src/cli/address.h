#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "api/client/endpoint.h"
#include "base/result.h"

namespace pfs::cli {

/// What the choice of a daemon depends on, beside the flag.
struct Surroundings {
  std::function<std::optional<std::string>(const std::string& name)>
      variable;  ///< of the environment
  std::function<bool(const std::string& path)> exists;
  std::function<Result<std::string>(const std::string& path)> read;  ///< a whole file

  /// What the active context of the configuration says; nullopt where there is none.
  struct Context {
    std::string name;
    std::string address;      ///< may be empty
    std::string authorities;  ///< PEM; may be empty
  };
  std::function<Result<std::optional<Context>>()> context;
};

/// This process's own, without a context.
Surroundings real_surroundings();

/// Reads an address: `unix:PATH` or an absolute path; `grpc://HOST:PORT` (as `http://` and with no
/// scheme at all) and, over TLS, `grpcs://HOST:PORT` (as `https://`). Without a port it is 30650.
/// `from` names the place that the address comes from, for messages. Errors: kInvalid.
Result<client::Endpoint> parse_address(std::string_view address, std::string_view from);

/// The daemon's address: `flag` (--address), else PFS_ADDRESS, else PACHD_ADDRESS, else the active
/// context's, else the socket of this user's daemon ($XDG_RUNTIME_DIR/pfs/pfsd.sock, without that
/// variable $HOME/.cache/pfs/pfsd.sock) if it is there, else the machine's (/run/pfs/pfsd.sock). Over
/// TLS with PFS_TLS_CA, PFS_TLS_CERT and PFS_TLS_KEY, which name PEM files.
/// Errors: kInvalid, and those of the files.
Result<client::Endpoint> daemon_endpoint(const std::string& flag,
                                         const Surroundings& surroundings);

}  // namespace pfs::cli
