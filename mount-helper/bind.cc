#include "mount-helper/bind.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace pfs::mount_helper {

namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

int fail(const std::string& trouble) {
  complain(trouble);
  return kFailed;
}

// Whoever may write to a branch can put a symlink there, and we are root: no step leaves the store.
// Source: openat2(2).
Descriptor open_part(int whole, const std::string& part) {
  constexpr int kAttempts = 100;
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  long fd = -1;
  // EAGAIN: something was renamed meanwhile
  for (int i = 0;
       i < kAttempts && (fd = syscall(SYS_openat2, whole, part.c_str(), &how, sizeof how)) < 0 &&
       errno == EAGAIN;
       ++i) {
  }
  return Descriptor(static_cast<int>(fd));
}

bool is_there(int part, const std::string& directory) {
  struct stat wanted {};
  struct stat mounted {};
  return mount_at(directory) && fstat(part, &wanted) == 0 &&
         stat(directory.c_str(), &mounted) == 0 && wanted.st_dev == mounted.st_dev &&
         wanted.st_ino == mounted.st_ino;
}

int refuse_part(const Request& request, const Mount& whole, int trouble) {
  const std::string branch = whole.point + "/" + request.part.substr(0, request.part.find('/'));
  switch (trouble) {
    case ENOENT: {
      struct stat about {};
      if (lstat(branch.c_str(), &about) == 0)
        return fail(request.spec + ": no such directory; `ls " + branch +
                    "` shows those that there are");
      return fail(request.spec + ": no such branch or commit; `ls " + whole.point +
                  "` shows the branches, and `mkdir " + branch + "` makes one");
    }
    case ENOTDIR:
      return fail(request.spec + ": not a directory, so it cannot be mounted; choose one");
    case EXDEV:
      return fail(request.spec +
                  ": a symlink in it leads out of the store; name the directory itself");
    default: return fail(request.spec + ": " + std::strerror(trouble));
  }
}

}  // namespace

bool is_bound(const Request& request, const Mount& whole) {
  const Descriptor top(open(whole.point.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!top) return false;
  const Descriptor part = open_part(top.get(), request.part.empty() ? "." : request.part);
  return part && is_there(part.get(), request.directory);
}

int bind_part(const Request& request, const Mount& whole) {
  const Descriptor top(open(whole.point.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!top) return fail(whole.point + ": " + std::strerror(errno));
  const Descriptor part = open_part(top.get(), request.part.empty() ? "." : request.part);
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
