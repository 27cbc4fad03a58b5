#include "fs/fuse/notify_queue.h"

#include <pthread.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include <spdlog/spdlog.h>

#include "fs/fuse/notify_helper.h"

namespace pfs::fs {

namespace {

constexpr std::size_t kMaxQueued = 256 * 1024;

}  // namespace

void NotifyQueue::start(int socket) {
  socket_ = socket;
  {
    Lock lock(mutex_);
    running_ = has_helper_ = true;
  }
  try {
    sender_ = std::thread([this] { send_queued(); });
    pthread_setname_np(sender_.native_handle(), (name_ + "-out").c_str());
    receiver_ = std::thread([this] { receive_done(); });
    pthread_setname_np(receiver_.native_handle(), (name_ + "-in").c_str());
  } catch (const std::system_error&) {
    stop();
    throw;
  }
}

void NotifyQueue::begin_stop() {
  {
    Lock lock(mutex_);
    if (!running_) return;
    running_ = false;
    queue_.clear();
    outstanding_.clear();
    changed_.notify_all();
  }
  shutdown(socket_, SHUT_RDWR);
}

void NotifyQueue::stop() {
  begin_stop();
  for (auto* thread : {&sender_, &receiver_}) {
    if (thread->joinable()) thread->join();
  }
}

void NotifyQueue::send(std::string notification) {
  Lock lock(mutex_);
  if (running_ && has_helper_) enqueue(std::move(notification), nullptr);
}

void NotifyQueue::send(std::vector<std::string> notifications, std::function<void()> done) {
  if (notifications.empty()) return done();
  const auto group = std::make_shared<Group>(Group{0, std::move(done)});
  {
    Lock lock(mutex_);
    if (!running_) return;
    for (auto& notification : notifications) {
      if (!has_helper_) break;
      // the last one always goes out, so that `done` is called
      if (queue_.size() >= kMaxQueued && &notification != &notifications.back()) continue;
      ++group->left;
      enqueue(std::move(notification), group);
    }
    if (has_helper_) {
      if (group->left < notifications.size())
        spdlog::warn("{}: the queue is full; {} notifications left out", name_, notifications.size() - group->left);
      return;
    }
  }
  group->done();
}

bool NotifyQueue::send_and_wait(std::vector<std::string> notifications, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  Lock lock(mutex_);
  if (!running_ || !has_helper_) return !running_;
  std::vector<std::uint64_t> numbers;
  for (auto& notification : notifications) numbers.push_back(enqueue(std::move(notification), nullptr));
  for (const std::uint64_t number : numbers) {
    while (outstanding_.contains(number)) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      if (left.count() <= 0) return false;
      changed_.wait_for(mutex_, left);
    }
  }
  return !running_ || has_helper_;
}

std::uint64_t NotifyQueue::enqueue(std::string notification, std::shared_ptr<Group> group) {
  const std::uint64_t number = next_number_++;
  outstanding_[number] = std::move(group);
  queue_.push_back({number, std::move(notification)});
  changed_.notify_all();
  return number;
}

void NotifyQueue::send_queued() {
  while (true) {
    Packet packet;
    {
      Lock lock(mutex_);
      while (running_ && queue_.empty()) changed_.wait(mutex_);
      if (!running_) return;
      packet = std::move(queue_.front());
      queue_.pop_front();
    }
    const NotifyTicket ticket{packet.number};
    std::array<iovec, 2> parts{iovec{const_cast<NotifyTicket*>(&ticket), sizeof ticket},
                               iovec{packet.notification.data(), packet.notification.size()}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    // blocks while the helper is behind; shutdown() in stop() ends that
    while (sendmsg(socket_, &message, MSG_NOSIGNAL) < 0) {
      if (errno != EINTR) return;  // which receive_done() hears of as well
    }
  }
}

void NotifyQueue::end_of(std::uint64_t number) {
  std::function<void()> done;
  {
    Lock lock(mutex_);
    const auto it = outstanding_.find(number);
    if (it == outstanding_.end()) return;
    const auto group = std::move(it->second);
    outstanding_.erase(it);
    if (group && --group->left == 0) done = std::move(group->done);
    changed_.notify_all();
  }
  if (done) done();
}

void NotifyQueue::receive_done() {
  NotifyDone done;
  while (true) {
    const ssize_t size = recv(socket_, &done, sizeof done, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size != static_cast<ssize_t>(sizeof done)) return helper_has_ended();
    end_of(done.number);
  }
}

void NotifyQueue::helper_has_ended() {
  std::vector<std::function<void()>> done_now;
  {
    Lock lock(mutex_);
    has_helper_ = false;
    if (running_) {
      spdlog::error("{}: the notify helper has ended: what the kernel has cached stays until its hour is over", name_);
      for (auto& [number, group] : outstanding_) {
        if (group && --group->left == 0) done_now.push_back(std::move(group->done));
      }
    }
    queue_.clear();
    outstanding_.clear();
    changed_.notify_all();
  }
  for (const auto& each : done_now) each();
}

}  // namespace pfs::fs
