#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "support/temporary_directory.h"

namespace pfs::test {

/// A pfsd on a store and a mount of its own, for tests with the kernel in the loop.
///
/// Cleans up whatever happened: a daemon that does not end is killed, a connection that hangs is
/// aborted through fusectl, the mount is taken away.
class Mounted {
 public:
  /// Starts pfsd; `environment` is added to its own (`PFS_FAULT=…`). Throws with pfsd's words when
  /// it does not start.
  explicit Mounted(std::vector<std::string> environment = {});
  ~Mounted();
  Mounted(const Mounted&) = delete;
  Mounted& operator=(const Mounted&) = delete;

  /// Why no test can mount here; empty when they can.
  static std::string why_not();

  /// A path below the mount.
  std::string operator/(const std::string& name) const { return mount_ + "/" + name; }
  const std::string& mount() const { return mount_; }
  std::string store() const { return directory_ / "store"; }
  std::string socket() const { return directory_ / "pfsd.sock"; }
  pid_t pid() const { return pid_; }
  /// What pfsd has logged so far.
  std::string log() const;

  /// After kill(), stop() or a daemon that died by itself.
  void start(std::vector<std::string> environment = {});
  /// SIGKILL. Returns whether the process was gone within `patience`.
  bool kill(std::chrono::milliseconds patience = std::chrono::seconds(10));
  /// Waits for a daemon that ends by itself; returns whether it did.
  bool wait_for_end(std::chrono::milliseconds patience = std::chrono::seconds(10));
  /// SIGTERM: finishes, unmounts and ends. Returns whether it ended with status 0 in time.
  bool stop();

  /// `mkdir repo@branch`.
  void make_branch(const std::string& ref) const;

 private:
  bool has_answered() const;
  void abort_connection() const;

  TemporaryDirectory directory_;
  std::string mount_;
  dev_t outside_ = 0;  ///< the device of the empty mount point
  unsigned connection_ = 0;
  pid_t pid_ = 0;
  int status_ = 0;
};

/// Small files by name, for what tests do most. They throw where a test expects success; errno is
/// in the message.
std::string contents(const std::string& path);
void put(const std::string& path, const std::string& text);
/// What a system call left: 0, or errno of one that returned a negative value.
int outcome(long returned);

}  // namespace pfs::test
