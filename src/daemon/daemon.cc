#include "daemon/daemon.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "daemon/launcher.h"
#include "fs/fuse/mount_point.h"

namespace pfs::daemon {

Daemon::Daemon(const Options& options, fs::NotifyHelper helper)
    : options_(options), helper_(std::move(helper)), notifier_(helper_) {}

Result<std::unique_ptr<Daemon>> Daemon::start(const Options& options) {
  // before the first thread, and before the store's lock is taken
  PFS_TRY_ASSIGN(auto helper, fs::NotifyHelper::start());
  std::unique_ptr<Daemon> daemon(new Daemon(options, std::move(helper)));
  PFS_TRY(daemon->watch_signals());
  PFS_TRY(daemon->open());
  return daemon;
}

// Every thread inherits the mask, so that the signals come to wait() alone.
Result<void> Daemon::watch_signals() {
  std::signal(SIGHUP, SIG_IGN);
  sigset_t stops;
  sigemptyset(&stops);
  sigaddset(&stops, SIGTERM);
  sigaddset(&stops, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stops, nullptr);
  signals_ = UniqueFd(signalfd(-1, &stops, SFD_CLOEXEC));
  ended_ = UniqueFd(eventfd(0, EFD_CLOEXEC));
  if (!signals_ || !ended_) return error_from_errno(errno, "signals");
  return {};
}

Result<void> Daemon::open() {
  // before a store is made that nobody would get to see
  PFS_TRY(fs::check_can_mount(options_.mount_path));
  if (options_.allow_other) PFS_TRY(fs::check_others_may_enter());
  store::StoreOptions store_options;
  store_options.path = options_.store_path;
  store_options.clock = &clock_;
  PFS_TRY_ASSIGN(store_options.policy.when, store::parse_commit_when(options_.commit));
  store_options.policy.after = options_.commit_after;
  store_options.policy.max = options_.commit_max;
  PFS_TRY_ASSIGN(store_, store::Store::open(store_options));

  fs::VfsOptions vfs_options;
  vfs_options.store = store_.get();
  vfs_options.clock = &clock_;
  vfs_options.caches = &notifier_;
  vfs_options.uid = geteuid();
  vfs_options.gid = getegid();
  vfs_options.new_branches = options_.new_branches;
  vfs_options.appearance = options_.appearance;
  if (auto names = fs::NodeNames::open(options_.store_path + "/nodes")) {
    node_names_ = *std::move(names);
    vfs_options.node_names = node_names_.get();
  } else {
    spdlog::warn("{}; file handles are not good for longer than the kernel knows their files", names.error().message);
    ::unlink((options_.store_path + "/nodes").c_str());  // what it does not get to know now must not be believed later
  }
  vfs_options.socket_path = options_.socket_path;
  vfs_ = std::make_unique<fs::Vfs>(vfs_options);

  fs::SessionOptions session_options;
  session_options.vfs = vfs_.get();
  session_options.mount_path = options_.mount_path;
  session_options.source = fs::source_of_store(store_->id());
  session_options.kernel_options = options_.mount_options;
  PFS_TRY_ASSIGN(session_, fs::Session::mount(session_options));
  PFS_TRY(notifier_.attach(session_->device(), session_->connection()));
  store_->set_observer(vfs_.get());

  ServicesOptions services_options;
  services_options.store = store_.get();
  services_options.vfs = vfs_.get();
  services_options.part_mounter = &part_mounts_;
  services_options.clock = &clock_;
  services_options.store_path = options_.store_path;
  services_options.mount_path = session_->path();
  services_options.socket_path = options_.socket_path;
  services_options.tcp = options_.tcp;
  services_options.container_engine = options_.container_engine;
  services_options.idle_time = options_.idle_time;
  PFS_TRY_ASSIGN(services_, Services::open(services_options));
  // commits that a killed daemon was finishing; the services' hook must see them
  PFS_TRY(store_->resume());

  PFS_TRY(session_->start([end = ended_.get()] {
    const std::uint64_t one = 1;
    if (write(end, &one, sizeof one) < 0) spdlog::error("cannot say that the mount has ended");
  }));
  part_mounts_.open(*vfs_, session_options.source, session_->connection());
  PFS_TRY(services_->start());
  store_->start_automatic_commits();
  spdlog::info("serving {} at {}, API at {}", options_.store_path, session_->path(),
               options_.socket_path);
  service_manager_.tell(
      fmt::format("READY=1\nSTATUS=serving {} at {}", options_.store_path, session_->path()));
  if (options_.ready_fd >= 0)
    PFS_TRY(report_ready(options_.ready_fd, options_.store_path + "/pfsd.log"));
  return {};
}

Result<void> Daemon::wait() const {
  std::array<pollfd, 2> sources{pollfd{signals_.get(), POLLIN, 0}, pollfd{ended_.get(), POLLIN, 0}};
  while (poll(sources.data(), sources.size(), -1) < 0) {
    if (errno != EINTR) return error_from_errno(errno, "waiting for signals");
  }
  spdlog::info("{}: stopping", sources[0].revents != 0 ? "asked to stop" : "unmounted");
  service_manager_.tell("STOPPING=1\nSTATUS=finishing what is open");
  return {};
}

Result<void> Daemon::stop() {
  if (!store_) return {};
  if (services_) services_->stop();
  if (session_ && !vfs_->write_back_all()) {
    spdlog::warn("what is still in shared mappings stays out of the last commits");
  }
  // from here on nothing is told to the kernel: it could wait for requests that nobody will answer
  notifier_.stop();
  part_mounts_.end();
  Result<void> detached;
  if (session_) {
    detached = session_->detach();
    session_->end();  // nothing is put aside after this
  }
  if (vfs_) vfs_->drain();
  session_.reset();
  part_mounts_.close();
  // after the last request, so that everything acknowledged is in
  Result<void> finished = store_->finish_all();
  store_->set_observer(nullptr);
  services_.reset();
  vfs_.reset();
  store_.reset();
  PFS_TRY(std::move(finished));
  return detached;
}

Daemon::~Daemon() {
  if (auto stopped = stop(); !stopped) spdlog::error("{}", stopped.error().message);
}

}  // namespace pfs::daemon
