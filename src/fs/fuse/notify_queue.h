#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/sync.h"

namespace pfs::fs {

/// Notifications on their way to the helper process by one of its sockets.
///
/// Thread-safe. Of several that are sent together it leaves out those that do not fit beside 256 Ki, with a line in the log. Owns two
/// threads, which send and hear what became of it.
class NotifyQueue {
 public:
  /// `name` is of its threads, at most 11 characters.
  explicit NotifyQueue(std::string name) : name_(std::move(name)) {}
  NotifyQueue(const NotifyQueue&) = delete;
  NotifyQueue& operator=(const NotifyQueue&) = delete;
  ~NotifyQueue() { stop(); }

  /// `socket` must stay open until stop() has returned.
  void start(int socket) PFS_EXCLUDES(mutex_);
  /// What is queued is dropped, who waits is told so; the helper sees the end of its socket.
  void begin_stop() PFS_EXCLUDES(mutex_);
  /// The same, and the threads have ended.
  void stop() PFS_EXCLUDES(mutex_);

  /// In the background.
  void send(std::string notification) PFS_EXCLUDES(mutex_);
  /// In the background. `done` is called when the kernel has taken them all, or nobody is left who could hand them over; never
  /// after stop() has begun.
  void send(std::vector<std::string> notifications, std::function<void()> done) PFS_EXCLUDES(mutex_);
  /// Returns true when the kernel has taken them all, or none goes out as this has stopped; false when `timeout` passed first
  /// (they go out later), or the helper has ended.
  bool send_and_wait(std::vector<std::string> notifications, std::chrono::milliseconds timeout) PFS_EXCLUDES(mutex_);

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
  std::uint64_t enqueue(std::string notification, std::shared_ptr<Group> group) PFS_REQUIRES(mutex_);
  void end_of(std::uint64_t number) PFS_EXCLUDES(mutex_);
  void send_queued() PFS_EXCLUDES(mutex_);
  void receive_done() PFS_EXCLUDES(mutex_);
  void helper_has_ended() PFS_EXCLUDES(mutex_);

  const std::string name_;
  int socket_ = -1;
  Mutex mutex_{LockRank::kLeaf};
  Condition changed_;
  bool running_ PFS_GUARDED_BY(mutex_) = false;
  bool has_helper_ PFS_GUARDED_BY(mutex_) = false;  ///< false while running: it was killed, and nothing is told any more
  std::uint64_t next_number_ PFS_GUARDED_BY(mutex_) = 1;
  std::deque<Packet> queue_ PFS_GUARDED_BY(mutex_);
  std::unordered_map<std::uint64_t, std::shared_ptr<Group>> outstanding_ PFS_GUARDED_BY(mutex_);
  std::thread sender_;
  std::thread receiver_;
};

}  // namespace pfs::fs
