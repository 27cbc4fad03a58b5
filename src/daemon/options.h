#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace pfs::daemon {

/// What pfsd was asked to do. Paths are absolute.
struct Options {
  std::string store_path;
  std::string mount_path;
  std::string socket_path;
  std::string log_level = "info";
  bool daemonize = false;
  bool help = false;
  bool version = false;
  int ready_fd = -1;  ///< set by the launcher: where to say that the mount answers
};

extern const char* const kUsage;

/// Errors: kInvalid (an unknown or incomplete option, by name).
Result<Options> parse_options(int argc, char** argv);

/// Where pfsd listens unless it is told: as `pfs` looks for it.
std::string default_socket_path();

}  // namespace pfs::daemon
