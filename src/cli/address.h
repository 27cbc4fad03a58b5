#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/result.h"

namespace pfs::cli {

/// What the choice of a daemon depends on, beside the flag.
struct Surroundings {
  std::function<std::optional<std::string>(const std::string& name)>
      variable;  ///< of the environment
  std::function<bool(const std::string& path)> exists;
};

/// This process's own.
Surroundings real_surroundings();

/// The daemon's socket: `flag` (--address), else PFS_ADDRESS, else PACHD_ADDRESS, else the socket
/// of this user's daemon
/// ($XDG_RUNTIME_DIR/pfs/pfsd.sock, without that variable $HOME/.cache/pfs/pfsd.sock) if it is there, else the machine's (/run/pfs/pfsd.sock).
/// Shape: an address is `unix:PATH` or an absolute path.
/// Errors: kInvalid, kUnsupported (an address of another kind).
Result<std::string> socket_path(const std::string& flag, const Surroundings& surroundings);

}  // namespace pfs::cli
