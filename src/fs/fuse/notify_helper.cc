#include "fs/fuse/notify_helper.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

extern char** environ;

namespace pfs::fs {

namespace {

// Of each lane: one may wait for a lock while the others go on.
constexpr int kThreads = 4;
constexpr int kFirstInChild = 3;
constexpr std::size_t kMaxPacket = 4096;
constexpr std::chrono::seconds kGrace{1};

Result<void> send_descriptor(int socket, int descriptor, std::uint32_t connection) {
  iovec body{&connection, sizeof connection};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &body;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  if (sendmsg(socket, &message, MSG_NOSIGNAL) < 0) return error_from_errno(errno, "notify helper");
  return {};
}

// -1 when pfsd has gone before it had anything mounted.
int receive_descriptor(int socket, std::uint32_t& connection) {
  iovec body{&connection, sizeof connection};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &body;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) <= 0) return -1;
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (!header || header->cmsg_type != SCM_RIGHTS) return -1;
  int descriptor = -1;
  std::memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
  return descriptor;
}

void serve(int socket, int device) {
  std::vector<char> packet(kMaxPacket);
  while (true) {
    const ssize_t size = recv(socket, packet.data(), packet.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= static_cast<ssize_t>(sizeof(NotifyTicket))) return;
    NotifyTicket ticket;
    std::memcpy(&ticket, packet.data(), sizeof ticket);
    const auto length = static_cast<std::size_t>(size) - sizeof ticket;
    const ssize_t written = write(device, packet.data() + sizeof ticket, length);
    const NotifyDone done{ticket.number, written < 0 ? errno : 0};
    if (send(socket, &done, sizeof done, MSG_NOSIGNAL) < 0) return;
  }
}

bool write_abort(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return file && write(file.get(), "1", 1) == 1;
}

// Source: Documentation/filesystems/fuse.rst, "Control filesystem".
void abort_connection(std::uint32_t connection) {
  const std::string control = "/sys/fs/fuse/connections";
  const std::string path = fmt::format("{}/{}/abort", control, connection);
  if (write_abort(path)) return;
  // Nobody has mounted the control file system (no systemd): mount it for this thread alone, and
  // not for the machine. Without the right to do so, the next pfsd or an administrator aborts.
  if (unshare(CLONE_NEWNS) == 0 &&
      mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
      mount("none", control.c_str(), "fusectl", 0, nullptr) == 0) {
    write_abort(path);
  }
}

}  // namespace

Result<NotifyHelper> NotifyHelper::start() {
  Sockets ours;
  Sockets theirs;
  for (std::size_t lane = 0; lane < kNotifyLanes; ++lane) {
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) < 0)
      return error_from_errno(errno, "notify helper: socket");
    ours.at(lane) = UniqueFd(ends[0]);
    // out of the way of the numbers that they get in the child
    theirs.at(lane) = UniqueFd(fcntl(ends[1], F_DUPFD_CLOEXEC, kFirstInChild + static_cast<int>(kNotifyLanes)));
    close(ends[1]);
    if (!theirs.at(lane)) return error_from_errno(errno, "notify helper: socket");
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  int in_child = kFirstInChild;
  for (const auto& socket : theirs) posix_spawn_file_actions_adddup2(&actions, socket.get(), in_child++);
  // nothing else, not even a pipe to which pfsd's caller has connected stderr and which it reads to the end
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    posix_spawn_file_actions_addopen(&actions, standard, "/dev/null", O_RDWR, 0);
  }
  posix_spawn_file_actions_addclosefrom_np(&actions, in_child);
  char program[] = "pfsd";
  std::string argument = kNotifyHelperArgument;
  std::array<char*, 3> arguments{program, argument.data(), nullptr};
  pid_t pid = 0;
  const int failed =
      posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return error_from_errno(failed, "notify helper: start");
  return NotifyHelper(std::move(ours), pid);
}

NotifyHelper::~NotifyHelper() {
  if (pid_.value == 0) return;
  for (auto& socket : sockets_) socket.reset();
  int status = 0;
  while (waitpid(pid_.value, &status, 0) < 0 && errno == EINTR) {
  }
}

Result<void> NotifyHelper::attach(int device, std::uint32_t connection) const {
  return send_descriptor(socket(NotifyLane::kNames), device, connection);
}

int run_notify_helper() {
  // the end of pfsd's sockets is the only thing that ends the helper: not a Ctrl-C that reaches both
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) std::signal(signal, SIG_IGN);
  std::array<int, kNotifyLanes> sockets{};
  std::iota(sockets.begin(), sockets.end(), kFirstInChild);
  for (const int socket : sockets) fcntl(socket, F_SETFD, FD_CLOEXEC);
  std::uint32_t connection = 0;
  const int device = receive_descriptor(sockets.front(), connection);
  if (device < 0) return 0;

  std::atomic<int> running = 0;
  std::vector<std::thread> threads;
  for (const int socket : sockets) {
    for (int i = 0; i < kThreads; ++i) {
      ++running;
      threads.emplace_back([&running, socket, device] {
        serve(socket, device);
        --running;
      });
    }
  }
  for (const int socket : sockets) {
    pollfd hangup{socket, POLLRDHUP, 0};
    while ((hangup.revents & (POLLHUP | POLLRDHUP)) == 0) poll(&hangup, 1, -1);
  }
  const auto deadline = std::chrono::steady_clock::now() + kGrace;
  while (running > 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  if (running > 0) abort_connection(connection);
  for (auto& thread : threads) thread.join();
  return 0;
}

}  // namespace pfs::fs
