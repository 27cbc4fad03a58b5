#pragma once

#include <cstdint>

#include "api/client/connection.h"
#include "base/file.h"
#include "base/names.h"
#include "base/result.h"

namespace pfs::cli {

/// Below this a file comes over the connection before the mount has been looked for.
constexpr std::uint64_t kLeastThroughMount = std::uint64_t{4} << 20U;

/// The file as a mount of the daemon's store on this machine shows it: its bytes need no message then, which for a big file
/// is most of the cost.
/// Shape: open for reading; closed where there is no such mount, or we may not enter it, or it has something else there:
/// ask the daemon.
UniqueFd open_in_mount(const client::Connection& connection, const CommitRef& commit, const RepoPath& path);

}  // namespace pfs::cli
