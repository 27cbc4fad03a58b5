#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "fs/fuse/session_context.h"

struct fuse_session;

namespace pfs::fs {

struct SessionOptions {
  Vfs* vfs = nullptr;
  std::string mount_path;
  std::string source;  ///< what `mount` and /proc/mounts name it
  std::vector<std::string> kernel_options;  ///< `ro` and the like
  unsigned threads = 8;
};

/// A mount: the kernel's requests, read by a few threads (`pfs-fuse`) and carried out on them.
///
/// The owner mounts, starts, detaches and destroys it, in that order, from one thread.
class Session {
 public:
  /// Mounts; requests wait until start(). Errors as prepare_mount_point(), kIo (libfuse said
  /// no).
  static Result<std::unique_ptr<Session>> mount(const SessionOptions& options);
  /// Ends the threads and closes /dev/fuse.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// `on_end` is called once, on a thread of ours, when the mount has ended: by detach(), or by
  /// somebody's umount(8).
  void start(std::function<void()> on_end);
  /// Takes the mount away. Processes that are inside keep it, and are answered until end().
  Result<void> detach();
  /// Returns when no request is being carried out by a thread of ours any more; what was put aside may still be answered, until
  /// the session is destroyed.
  void end();

  const std::string& path() const { return path_; }
  int device() const;
  std::uint32_t connection() const { return connection_; }

 private:
  explicit Session(const SessionOptions& options);
  Result<void> mount_at(const std::string& path);
  void serve();

  SessionOptions options_;
  std::string path_;
  std::uint32_t connection_ = 0;
  SessionContext context_;
  fuse_session* session_ = nullptr;
  std::function<void()> on_end_;
  std::atomic<unsigned> serving_ =
      0;  ///< threads that have not ended; counts down only, so it needs no lock
  std::vector<std::thread> threads_;
};

}  // namespace pfs::fs
