#include "cli/mounted_file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

#include "api/client/admin.h"
#include "base/mounts.h"

namespace pfs::cli {
namespace {

/// Where all of the store is mounted; empty: nowhere.
std::string mount_of(const std::string& store_id) {
  std::string point;
  for (const auto& mount : mount_points()) {
    if (mount.type == "fuse.pfs" && mount.root == "/" && mount.source == "pfs#" + store_id) point = mount.point;
  }
  return point;
}

/// `path` below `directory`; what a symlink leads to, or another mount hides, is not it.
UniqueFd open_below(int directory, const RepoPath& path) {
  std::string relative;
  for (const auto& part : path.parts()) relative += (relative.empty() ? "" : "/") + part;
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
  return UniqueFd(static_cast<int>(syscall(SYS_openat2, directory, relative.c_str(), &how, sizeof how)));
}

}  // namespace

UniqueFd open_in_mount(const client::Connection& connection, const CommitRef& commit, const RepoPath& path) {
  const auto store_id = client::Admin(connection).store_id();
  if (!store_id || store_id->empty()) return {};
  const std::string point = mount_of(*store_id);
  if (point.empty()) return {};
  // an ancestor is a symlink at the mount's root, which leads to its commit there
  const UniqueFd root(open((point + "/" + commit.str()).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return {};
  return open_below(root.get(), path);
}

}  // namespace pfs::cli
