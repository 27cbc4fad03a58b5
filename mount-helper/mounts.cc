#include "mount-helper/mounts.h"

#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "mount-helper/request.h"

namespace pfs::mount_helper {

std::vector<MountPoint> mounts() {
  auto found = mount_points();
  std::erase_if(found, [](const MountPoint& mount) { return mount.type != "fuse.pfs"; });
  return found;
}

// libmount hands on the path as the kernel lists it; a dead one could not be resolved.
std::optional<MountPoint> mount_at(const std::string& directory) {
  std::optional<MountPoint> uppermost;
  for (auto& mount : mounts()) {
    if (mount.point == directory) uppermost = mount;
  }
  return uppermost;
}

// The kernel says so from the moment the daemon's last descriptor is closed, but goes on to answer
// stat(2) from what it has cached; statfs(2) is never cached. Source: fuse_get_req() in
// fs/fuse/dev.c.
bool is_dead(const std::string& directory) {
  struct statvfs about {};
  return statvfs(directory.c_str(), &about) != 0 && (errno == ENOTCONN || errno == ECONNABORTED);
}

bool clear_dead(const std::string& directory) {
  while (mount_at(directory) && is_dead(directory)) {
    if (geteuid() != 0) return true;  // pfsd has fusermount3 do it
    umount2(directory.c_str(),
            MNT_FORCE | UMOUNT_NOFOLLOW);  // ends what waits for the daemon in vain
    if (mount_at(directory) && umount2(directory.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0) {
      complain(directory + ": the mount of a daemon that has ended cannot be taken away: " +
               std::strerror(errno));
      return false;
    }
  }
  return true;
}

}  // namespace pfs::mount_helper
