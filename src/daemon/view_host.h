#pragma once

#include <string>

#include "fs/vfs.h"
#include "trigger/views.h"

namespace pfs::daemon {

/// Gives the pipelines their directories of the mount. Thread-safe.
class MountViewHost final : public trigger::ViewHost {
 public:
  /// `mount_path` is absolute. `others_may_enter`: others than this process's user may. Everything must outlive the views.
  MountViewHost(fs::Vfs& vfs, const std::string& mount_path, bool others_may_enter)
      : vfs_(vfs), prefix_(mount_path + "/.pfs/views/"), others_may_enter_(others_may_enter) {}

  Result<std::unique_ptr<trigger::View>> add_view(std::uint32_t uid, std::uint32_t gid) override;

 private:
  fs::Vfs& vfs_;
  const std::string prefix_;
  const bool others_may_enter_;
};

}  // namespace pfs::daemon
