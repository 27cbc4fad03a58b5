#pragma once

#include <unistd.h>

#include <string>

#include "mount-helper/mounts.h"
#include "mount-helper/request.h"

namespace pfs::mount_helper {

/// Closes it.
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

/// Complains; kFailed.
int fail(const std::string& trouble);

/// The directory that was asked for, as O_PATH, by way of the mount of the whole; none: errno says why. Whoever may write to a
/// branch can put a symlink there: no step leaves the store.
Descriptor open_part(const Request& request, const Mount& whole);

/// Complains that open_part() has found none, with the errno that it left.
int refuse_part(const Request& request, const Mount& whole, int trouble);

}  // namespace pfs::mount_helper
