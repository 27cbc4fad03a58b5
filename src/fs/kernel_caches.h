#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "fs/ids.h"

namespace pfs::fs {

/// What the kernel remembers of a mount, and how it is told to forget.
///
/// Thread-safe. Call it without locks held: dropping a name or a page waits in the kernel for
/// requests that wait for us. After the mount has begun to stop, every call does nothing. Source:
/// fuse_lowlevel_notify_inval_inode and _entry in fuse_lowlevel.h.
class KernelCaches {
 public:
  /// How much of what it remembers below a name goes with it.
  enum class Forget {
    kAll,   ///< attributes and pages, too
    kName,  ///< those when the next walk finds something else there; kernels before 6.2 forget all
  };

  virtual ~KernelCaches() = default;

  /// The next stat(2) of the node asks us. Takes effect at once and cannot block.
  virtual void drop_attributes(NodeId node) = 0;

  /// The next walk through these names asks us. In the background: the kernel takes the directory's
  /// lock for it. `done` is called when no walk meets them any more, on a thread of ours; never
  /// after the mount has begun to stop.
  virtual void drop_names(NodeId directory, std::vector<std::string> names,
                          Forget what, std::function<void()> done) = 0;

  /// The same for one name, waiting until it is done. Returns false when `timeout` passed first (it
  /// will be done later). Never from a thread that a kernel request waits for.
  virtual bool drop_name_now(NodeId directory, const std::string& name, Forget what,
                             std::chrono::milliseconds timeout) = 0;

  /// The next read of the file, and the next access to a mapping of it, asks us. Waits as drop_name_now() does.
  virtual bool drop_content_now(NodeId file, std::chrono::milliseconds timeout) = 0;

  /// The same of the pages in which a range of it lies.
  virtual bool drop_range_now(NodeId file, std::uint64_t offset, std::uint64_t length, std::chrono::milliseconds timeout) = 0;

  /// The same in the background; all of it, where the length is 0. `done` is called as that of drop_names() is.
  virtual void drop_range(NodeId file, std::uint64_t offset, std::uint64_t length, std::function<void()> done) = 0;

  /// The next readdir of the directory asks us. In the background.
  virtual void drop_listing(NodeId directory) = 0;

  /// Dirty pages of shared mappings of these files are sent to us as writes. Returns false when
  /// `timeout` passed first.
  virtual bool write_back(const std::vector<NodeId>& files, std::chrono::milliseconds timeout) = 0;
};

}  // namespace pfs::fs
