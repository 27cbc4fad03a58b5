#pragma once

#include <deque>
#include <functional>
#include <future>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "api/part_mounter.h"
#include "base/sync.h"
#include "fs/fuse/session.h"
#include "fs/vfs.h"

namespace pfs::daemon {

/// The mounts beside the one of the whole: each a FUSE session of its own, until somebody unmounts it or the daemon ends.
///
/// Owns a thread (`pfs-parts`), which mounts and unmounts them one after the other and takes those away that have ended.
class PartMounts final : public api::PartMounter {
 public:
  PartMounts() = default;
  ~PartMounts() override { close(); }

  /// From now on parts of `vfs` are mounted; it must outlive close(). `source` and `connection`: of the mount of the whole.
  void open(fs::Vfs& vfs, const std::string& source, std::uint32_t connection) PFS_EXCLUDES(mutex_);
  /// Unmounts them all; none is mounted after this. No thread of theirs carries out a request any more.
  void end() PFS_EXCLUDES(mutex_);
  /// After end(), and after what was put aside has been answered.
  void close() PFS_EXCLUDES(mutex_);

  Result<void> mount(const api::Part& part, const std::vector<std::string>& options) override PFS_EXCLUDES(mutex_);
  Result<void> unmount(const std::string& directory) override PFS_EXCLUDES(mutex_);
  std::vector<api::Part> parts() const override PFS_EXCLUDES(mutex_);

 private:
  using Task = std::packaged_task<Result<void>()>;
  struct Mounted {
    api::Part part;
    std::unique_ptr<fs::Session> session;
    bool ended = false;
    bool unmounted = false;  ///< by us; who is in it keeps it
  };

  Result<void> carry_out(std::function<Result<void>()> work) PFS_EXCLUDES(mutex_);
  void run() PFS_EXCLUDES(mutex_);
  void take_away_ended() PFS_EXCLUDES(mutex_);

  // on the thread
  Result<void> mount_now(api::Part part, const std::vector<std::string>& options) PFS_EXCLUDES(mutex_);
  Result<void> unmount_now(const std::string& directory) PFS_EXCLUDES(mutex_);
  Result<void> check_place(const std::string& directory) const PFS_EXCLUDES(mutex_);
  /// Looked up once, for the kernel.
  Result<fs::NodeId> look_up(const api::Part& part);
  /// Of the sessions that there are, the whole's too.
  std::vector<std::uint32_t> connections() const PFS_EXCLUDES(mutex_);
  /// The part that is mounted there at this moment.
  fs::Session* session_at(const std::string& directory) const PFS_EXCLUDES(mutex_);

  fs::Vfs* vfs_ = nullptr;
  std::string source_;
  std::uint32_t connection_ = 0;
  mutable Mutex mutex_{LockRank::kLeaf};
  Condition changed_;
  bool running_ PFS_GUARDED_BY(mutex_) = false;
  std::deque<Task> tasks_ PFS_GUARDED_BY(mutex_);
  std::list<Mounted> mounted_ PFS_GUARDED_BY(mutex_);  // added and taken away by the thread alone, while that runs
  std::thread thread_;
};

}  // namespace pfs::daemon
