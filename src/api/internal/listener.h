#pragma once

#include <sys/types.h>

#include <string>

#include "base/file.h"
#include "base/result.h"

namespace pfs::api {

/// A listening unix socket and the file that it is found by; the destructor removes the file if it
/// is still ours.
class Listener {
 public:
  Listener() = default;
  Listener(Listener&&) = default;
  Listener& operator=(Listener&&) = delete;
  ~Listener();

  /// As Server::start() says. The descriptor does not block.
  static Result<Listener> bind(const std::string& path, unsigned mode);

  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }

 private:
  UniqueFd fd_;
  std::string path_;
  dev_t device_ = 0;  // of the socket file, so that a successor's is not removed
  ino_t inode_ = 0;
};

}  // namespace pfs::api
