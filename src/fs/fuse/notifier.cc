#include "fs/fuse/notifier.h"

#include <linux/fuse.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <utility>

#include <spdlog/spdlog.h>

namespace pfs::fs {

namespace {

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

std::string all_pages(NodeId node) { return inval_inode(node, 0, 0); }

std::string range_of_pages(NodeId node, std::uint64_t offset, std::uint64_t length) {
  return inval_inode(node, static_cast<std::int64_t>(offset), static_cast<std::int64_t>(length));
}

std::string inval_entry(NodeId directory, std::string_view name, KernelCaches::Forget what) {
  const InvalEntry body{directory.value(), static_cast<std::uint32_t>(name.size()),
                        what == KernelCaches::Forget::kName ? kExpireOnly : 0};
  return notification(FUSE_NOTIFY_INVAL_ENTRY, raw(body), name);
}

}  // namespace

Result<void> Notifier::attach(int device, std::uint32_t connection) {
  PFS_TRY(helper_.attach(device, connection));
  names_.start(helper_.socket(NotifyLane::kNames));
  pages_.start(helper_.socket(NotifyLane::kPages));
  device_ = device;
  return {};
}

void Notifier::stop() {
  device_ = -1;
  // both first: the helper takes it for stuck when one of them ends and the other does not
  names_.begin_stop();
  pages_.begin_stop();
  names_.stop();
  pages_.stop();
}

void Notifier::drop_attributes(NodeId node) {
  const int device = device_;
  if (device < 0) return;
  // a negative offset leaves the pages alone, so that nothing here waits; an unknown node is
  // ENOENT, which is fine
  const std::string message = inval_inode(node, -1, 0);
  if (write(device, message.data(), message.size()) < 0 && errno != ENOENT) {
    spdlog::debug("dropping attributes of node {}: errno {}", node.value(), errno);
  }
}

void Notifier::drop_names(NodeId directory, std::vector<std::string> names, Forget what,
                          std::function<void()> done) {
  for (auto& name : names) name = inval_entry(directory, name, what);
  names_.send(std::move(names), std::move(done));
}

bool Notifier::drop_name_now(NodeId directory, const std::string& name, Forget what,
                             std::chrono::milliseconds timeout) {
  return names_.send_and_wait({inval_entry(directory, name, what)}, timeout);
}

// The kernel reads into a directory's pages what it was answered already: nobody holds them for long.
void Notifier::drop_listing(NodeId directory) { names_.send(all_pages(directory)); }

bool Notifier::drop_content_now(NodeId file, std::chrono::milliseconds timeout) {
  return pages_.send_and_wait({all_pages(file)}, timeout);
}

bool Notifier::drop_range_now(NodeId file, std::uint64_t offset, std::uint64_t length, std::chrono::milliseconds timeout) {
  return pages_.send_and_wait({range_of_pages(file, offset, length)}, timeout);
}

void Notifier::drop_range(NodeId file, std::uint64_t offset, std::uint64_t length, std::function<void()> done) {
  pages_.send(std::vector{length == 0 ? all_pages(file) : range_of_pages(file, offset, length)}, std::move(done));
}

bool Notifier::write_back(const std::vector<NodeId>& files, std::chrono::milliseconds timeout) {
  std::vector<std::string> notifications;
  for (const NodeId file : files) notifications.push_back(all_pages(file));
  return pages_.send_and_wait(std::move(notifications), timeout);
}

}  // namespace pfs::fs
