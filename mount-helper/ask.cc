#include "mount-helper/ask.h"

#include <sys/stat.h>
#include <sys/xattr.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <vector>

#include "mount-helper/daemon.h"
#include "mount-helper/part.h"

namespace pfs::mount_helper {

namespace {

// As `pfs mount` takes it, without symlinks, for pfsd follows none: `data@master:/dir`.
std::optional<std::string> name_of(const Descriptor& part, const Mount& whole) {
  std::array<char, PATH_MAX> path{};
  const std::string link = "/proc/self/fd/" + std::to_string(part.get());
  const ssize_t size = readlink(link.c_str(), path.data(), path.size() - 1);
  const std::string found(path.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  if (found == whole.point) return ".";
  if (!found.starts_with(whole.point + "/")) return std::nullopt;
  std::string name = found.substr(whole.point.size() + 1);
  if (const auto slash = name.find('/'); slash != std::string::npos) name.insert(slash, ":");
  return name;
}

// Where the pfsd listens that serves it. Source: docs/mounting.md.
std::string socket_of(const Mount& whole) {
  std::array<char, 256> path{};
  const ssize_t size = getxattr(whole.point.c_str(), "user.pfs.socket", path.data(), path.size());
  return std::string(path.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
}

// What is mounted there may be dead, and is not touched then.
std::optional<std::string> place_of(const Request& request) {
  if (mount_at(request.directory)) return request.directory;
  std::array<char, PATH_MAX> path{};
  if (realpath(request.directory.c_str(), path.data()) == nullptr) return std::nullopt;
  return path.data();
}

bool is_there(const Descriptor& part, const Mount& whole, const std::string& directory) {
  struct stat wanted {};
  struct stat mounted {};
  const auto mount = mount_at(directory);
  return mount && mount->source.starts_with(whole.source + ":") && fstat(part.get(), &wanted) == 0 &&
         stat(directory.c_str(), &mounted) == 0 && wanted.st_ino == mounted.st_ino;
}

std::string options_of(const Request& request) {
  std::string list;
  for (const auto& option : request.kernel_options) list += (list.empty() ? "" : ",") + option;
  if (request.allow_other) list += list.empty() ? "allow_other" : ",allow_other";
  return list;
}

}  // namespace

bool is_asked_for(const Request& request, const Mount& whole) {
  const Descriptor part = open_part(request, whole);
  const auto directory = place_of(request);
  return part && directory && is_there(part, whole, *directory);
}

int ask_for_part(const Request& request, const Mount& whole) {
  const Descriptor part = open_part(request, whole);
  if (!part) return refuse_part(request, whole, errno);
  const auto directory = place_of(request);
  if (!directory) return fail(request.directory + ": " + std::strerror(errno) + "; make it with `mkdir -p " + request.directory + "`");
  if (is_there(part, whole, *directory)) return 0;  // `mount -a` asks for what is there already
  const auto name = name_of(part, whole);
  if (!name) return fail(request.spec + ": is removed meanwhile");
  const std::string socket = socket_of(whole);
  if (socket.empty()) return fail(whole.point + ": its pfsd does not say where it listens; start a newer one");
  std::vector<std::string> words{"mount", *name, *directory};
  if (const auto options = options_of(request); !options.empty()) words.insert(words.end(), {"-o", options});
  return run_program("pfs", std::move(words), {"PFS_ADDRESS=unix:" + socket});
}

}  // namespace pfs::mount_helper
