#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "api/log_format.h"
#include "daemon/daemon.h"
#include "daemon/launcher.h"
#include "daemon/options.h"

namespace {

int fail(const pfs::Error& error) {
  std::fprintf(stderr, "pfsd: %s\n", error.message.c_str());
  return 1;
}

void start_log(const std::string& level) {
  spdlog::set_default_logger(spdlog::stderr_logger_mt("pfsd"));
  spdlog::set_formatter(pfs::api::log_formatter());
  spdlog::set_level(spdlog::level::from_str(level));
}

/// For the deepest trees (store::kMaxLevels) the usual 8 MiB are not enough. It is address space: memory is taken as it is used.
constexpr rlim_t kStackBytes = rlim_t{64} << 20U;

void make_room_on_threads() {
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, kStackBytes);
  ::pthread_setattr_default_np(&attributes);
  ::pthread_attr_destroy(&attributes);
}

/// The same for this thread, whose stack grows up to the limit of the process, while one of these lives: commits are finished on it
/// at the start and at the end. In between, containers have the limit that pfsd was given.
class RoomOnMainThread {
 public:
  RoomOnMainThread() {
    if (::getrlimit(RLIMIT_STACK, &before_) != 0) return;
    rlimit more = before_;
    more.rlim_cur = std::min(std::max(kStackBytes, before_.rlim_cur), before_.rlim_max);
    changed_ = ::setrlimit(RLIMIT_STACK, &more) == 0;
  }
  RoomOnMainThread(const RoomOnMainThread&) = delete;
  RoomOnMainThread& operator=(const RoomOnMainThread&) = delete;
  ~RoomOnMainThread() {
    if (changed_) ::setrlimit(RLIMIT_STACK, &before_);
  }

 private:
  rlimit before_{};
  bool changed_ = false;
};

int run(int argc, char** argv) {
  const auto options = pfs::daemon::parse_options(argc, argv);
  if (!options) return fail(options.error());
  if (!options->text.empty()) return std::fputs(options->text.c_str(), stdout) < 0 ? 1 : 0;
  if (options->daemonize) {
    const auto status = pfs::daemon::launch(*options, {argv, argv + argc});
    return status ? *status : fail(status.error());
  }
  start_log(options->log_level);
  make_room_on_threads();
  auto room = std::make_unique<RoomOnMainThread>();
  auto daemon = pfs::daemon::Daemon::start(*options);
  room.reset();
  if (!daemon) return fail(daemon.error());
  if (auto waited = (*daemon)->wait(); !waited) return fail(waited.error());
  room = std::make_unique<RoomOnMainThread>();
  if (auto stopped = (*daemon)->stop(); !stopped) return fail(stopped.error());
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc == 2 && std::strcmp(argv[1], pfs::fs::kNotifyHelperArgument) == 0) {
    return pfs::fs::run_notify_helper();
  }
  return run(argc, argv);
} catch (const std::exception& e) {
  std::fprintf(stderr, "pfsd: %s\n", e.what());
  return 1;
}
