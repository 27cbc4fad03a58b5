#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pfs {

/// A mount that this process can see.
struct MountPoint {
  std::uint32_t minor = 0;  ///< of its device; for FUSE the number of the connection
  std::string root;         ///< what of the file system is mounted: `/` is all of it
  std::string point;
  std::string type;
  std::string source;
};

/// All of them, later ones last; none is touched, so that a dead one cannot hang us.
/// Source: proc(5), mountinfo.
std::vector<MountPoint> mount_points();

}  // namespace pfs
