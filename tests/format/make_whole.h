#pragma once

#include <string>

namespace pfs::test {

/// Writes the store of the archive `v1-whole` to `directory`/store and ends the process as a kill does, with status 0.
/// Where it fails it returns another status, and `directory`/error says why.
int write_whole(const std::string& directory);

}  // namespace pfs::test
