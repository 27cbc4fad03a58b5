#include "api/internal/listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace pfs::api {
namespace {

constexpr int kBacklog = 128;

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty()) return Error{Code::kInvalid, "socket: its path is empty"};
  if (path.size() >= sizeof address.sun_path) {
    return Error{Code::kNameTooLong, fmt::format("socket {}: a path of over {} bytes", path,
                                                 sizeof address.sun_path - 1)};
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

Result<UniqueFd> unix_socket() {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return error_from_errno(errno, "socket");
  return fd;
}

Result<void> make_directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos || slash == 0) return {};
  const auto directory = path.substr(0, slash);
  if (mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST)
    return error_from_errno(errno, "mkdir " + directory);
  return {};
}

/// Removes a socket that a killed daemon left. Two daemons that do this at once are kept apart by
/// the store's lock.
Result<void> remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat found {};
  if (lstat(path.c_str(), &found) != 0) {
    if (errno == ENOENT) return {};
    return error_from_errno(errno, "socket " + path);
  }
  if (!S_ISSOCK(found.st_mode)) {
    return Error{
        Code::kExists,
        fmt::format(
            "socket {}: a file that is no socket is there; remove it or choose another path",
            path)};
  }
  PFS_TRY_ASSIGN(auto probe, unix_socket());
  if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
      errno == EAGAIN) {
    return Error{
        Code::kBusy,
        fmt::format("socket {}: another daemon answers there; stop it or choose another path",
                    path)};
  }
  if (errno != ECONNREFUSED) return error_from_errno(errno, "connect to " + path);
  if (unlink(path.c_str()) != 0 && errno != ENOENT)
    return error_from_errno(errno, "unlink " + path);
  return {};
}

}  // namespace

Result<Listener> Listener::bind(const std::string& path, unsigned mode) {
  PFS_TRY_ASSIGN(const auto address, address_of(path));
  PFS_TRY(make_directory_of(path));
  PFS_TRY(remove_stale(path, address));
  Listener listener;
  PFS_TRY_ASSIGN(listener.fd_, unix_socket());
  if (::bind(listener.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return error_from_errno(errno, "bind " + path);
  }
  struct stat made {};
  if (lstat(path.c_str(), &made) != 0) return error_from_errno(errno, "socket " + path);
  listener.path_ = path;
  listener.device_ = made.st_dev;
  listener.inode_ = made.st_ino;
  if (chmod(path.c_str(), mode) != 0) return error_from_errno(errno, "chmod " + path);
  if (listen(listener.fd(), kBacklog) != 0) return error_from_errno(errno, "listen on " + path);
  return listener;
}

Listener::~Listener() {
  if (!fd_) return;
  struct stat found {};
  if (lstat(path_.c_str(), &found) == 0 && found.st_dev == device_ && found.st_ino == inode_)
    unlink(path_.c_str());
}

}  // namespace pfs::api
