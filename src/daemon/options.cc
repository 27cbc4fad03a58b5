#include "daemon/options.h"

#include <getopt.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace pfs::daemon {

const char* const kUsage =
    "Usage: pfsd --store DIR --mount DIR [options]\n"
    "Serves the store in DIR as a file system, and the API on a socket.\n"
    "\n"
    "  --store DIR        the store; made when it is not there\n"
    "  --mount DIR        an existing directory to mount it on\n"
    "  --socket PATH      the API's socket (root: /run/pfs/pfsd.sock; others: "
    "$XDG_RUNTIME_DIR/pfs/pfsd.sock)\n"
    "  --daemonize        return when the mount answers; then log to STORE/pfsd.log\n"
    "  --foreground       stay (the default)\n"
    "  --log-level LEVEL  debug, info, warn or error (info)\n"
    "  --help, --version\n"
    "\n"
    "SIGTERM or SIGINT: finish what is open, unmount, end.\n";

namespace {

enum Option {
  kStore = 256,
  kMount,
  kSocket,
  kDaemonize,
  kForeground,
  kLogLevel,
  kReadyFd,
  kHelp,
  kVersion
};

std::string absolute(const std::string& path) {
  if (path.starts_with('/')) return path;
  std::array<char, PATH_MAX> here{};
  return getcwd(here.data(), here.size()) ? std::string(here.data()) + "/" + path : path;
}

Result<void> check(const Options& options) {
  if (options.help || options.version) return {};
  if (options.store_path.empty())
    return Error{Code::kInvalid, "--store is missing: the directory of the store"};
  if (options.mount_path.empty())
    return Error{Code::kInvalid, "--mount is missing: the directory to mount on"};
  const std::string inside = options.mount_path + (options.mount_path.ends_with('/') ? "" : "/");
  if (options.store_path == options.mount_path || options.store_path.starts_with(inside)) {
    return Error{Code::kInvalid,
                 fmt::format("--store {}: lies below the mount {}, which would hide it; choose "
                             "another directory for one of them",
                             options.store_path, options.mount_path)};
  }
  // spdlog takes every unknown word for `off`
  if (options.log_level != "off" &&
      spdlog::level::from_str(options.log_level) == spdlog::level::off) {
    return Error{Code::kInvalid,
                 fmt::format("--log-level {}: is debug, info, warn or error", options.log_level)};
  }
  return {};
}

}  // namespace

std::string default_socket_path() {
  if (geteuid() == 0) return "/run/pfs/pfsd.sock";
  if (const char* directory = std::getenv("XDG_RUNTIME_DIR"))
    return std::string(directory) + "/pfs/pfsd.sock";
  const char* home = std::getenv("HOME");
  return std::string(home ? home : "/tmp") + "/.cache/pfs/pfsd.sock";
}

Result<Options> parse_options(int argc, char** argv) {
  static const option kOptions[] = {
      {"store", required_argument, nullptr, kStore},
      {"mount", required_argument, nullptr, kMount},
      {"socket", required_argument, nullptr, kSocket},
      {"daemonize", no_argument, nullptr, kDaemonize},
      {"foreground", no_argument, nullptr, kForeground},
      {"log-level", required_argument, nullptr, kLogLevel},
      {"ready-fd", required_argument, nullptr, kReadyFd},
      {"help", no_argument, nullptr, kHelp},
      {"version", no_argument, nullptr, kVersion},
      {nullptr, 0, nullptr, 0},
  };
  Options options;
  opterr = 0;
  int chosen = 0;
  while ((chosen = getopt_long(argc, argv, ":", kOptions, nullptr)) != -1) {
    switch (chosen) {
      case kStore: options.store_path = absolute(optarg); break;
      case kMount: options.mount_path = absolute(optarg); break;
      case kSocket: options.socket_path = absolute(optarg); break;
      case kDaemonize: options.daemonize = true; break;
      case kForeground: options.daemonize = false; break;
      case kLogLevel: options.log_level = optarg; break;
      case kReadyFd: options.ready_fd = std::atoi(optarg); break;
      case kHelp: options.help = true; break;
      case kVersion: options.version = true; break;
      case ':': return Error{Code::kInvalid, fmt::format("{} wants a value", argv[optind - 1])};
      default:
        return Error{Code::kInvalid,
                     fmt::format("unknown option {}; see pfsd --help", argv[optind - 1])};
    }
  }
  if (optind < argc)
    return Error{Code::kInvalid,
                 fmt::format("'{}': no argument is expected; see pfsd --help", argv[optind])};
  if (options.socket_path.empty()) options.socket_path = default_socket_path();
  PFS_TRY(check(options));
  return options;
}

}  // namespace pfs::daemon
