#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "api/part_mounter.h"
#include "api/tcp_options.h"
#include "base/clock.h"
#include "base/result.h"
#include "fs/vfs.h"
#include "store/store.h"

namespace pfs::daemon {

struct ServicesOptions {
  store::Store* store = nullptr;
  fs::Vfs* vfs = nullptr;
  api::PartMounter* part_mounter = nullptr;
  const Clock* clock = nullptr;
  std::string store_path;
  std::string mount_path;  ///< absolute
  std::string socket_path;
  api::TcpOptions tcp;
  std::string container_engine;
  std::chrono::milliseconds idle_time{0};
};

/// What runs beside the mount on the same store: pipelines and the API.
class Services {
 public:
  /// Makes them, and makes the pipelines part of every move of a HEAD from then on. Nothing runs
  /// yet.
  static Result<std::unique_ptr<Services>> open(const ServicesOptions& options);
  virtual ~Services() = default;

  virtual Result<void> start() = 0;
  /// Jobs go on at the next start. Moves of HEADs are still recorded until this is destroyed.
  virtual void stop() = 0;
};

}  // namespace pfs::daemon
