#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/mounts.h"

namespace pfs::mount_helper {

/// All mounts of pfs, later ones last; the source of each is `pfs#` and the store's id.
std::vector<MountPoint> mounts();
/// The uppermost one at `directory`, without touching it.
std::optional<MountPoint> mount_at(const std::string& directory);

/// Whether what is mounted at `directory` has lost its daemon.
bool is_dead(const std::string& directory);

/// Takes dead mounts of pfs away from `directory`. Returns false, and has complained, when one
/// stays.
bool clear_dead(const std::string& directory);

}  // namespace pfs::mount_helper
