#include "fs/fuse/notifier.h"

#include <linux/fuse.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include <spdlog/spdlog.h>

namespace pfs::fs {

namespace {

constexpr std::size_t kMaxQueued = 256 * 1024;

std::string_view raw(const auto& structure) {
  return {reinterpret_cast<const char*>(&structure), sizeof structure};
}

// A message to the kernel that nobody asked for. Source: linux/fuse.h, fuse_out_header: `error`
// carries the code.
std::string notification(fuse_notify_code code, std::string_view body, std::string_view name = {}) {
  std::string message;
  fuse_out_header header{};
  const std::size_t terminator = name.empty() ? 0 : 1;
  header.len = static_cast<std::uint32_t>(sizeof header + body.size() + name.size() + terminator);
  header.error = code;
  message.append(raw(header)).append(body).append(name).append(terminator, '\0');
  return message;
}

std::string inval_inode(NodeId node, std::int64_t offset, std::int64_t length) {
  fuse_notify_inval_inode_out body{};
  body.ino = node.value();
  body.off = offset;
  body.len = length;
  return notification(FUSE_NOTIFY_INVAL_INODE, raw(body));
}

// fuse_notify_inval_entry_out of protocol 7.38; the headers of older kernels call the last member padding.
struct InvalEntry {
  std::uint64_t parent;
  std::uint32_t name_length;
  std::uint32_t flags;
};
static_assert(sizeof(InvalEntry) == sizeof(fuse_notify_inval_entry_out));
constexpr std::uint32_t kExpireOnly = 1;

std::string inval_entry(NodeId directory, std::string_view name, KernelCaches::Forget what) {
  const InvalEntry body{directory.value(), static_cast<std::uint32_t>(name.size()),
                        what == KernelCaches::Forget::kName ? kExpireOnly : 0};
  return notification(FUSE_NOTIFY_INVAL_ENTRY, raw(body), name);
}

}  // namespace

Result<void> Notifier::attach(int device, std::uint32_t connection) {
  PFS_TRY(helper_.attach(device, connection));
  {
    Lock lock(mutex_);
    device_ = device;
    running_ = true;
  }
  sender_ = std::thread([this] { send_queued(); });
  pthread_setname_np(sender_.native_handle(), "pfs-notify-out");
  receiver_ = std::thread([this] { receive_done(); });
  pthread_setname_np(receiver_.native_handle(), "pfs-notify-in");
  return {};
}

void Notifier::stop() {
  {
    Lock lock(mutex_);
    if (!running_) return;
    running_ = false;
    queue_.clear();
    outstanding_.clear();
    changed_.notify_all();
  }
  shutdown(helper_.socket(), SHUT_RDWR);
  sender_.join();
  receiver_.join();
}

void Notifier::drop_attributes(NodeId node) {
  int device = -1;
  {
    Lock lock(mutex_);
    if (!running_) return;
    device = device_;
  }
  // a negative offset leaves the pages alone, so that nothing here waits; an unknown node is
  // ENOENT, which is fine
  const std::string message = inval_inode(node, -1, 0);
  if (write(device, message.data(), message.size()) < 0 && errno != ENOENT) {
    spdlog::debug("dropping attributes of node {}: errno {}", node.value(), errno);
  }
}

void Notifier::drop_names(NodeId directory, std::vector<std::string> names, Forget what,
                          std::function<void()> done) {
  if (names.empty()) return done();
  auto group = std::make_shared<Group>(Group{0, std::move(done)});
  Lock lock(mutex_);
  if (!running_) return;
  for (const auto& name : names) {
    // the last one always goes out, so that `done` is called
    if (queue_.size() >= kMaxQueued && &name != &names.back()) continue;
    ++group->left;
    enqueue(inval_entry(directory, name, what), group);
  }
  if (group->left < names.size()) {
    spdlog::warn("notifications: the queue is full; {} names left out", names.size() - group->left);
  }
}

bool Notifier::drop_name_now(NodeId directory, const std::string& name,
                             std::chrono::milliseconds timeout) {
  Lock lock(mutex_);
  if (!running_) return true;
  return wait_for({enqueue(inval_entry(directory, name, Forget::kAll))}, timeout);
}

bool Notifier::drop_content_now(NodeId file, std::chrono::milliseconds timeout) {
  Lock lock(mutex_);
  if (!running_) return true;
  return wait_for({enqueue(inval_inode(file, 0, 0))}, timeout);
}

bool Notifier::drop_range_now(NodeId file, std::uint64_t offset, std::uint64_t length, std::chrono::milliseconds timeout) {
  Lock lock(mutex_);
  if (!running_) return true;
  return wait_for({enqueue(inval_inode(file, static_cast<std::int64_t>(offset), static_cast<std::int64_t>(length)))}, timeout);
}

void Notifier::drop_listing(NodeId directory) {
  Lock lock(mutex_);
  if (running_) enqueue(inval_inode(directory, 0, 0));
}

bool Notifier::write_back(const std::vector<NodeId>& files, std::chrono::milliseconds timeout) {
  Lock lock(mutex_);
  if (!running_) return true;
  std::vector<std::uint64_t> numbers;
  for (const NodeId file : files) numbers.push_back(enqueue(inval_inode(file, 0, 0)));
  return wait_for(numbers, timeout);
}

std::uint64_t Notifier::enqueue(std::string notification, std::shared_ptr<Group> group) {
  const std::uint64_t number = next_number_++;
  outstanding_[number] = std::move(group);
  queue_.push_back({number, std::move(notification)});
  changed_.notify_all();
  return number;
}

bool Notifier::wait_for(const std::vector<std::uint64_t>& numbers,
                        std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (const std::uint64_t number : numbers) {
    while (outstanding_.contains(number)) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          deadline - std::chrono::steady_clock::now());
      if (left.count() <= 0) return false;
      changed_.wait_for(mutex_, left);
    }
  }
  return running_;
}

void Notifier::send_queued() {
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
    if (sendmsg(helper_.socket(), &message, MSG_NOSIGNAL) < 0) return;
  }
}

void Notifier::end_of(std::uint64_t number) {
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

void Notifier::receive_done() {
  NotifyDone done;
  while (true) {
    const ssize_t size = recv(helper_.socket(), &done, sizeof done, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size != static_cast<ssize_t>(sizeof done)) break;
    end_of(done.number);
  }
  Lock lock(mutex_);
  if (running_)
    spdlog::error("the notify helper has ended: cached names stay until their hour is over");
  outstanding_.clear();
  changed_.notify_all();
}

}  // namespace pfs::fs
