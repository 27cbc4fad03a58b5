#include "daemon/services.h"

#include <unistd.h>

#include <array>
#include <climits>
#include <utility>

#include <spdlog/spdlog.h>

#include "api/server.h"
#include "daemon/view_host.h"
#include "fs/fuse/mount_point.h"
#include "trigger/pipelines.h"
#include "trigger/secrets.h"

namespace pfs::daemon {

namespace {

std::string beside_ourselves(const std::string& program) {
  std::array<char, PATH_MAX> path{};
  const ssize_t size = readlink("/proc/self/exe", path.data(), path.size() - 1);
  const std::string self(path.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  return self.substr(0, self.rfind('/') + 1) + program;
}

class JobsAndApi final : public Services {
 public:
  explicit JobsAndApi(const ServicesOptions& options)
      : options_(options), view_host_(*options.vfs, options.mount_path, others_may_enter_) {}

  ~JobsAndApi() override {
    stop();
    options_.store->set_publish_hook(nullptr);
  }

  Result<void> open() {
    PFS_TRY_ASSIGN(secrets_, trigger::Secrets::open(options_.store_path + "/jobs/secrets", *options_.clock));
    trigger::PipelinesOptions pipelines;
    pipelines.secrets = secrets_.get();
    pipelines.store = options_.store;
    pipelines.views = &view_host_;
    pipelines.clock = options_.clock;
    pipelines.worker_path = beside_ourselves("pfs-worker");
    pipelines.state_path = options_.store_path + "/jobs";
    pipelines.container_engine = options_.container_engine;
    pipelines.idle_time = options_.idle_time;
    PFS_TRY_ASSIGN(pipelines_, trigger::Pipelines::open(pipelines));
    options_.store->set_publish_hook(pipelines_.get());
    return {};
  }

  Result<void> start() override {
    if (!others_may_enter_) {
      spdlog::warn(
          "containers whose program does not run as root, and those of other users, cannot enter this mount: add the line "
          "user_allow_other to /etc/fuse.conf");
    }
    PFS_TRY(pipelines_->start());
    api::ServerOptions server;
    server.socket_path = options_.socket_path;
    server.tcp = options_.tcp;
    server.store = options_.store;
    server.pipelines = pipelines_.get();
    server.secrets = secrets_.get();
    server.part_mounter = options_.part_mounter;
    server.version = PFS_VERSION;
    PFS_TRY_ASSIGN(server_, api::Server::start(server));
    return {};
  }

  void stop() override {
    if (server_) server_->stop();
    if (pipelines_ && std::exchange(running_, false)) pipelines_->stop();
  }

 private:
  const ServicesOptions options_;
  const bool others_may_enter_ = fs::others_may_enter();  ///< as the mount has just been made
  MountViewHost view_host_;
  std::unique_ptr<trigger::Secrets> secrets_;
  std::unique_ptr<trigger::Pipelines> pipelines_;
  std::unique_ptr<api::Server> server_;
  bool running_ = true;
};

}  // namespace

Result<std::unique_ptr<Services>> Services::open(const ServicesOptions& options) {
  auto services = std::make_unique<JobsAndApi>(options);
  PFS_TRY(services->open());
  return services;
}

}  // namespace pfs::daemon
