#pragma once

#include <string>

#include "base/error.h"

namespace pfs {

/// A bug of ours: aborts in debug builds; in release logs and gives kInternal, which the caller returns.
Error bug(const char* file, int line, std::string message);

}  // namespace pfs

#define PFS_BUG(message) ::pfs::bug(__FILE__, __LINE__, (message))
