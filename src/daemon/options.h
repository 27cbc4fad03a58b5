#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "api/tcp_options.h"
#include "base/result.h"
#include "fs/vfs.h"
#include "store/commit_policy.h"

namespace pfs::daemon {

/// What pfsd was asked to do. Paths are absolute.
struct Options {
  std::string store_path;
  std::string mount_path;
  std::string socket_path;
  std::string log_level = "info";
  bool daemonize = false;
  api::TcpOptions tcp;
  int ready_fd = -1;  ///< set by the launcher: where to say that the mount answers

  // the mount
  std::vector<std::string> mount_options;  ///< for the kernel: `ro`, `nosuid` and the like
  bool allow_other = false;  ///< refuse to start without it; else as far as it is allowed
  fs::Appearance appearance;

  // when commits are made of branches that do not say it themselves
  std::string commit = "auto";  ///< `auto`, `close` or `manual`
  std::chrono::milliseconds commit_after{1000};
  std::chrono::milliseconds commit_max{60'000};
  store::PolicySettings new_branches;  ///< what branches that are made through the mount say themselves

  // pipelines
  std::string container_engine = "podman";        ///< or `docker`, or the path of one of them
  std::chrono::milliseconds idle_time{600'000};  ///< after which containers without a job are stopped

  std::string text;  ///< not empty: what to print instead of all this (help, version)
};

/// From the command line and, where it says `--config`, from a TOML file with the same names; the
/// command line wins. Errors: kInvalid (an unknown, incomplete or contradictory option, by name).
Result<Options> parse_options(int argc, const char* const* argv);

/// Where pfsd listens unless it is told: as `pfs` looks for it.
std::string default_socket_path();

}  // namespace pfs::daemon
