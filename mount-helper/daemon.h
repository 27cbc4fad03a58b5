#pragma once

#include <optional>
#include <string>

#include "mount-helper/mounts.h"
#include "mount-helper/request.h"

namespace pfs::mount_helper {

/// The mount of the daemon that has the store: of the only one that runs, when none was named.
/// Nothing, and no complaint, when a store was named and nobody serves it; `status` is not 0 when
/// it has been complained about.
std::optional<Mount> find_whole(const Request& request, int& status);

/// Whether the request's store is mounted at its directory as a whole, and served. `mount -a` asks
/// for what is there already.
bool is_served(const Request& request);

/// Where a store is mounted as a whole when only a part of it was asked for. Made when it is not
/// there; empty when it cannot be, which has been complained about.
std::string place_for_whole(const std::string& store);

/// Starts pfsd for the store and returns when its mount at `directory` answers. Shape: an exit
/// status; what went wrong has been written to stderr.
int start_pfsd(const Request& request, const std::string& directory);

}  // namespace pfs::mount_helper
