#pragma once

#include <cstdint>
#include <string>

namespace pfs::fs {

/// Whom a commit names as its author. Called on parked threads only: a directory service may take
/// its time.
std::string name_of_user(std::uint32_t uid);

}  // namespace pfs::fs
