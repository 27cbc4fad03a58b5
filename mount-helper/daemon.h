#pragma once

#include <optional>
#include <string>
#include <vector>

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

/// Runs a program that is installed beside ours, with an environment of its own and what is added to it. Shape: the same.
int run_program(const std::string& name, std::vector<std::string> words, const std::vector<std::string>& more_variables);

}  // namespace pfs::mount_helper
