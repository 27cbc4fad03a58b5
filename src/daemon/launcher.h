#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/options.h"

namespace pfs::daemon {

/// `pfsd --daemonize`: starts this executable again in a session of its own and returns when its
/// mount answers. Shape: an exit status; what went wrong has been written to stderr by the daemon
/// itself.
Result<int> launch(const Options& options, std::vector<std::string> words);

/// The other end, in the daemon: says on `ready_fd` that it serves, and from then on writes its log
/// to `log_path`, because the terminal that it was started from is not its own.
Result<void> report_ready(int ready_fd, const std::string& log_path);

}  // namespace pfs::daemon
