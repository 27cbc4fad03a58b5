#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "fs/fuse/session_context.h"

struct fuse_session;

namespace pfs::fs {

struct SessionOptions {
  Vfs* vfs = nullptr;
  /// What the mount shows; another one than kRootNode was looked up once for it, which the session gives back.
  NodeId root = kRootNode;
  /// Of one mount of a Vfs the kernel caches are kept and told of what changes; Vfs calls it KernelCaches. Others ask each time
  /// for what can change and keep no pages of it, so that nothing has to be dropped there. (Were pages kept in two, a writer in
  /// the one, who holds a page until we have answered, would wait for the other to drop its page, whose writer does the same.)
  /// Shared mappings of such files are ENODEV there, and locks are those of the one mount.
  bool cached = true;
  std::string mount_path;
  std::string source;  ///< what `mount` and /proc/mounts name it
  std::vector<std::string> kernel_options;  ///< `ro` and the like
  unsigned threads = 8;
  std::vector<std::uint32_t> live;  ///< connections that this process serves: they are not taken for dead
};

/// A mount: the kernel's requests, read by a few threads (`pfs-fuse`) and carried out on them.
///
/// The owner mounts, starts, detaches and destroys it, in that order, from one thread at a time. One that is not `cached` may end
/// before its Vfs does.
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
  /// Errors: kUnavailable (no thread is to be had); nothing runs then.
  Result<void> start(std::function<void()> on_end);
  /// Takes the mount away. Processes that are inside keep it, and are answered until end().
  Result<void> detach();
  /// Returns when no request is being carried out by a thread of ours any more; what was put aside may still be answered, until
  /// the session is destroyed.
  void end();

  const std::string& path() const { return path_; }
  /// Where it is mounted at this moment, which a renamed directory changes; none: nowhere any more.
  std::optional<std::string> place() const;
  int device() const;
  std::uint32_t connection() const { return connection_; }

 private:
  explicit Session(const SessionOptions& options);
  Result<void> mount_at(const std::string& path);
  void serve();
  void close();

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
