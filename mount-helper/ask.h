#pragma once

#include "mount-helper/mounts.h"
#include "mount-helper/request.h"

namespace pfs::mount_helper {

/// Has the pfsd of an ordinary user, who may not bind, mount the part by a FUSE session of its own. 0: also where it is mounted
/// already. Source: docs/mounting.md, "Ordinary users".
int ask_for_part(const Request& request, const Mount& whole);

/// Whether that is there already.
bool is_asked_for(const Request& request, const Mount& whole);

}  // namespace pfs::mount_helper
