#pragma once

#include <string_view>

#include "base/result.h"

namespace pfs {

/// A named place where a test can make the product fail or die.
///
/// `PFS_FAULT_POINT("store.publish.before")` does nothing unless the environment variable PFS_FAULT names it:
///   PFS_FAULT=name:kill[:N]    SIGKILL to ourselves the Nth time it is passed (default: the first)
///   PFS_FAULT=name:fail[:N]    the Nth pass returns kIo
///   PFS_FAULT=name:nospace[:N] the Nth pass returns kNoSpace
///   PFS_FAULT=name:pause[:N]   the Nth pass takes two seconds
/// The variable is read once, at the first fault point; an unset one costs a load and a branch.
Result<void> fault_point(std::string_view name);

}  // namespace pfs

#define PFS_FAULT_POINT(name) PFS_TRY(::pfs::fault_point(name))
