#pragma once

#include "mount-helper/mounts.h"
#include "mount-helper/request.h"

namespace pfs::mount_helper {

/// Mounts the part that was asked for of `whole`, which is there and answers, at the directory.
/// Shape: an exit status; what went wrong has been complained about.
int bind_part(const Request& request, const Mount& whole);

/// Whether just that is mounted there already.
bool is_bound(const Request& request, const Mount& whole);

/// Gives what is mounted at the directory the attributes that were asked for. Shape: the same.
int change_attributes(const Request& request);

}  // namespace pfs::mount_helper
