#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/file.h"
#include "base/result.h"
#include "daemon/options.h"
#include "daemon/part_mounts.h"
#include "daemon/service_manager.h"
#include "daemon/services.h"
#include "fs/fuse/notifier.h"
#include "fs/fuse/notify_helper.h"
#include "fs/fuse/session.h"
#include "fs/vfs.h"
#include "store/store.h"

namespace pfs::daemon {

/// The one place that names concrete classes together: a store, its mount, and the services beside
/// it.
///
/// Used from the main thread alone.
class Daemon {
 public:
  /// Opens everything and serves. Errors: those of Store::open, Session::mount and the services,
  /// each a line for a person.
  static Result<std::unique_ptr<Daemon>> start(const Options& options);
  /// Ends what is left, in the order that loses nothing.
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  /// Returns when SIGTERM or SIGINT came, or somebody unmounted.
  Result<void> wait() const;
  /// Finishes open automatic commits, unmounts, closes.
  Result<void> stop();

 private:
  explicit Daemon(const Options& options, fs::NotifyHelper helper);
  Result<void> open();
  Result<void> watch_signals();

  const Options options_;
  ServiceManager service_manager_;
  SystemClock clock_;
  UniqueFd signals_;  ///< signalfd
  UniqueFd ended_;    ///< eventfd: the mount has ended
  // in the order of construction: each may use those before it
  fs::NotifyHelper helper_;
  std::unique_ptr<store::Store> store_;
  fs::Notifier notifier_;
  std::unique_ptr<fs::NodeNames> node_names_;
  PartMounts part_mounts_;
  std::unique_ptr<fs::Vfs> vfs_;
  std::unique_ptr<Services> services_;
  std::unique_ptr<fs::Session> session_;
};

}  // namespace pfs::daemon
