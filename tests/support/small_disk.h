#pragma once

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include <fmt/format.h>

#include "support/temporary_directory.h"

namespace pfs::test {

/// A file system of its own with little room, mounted in a namespace that this process alone sees.
class SmallDisk {
 public:
  enum class Kind { kTmpfs, kExt4 };

  SmallDisk(Kind kind, std::size_t mebibytes) : path_(directory_.path() + "/disk") {
    ::mkdir(path_.c_str(), 0700);
    static const bool own_namespace =
        ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    if (!own_namespace) {
      why_not_ = "a mount namespace of its own needs privileges";
      return;
    }
    if (kind == Kind::kTmpfs) {
      mounted_ = ::mount("tmpfs", path_.c_str(), "tmpfs", 0, fmt::format("size={}m", mebibytes).c_str()) == 0;
    } else {
      const std::string image = directory_.path() + "/image";
      mounted_ = std::system(fmt::format("truncate -s {1}M {0} && mkfs.ext4 -q -m 0 {0} >/dev/null 2>&1 && mount -o loop {0} {2} "
                                         ">/dev/null 2>&1", image, mebibytes, path_).c_str()) == 0;
    }
    if (!mounted_) why_not_ = kind == Kind::kTmpfs ? "a tmpfs cannot be mounted" : "an ext4 image cannot be mounted";
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() {
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
  }

  const std::string& path() const { return path_; }
  /// Empty when it is there.
  const std::string& why_not() const { return why_not_; }

  /// Takes what is left of the room, to the last block.
  void fill() {
    const int fd = ::open((path_ + "/foreign").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    for (std::string block(1U << 20U, 'x'); block.size() >= 512; block.resize(block.size() / 2)) {
      while (::write(fd, block.data(), block.size()) > 0) {
      }
    }
    ::fsync(fd);
    ::close(fd);
  }
  void empty() { ::unlink((path_ + "/foreign").c_str()); }

 private:
  TemporaryDirectory directory_;
  std::string path_;
  std::string why_not_;
  bool mounted_ = false;
};

}  // namespace pfs::test
