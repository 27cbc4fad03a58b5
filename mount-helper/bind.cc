#include "mount-helper/bind.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "mount-helper/part.h"

namespace pfs::mount_helper {

namespace {

bool is_there(int part, const std::string& directory) {
  struct stat wanted {};
  struct stat mounted {};
  return mount_at(directory) && fstat(part, &wanted) == 0 &&
         stat(directory.c_str(), &mounted) == 0 && wanted.st_dev == mounted.st_dev &&
         wanted.st_ino == mounted.st_ino;
}

}  // namespace

bool is_bound(const Request& request, const Mount& whole) {
  const Descriptor part = open_part(request, whole);
  return part && is_there(part.get(), request.directory);
}

int bind_part(const Request& request, const Mount& whole) {
  const Descriptor part = open_part(request, whole);
  if (!part) return refuse_part(request, whole, errno);
  if (is_there(part.get(), request.directory))
    return 0;  // `mount -a` asks for what is there already
  // of the one file system, so that cp and mv between its mounts go on to copy by reference
  const Descriptor tree(
      open_tree(part.get(), "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  if (!tree) return fail(request.directory + ": cannot be mounted on: " + std::strerror(errno));
  mount_attr attributes{};
  attributes.attr_set = request.attributes.set;
  attributes.attr_clr = request.attributes.clear;
  // before it is anywhere to be seen
  if ((attributes.attr_set | attributes.attr_clr) != 0 &&
      mount_setattr(tree.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0)
    return fail(request.directory + ": the mount's options are refused: " + std::strerror(errno));
  if (move_mount(tree.get(), "", AT_FDCWD, request.directory.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0)
    return fail(request.directory + ": cannot be mounted on: " + std::strerror(errno));
  return 0;
}

int change_attributes(const Request& request) {
  const auto mounted = mount_at(request.directory);
  if (!mounted)
    return fail(request.directory + ": no mount of pfs, so there is nothing to remount");
  if (geteuid() != 0)
    return fail(request.directory + ": only root changes the options of a mount; unmount it (`fusermount3 -u " + request.directory +
                "`) and mount it anew with those that you want");
  const Descriptor tree(open_tree(AT_FDCWD, request.directory.c_str(), OPEN_TREE_CLOEXEC));
  if (!tree) return fail(request.directory + ": " + std::strerror(errno));
  if ((request.attributes.clear & MOUNT_ATTR_RDONLY) != 0 && mounted->root == "/") {
    // pfsd's own mount may have been read-only from its start, which the whole file system is then
    struct statvfs about {};
    if (statvfs(request.directory.c_str(), &about) == 0) {
      // the bits that both have are the same. Source: statvfs(3), mount(2)
      const unsigned long kept =
          about.f_flag & (MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME);
      if (mount(nullptr, request.directory.c_str(), nullptr, MS_REMOUNT | kept, nullptr) != 0)
        return fail(request.directory + ": cannot be made writable: " + std::strerror(errno));
    }
  }
  mount_attr attributes{};
  attributes.attr_set = request.attributes.set;
  attributes.attr_clr = request.attributes.clear;
  if (mount_setattr(tree.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0)
    return fail(request.directory + ": the mount's options are refused: " + std::strerror(errno));
  return 0;
}

}  // namespace pfs::mount_helper
