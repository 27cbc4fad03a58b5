#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/sync.h"
#include "fs/fuse/notify_helper.h"
#include "fs/kernel_caches.h"

namespace pfs::fs {

/// Notifies the kernel: attributes by itself, at once; names and pages through the helper process,
/// from a queue.
///
/// Thread-safe. The queue holds 256 Ki notifications; what does not fit is left out with a line in
/// the log, and the kernel believes the old name until its hour is over or a walk meets kStale.
class Notifier final : public KernelCaches {
 public:
  /// `helper` must outlive it.
  explicit Notifier(NotifyHelper& helper) : helper_(helper) {}
  ~Notifier() override { stop(); }

  /// From now on notifications go out. `device` is /dev/fuse and must stay open until stop() has
  /// returned.
  Result<void> attach(int device, std::uint32_t connection) PFS_EXCLUDES(mutex_);
  /// No notification after this: what is queued is dropped, who waits is told so.
  void stop() PFS_EXCLUDES(mutex_);

  void drop_attributes(NodeId node) override PFS_EXCLUDES(mutex_);
  void drop_names(NodeId directory, std::vector<std::string> names, Forget what,
                  std::function<void()> done) override PFS_EXCLUDES(mutex_);
  bool drop_name_now(NodeId directory, const std::string& name,
                     std::chrono::milliseconds timeout) override PFS_EXCLUDES(mutex_);
  bool drop_content_now(NodeId file, std::chrono::milliseconds timeout) override
      PFS_EXCLUDES(mutex_);
  bool drop_range_now(NodeId file, std::uint64_t offset, std::uint64_t length, std::chrono::milliseconds timeout) override
      PFS_EXCLUDES(mutex_);
  void drop_listing(NodeId directory) override PFS_EXCLUDES(mutex_);
  bool write_back(const std::vector<NodeId>& files, std::chrono::milliseconds timeout) override
      PFS_EXCLUDES(mutex_);

 private:
  struct Packet {
    std::uint64_t number = 0;
    std::string notification;
  };
  /// Notifications that somebody wants to know the end of, together.
  struct Group {
    std::size_t left = 0;
    std::function<void()> done;
  };
  std::uint64_t enqueue(std::string notification, std::shared_ptr<Group> group = nullptr)
      PFS_REQUIRES(mutex_);
  void end_of(std::uint64_t number) PFS_EXCLUDES(mutex_);
  /// Waits until none of `numbers` is outstanding.
  bool wait_for(const std::vector<std::uint64_t>& numbers, std::chrono::milliseconds timeout)
      PFS_REQUIRES(mutex_);
  void send_queued() PFS_EXCLUDES(mutex_);
  void receive_done() PFS_EXCLUDES(mutex_);

  NotifyHelper& helper_;
  Mutex mutex_{LockRank::kLeaf};
  Condition changed_;
  bool running_ PFS_GUARDED_BY(mutex_) = false;
  int device_ PFS_GUARDED_BY(mutex_) = -1;
  std::uint64_t next_number_ PFS_GUARDED_BY(mutex_) = 1;
  std::deque<Packet> queue_ PFS_GUARDED_BY(mutex_);
  std::unordered_map<std::uint64_t, std::shared_ptr<Group>> outstanding_ PFS_GUARDED_BY(mutex_);
  std::thread sender_;
  std::thread receiver_;
};

}  // namespace pfs::fs
