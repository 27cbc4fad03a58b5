#pragma once

#include <string>

#include "fs/views.h"
#include "store/store.h"
#include "trigger/views.h"

namespace pfs::daemon {

/// Gives the pipelines their directories of the mount. Thread-safe.
class MountViewHost final : public trigger::ViewHost {
 public:
  /// `mount_path` is absolute. Everything must outlive the views.
  MountViewHost(fs::Views& views, store::Store& store, const std::string& mount_path)
      : views_(views), store_(store), prefix_(mount_path + "/.pfs/views/") {}

  Result<std::unique_ptr<trigger::View>> add_view(std::uint32_t uid, std::uint32_t gid) override;

 private:
  fs::Views& views_;
  store::Store& store_;
  const std::string prefix_;
};

}  // namespace pfs::daemon
