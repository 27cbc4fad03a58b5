#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "fs/fuse/notify_helper.h"
#include "fs/fuse/notify_queue.h"
#include "fs/kernel_caches.h"

namespace pfs::fs {

/// Notifies the kernel: attributes by itself, at once; names and pages through the helper process,
/// from a queue each.
///
/// Thread-safe. What does not fit into a queue is left out, and the kernel believes the old name until its hour is over or a walk
/// meets kStale.
class Notifier final : public KernelCaches {
 public:
  /// `helper` must outlive it.
  explicit Notifier(NotifyHelper& helper) : helper_(helper) {}
  ~Notifier() override { stop(); }

  /// From now on notifications go out. `device` is /dev/fuse and must stay open until stop() has
  /// returned.
  Result<void> attach(int device, std::uint32_t connection);
  /// No notification after this: what is queued is dropped, who waits is told so.
  void stop();

  void drop_attributes(NodeId node) override;
  void drop_names(NodeId directory, std::vector<std::string> names, Forget what, std::function<void()> done) override;
  bool drop_name_now(NodeId directory, const std::string& name, Forget what, std::chrono::milliseconds timeout) override;
  bool drop_content_now(NodeId file, std::chrono::milliseconds timeout) override;
  bool drop_range_now(NodeId file, std::uint64_t offset, std::uint64_t length, std::chrono::milliseconds timeout) override;
  void drop_range(NodeId file, std::uint64_t offset, std::uint64_t length, std::function<void()> done) override;
  void drop_listing(NodeId directory) override;
  bool write_back(const std::vector<NodeId>& files, std::chrono::milliseconds timeout) override;

 private:
  NotifyHelper& helper_;
  NotifyQueue names_{"pfs-names"};
  NotifyQueue pages_{"pfs-pages"};
  std::atomic<int> device_ = -1;  ///< atomic: alone, it says whether attributes are to be told
};

}  // namespace pfs::fs
