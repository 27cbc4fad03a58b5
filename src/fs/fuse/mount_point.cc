#include "fs/fuse/mount_point.h"

#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/file.h"
#include "base/mounts.h"
#include "base/names.h"

extern char** environ;

namespace pfs::fs {

namespace {

// Source: Documentation/admin-guide/devices.txt, misc.
const dev_t kFuseDevice = makedev(10, 229);

// The uppermost mount at `path`.
std::optional<MountPoint> mount_at(const std::string& path) {
  std::optional<MountPoint> found;
  for (auto& mount : mount_points()) {
    if (mount.point == path) found = std::move(mount);
  }
  return found;
}

}  // namespace

std::string source_of_store(const std::string& store_id) { return "pfs#" + store_id; }

// The mount point itself may be dead, so only its parent is resolved.
Result<std::string> absolute_mount_point(const std::string& asked) {
  std::string path = asked;
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  const auto slash = path.rfind('/');
  const std::string name = slash == path.npos ? path : path.substr(slash + 1);
  const std::string parent = slash == path.npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  const bool whole = name.empty() || name == "." || name == "..";
  std::array<char, PATH_MAX> resolved{};
  if (!realpath(whole ? path.c_str() : parent.c_str(), resolved.data())) {
    if (errno == ENOENT)
      return Error{Code::kNotFound,
                   fmt::format("{}: no such directory; make it with `mkdir -p {}`", printable(path), printable(path))};
    return error_from_errno(errno, path);
  }
  if (whole) return std::string(resolved.data());
  const std::string prefix = resolved.data();
  const std::string point = prefix == "/" ? "/" + name : prefix + "/" + name;
  struct stat about {};
  // the kernel lists what it leads to
  if (lstat(point.c_str(), &about) == 0 && S_ISLNK(about.st_mode) && realpath(point.c_str(), resolved.data())) return std::string(resolved.data());
  return point;
}

namespace {

std::optional<std::string> fusermount() {
  for (const char* path : {"/usr/bin/fusermount3", "/bin/fusermount3"}) {
    if (access(path, X_OK) == 0) return path;
  }
  return std::nullopt;
}

Result<void> run_fusermount(std::vector<std::string> arguments) {
  const auto program = fusermount();
  if (!program)
    return Error{Code::kUnsupported,
                 "no fusermount3: install it (Debian: apt install fuse3), or run as root"};
  arguments.insert(arguments.begin(), *program);
  std::vector<char*> pointers;
  for (auto& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  pid_t pid = 0;
  const int failed =
      posix_spawn(&pid, program->c_str(), nullptr, nullptr, pointers.data(), environ);
  if (failed != 0) return error_from_errno(failed, *program);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0) return Error{Code::kIo, fmt::format("{} failed", *program)};
  return {};
}

// Ends what waits in a dead mount for the daemon that was killed. As root by umount(2), which works
// without the control file system; EBUSY then says no more than that somebody is inside.
void abort_connection(const std::string& path, std::uint32_t connection) {
  if (geteuid() == 0) {
    umount2(path.c_str(), MNT_FORCE | UMOUNT_NOFOLLOW);
    return;
  }
  auto file = File::open(fmt::format("/sys/fs/fuse/connections/{}/abort", connection), O_WRONLY);
  if (!file || !file->write_at(0, as_bytes("1")))
    spdlog::debug("{}: the dead connection is not aborted", path);
}

std::string_view store_of(std::string_view source) { return source.substr(0, source.find(':')); }

Result<void> clear_dead_mount(const std::string& path, const std::string& source, const std::vector<std::uint32_t>& live) {
  while (const auto mount = mount_at(path)) {
    const bool is_live = std::find(live.begin(), live.end(), mount->minor) != live.end();
    if (is_live || !mount->type.starts_with("fuse") || store_of(mount->source) != store_of(source)) {
      return Error{
          Code::kBusy,
          fmt::format("{}: {} ({}) is mounted there; unmount it or choose another directory", printable(path),
                      mount->source, mount->type)};
    }
    abort_connection(path, mount->minor);
    if (mount_at(path)) PFS_TRY(detach_mount(path));
    spdlog::info("{}: took away the mount of a daemon that has ended", path);
  }
  return {};
}

// Opens it, for a device can be there and still be none of ours: a container's rules say so at
// open(2) only.
Result<void> check_device() {
  const UniqueFd device(open("/dev/fuse", O_RDWR | O_CLOEXEC));
  const int trouble = device ? 0 : errno;
  struct stat about {};
  if (device && fstat(device.get(), &about) == 0 && S_ISCHR(about.st_mode) &&
      about.st_rdev == kFuseDevice) {
    return {};
  }
  if (trouble == EACCES) {
    return Error{Code::kDenied,
                 "/dev/fuse: not allowed to this user; have root say `chmod 666 /dev/fuse`"};
  }
  return Error{Code::kUnsupported,
               fmt::format("/dev/fuse: {}; load the kernel module with `modprobe fuse`, or give the "
                           "container `--device /dev/fuse`",
                           trouble != 0 ? std::strerror(trouble) : "is not the FUSE device")};
}

// Root in a container may lack it. Source: capabilities(7), proc(5) "CapEff".
bool has_mount_capability() {
  constexpr unsigned kSysAdmin = 21;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with("CapEff:")) continue;
    return (std::strtoull(line.c_str() + std::strlen("CapEff:"), nullptr, 16) >> kSysAdmin & 1U) != 0;
  }
  return true;
}

// What fusermount3 asks of an ordinary user, with words of its own on another line. Source: fusermount3(1).
Result<void> check_writable(const std::string& point, const struct stat& about) {
  if (geteuid() == 0) return {};
  const bool sticky = (about.st_mode & S_ISVTX) != 0 && about.st_uid != geteuid();
  if (access(point.c_str(), W_OK) == 0 && !sticky) return {};
  return Error{Code::kDenied, fmt::format("{}: not this user's to mount on; have root say `chown {} {}`, or choose a directory of your own",
                                          point, geteuid(), point)};
}

// It can mount for others as root's set-uid program only.
Result<void> check_fusermount() {
  const auto program = fusermount();
  struct stat about {};
  if (!program || stat(program->c_str(), &about) != 0) {
    return Error{Code::kUnsupported, "no fusermount3: install it (Debian: apt install fuse3), or run as root"};
  }
  if ((about.st_mode & S_ISUID) != 0 && about.st_uid == 0) return {};
  return Error{Code::kDenied, fmt::format("{}: mounts for nobody, as it does not run as root; have root say `chmod u+s {}`", *program, *program)};
}

Result<void> check_directory(const std::string& point) {
  struct stat about {};
  if (stat(point.c_str(), &about) != 0) {
    if (errno == ENOENT)
      return Error{Code::kNotFound,
                   fmt::format("{}: no such directory; make it with `mkdir -p {}`", printable(point), printable(point))};
    return error_from_errno(errno, point);
  }
  if (!S_ISDIR(about.st_mode))
    return Error{Code::kNotDirectory,
                 fmt::format("{}: not a directory, so nothing can be mounted on it; choose one", printable(point))};
  return check_writable(point, about);
}

Result<void> check_empty(const std::string& point) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(point.c_str()), closedir);
  if (!directory) return error_from_errno(errno, point);
  while (const dirent* entry = readdir(directory.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    return Error{Code::kNotEmpty,
                 fmt::format("{}: not empty (it holds '{}'), and a mount would hide what is in it; move "
                             "that away or choose another directory",
                             printable(point), printable(name))};
  }
  return {};
}

}  // namespace

Result<void> check_can_mount(const std::string& path) {
  PFS_TRY(check_device());
  if (geteuid() != 0) PFS_TRY(check_fusermount());
  if (geteuid() == 0 && !has_mount_capability()) {
    return Error{Code::kDenied, fmt::format("{}: this root may not mount (it has no CAP_SYS_ADMIN); give "
                                            "the container `--cap-add SYS_ADMIN`",
                                            path)};
  }
  PFS_TRY_ASSIGN(auto point, absolute_mount_point(path));
  if (mount_at(point)) return {};
  return check_directory(point);
}

Result<std::string> prepare_mount_point(const std::string& path, const std::string& source,
                                        const std::vector<std::uint32_t>& live) {
  PFS_TRY(check_can_mount(path));
  PFS_TRY_ASSIGN(auto point, absolute_mount_point(path));
  PFS_TRY(clear_dead_mount(point, source, live));
  PFS_TRY(check_directory(point));
  PFS_TRY(check_empty(point));
  return point;
}

Result<void> detach_mount(const std::string& path) {
  if (geteuid() != 0) return run_fusermount({"-u", "-q", "-z", "--", path});
  if (umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0)
    return error_from_errno(errno, "unmount " + path);
  return {};
}

Result<std::uint32_t> connection_of_mount(const std::string& path) {
  const auto mount = mount_at(path);
  if (!mount) return Error{Code::kNotFound, path + ": not mounted"};
  return mount->minor;
}

bool others_may_enter() {
  if (geteuid() == 0) return true;
  std::ifstream configuration("/etc/fuse.conf");
  for (std::string line; std::getline(configuration, line);) {
    std::istringstream words(line);
    std::string word;
    if (words >> word && word == "user_allow_other") return true;
  }
  return false;
}

Result<void> check_others_may_enter() {
  if (others_may_enter()) return {};
  return Error{Code::kDenied,
               "allow_other: /etc/fuse.conf does not let users share their mounts; have root say `echo user_allow_other "
               ">> /etc/fuse.conf`, or leave the option out"};
}

}  // namespace pfs::fs
