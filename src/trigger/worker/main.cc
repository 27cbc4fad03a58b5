// pfs-worker: the first process of a pipeline's container. It runs the user's command once for each datum, as pfsd says
// over a unix socket, sends its output there, and leaves nothing of it running. When pfsd goes away, so does it.

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>

#include "trigger/worker/command.h"

namespace pfs::trigger::worker {
namespace {

Descriptor connect_to(const char* path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string_view name(path);
  if (name.size() >= sizeof address.sun_path) return {};
  name.copy(address.sun_path, name.size());
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
  return socket;
}

/// Serves one connection until its end.
class Session {
 public:
  Session(Descriptor socket, Descriptor signals) : socket_(std::move(socket)), signals_(std::move(signals)) {}

  void serve() {
    send(FrameWriter(FrameType::kHello).number(kProtocol));
    while (open_) {
      wait();
      for (auto frame = received_.next(); frame && open_; frame = received_.next()) handle(*frame);
      if (received_.oversized()) open_ = false;
      if (command_) watch_command();
    }
    if (command_) command_->kill_everything();
  }

 private:
  void wait() {
    // poll ignores negative descriptors
    pollfd watched[] = {{socket_.get(), POLLIN, 0},
                        {signals_.get(), POLLIN, 0},
                        {command_ ? command_->output() : -1, POLLIN, 0},
                        {command_ ? command_->input() : -1, POLLOUT, 0}};
    if (::poll(watched, 4, -1) < 0) return;
    if (watched[0].revents != 0) receive();
    if (watched[1].revents != 0) {
      signalfd_siginfo drained{};
      (void)!::read(signals_.get(), &drained, sizeof drained);
    }
    if (watched[2].revents != 0) pass_output();
    if (watched[3].revents != 0) command_->feed();
  }

  void receive() {
    char piece[64 << 10];
    const ssize_t got = ::read(socket_.get(), piece, sizeof piece);
    if (got < 0 && errno == EINTR) return;
    if (got <= 0) open_ = false;
    if (got > 0) received_.append({piece, static_cast<std::size_t>(got)});
  }

  void handle(const Frame& frame) {
    FrameReader fields(frame.fields);
    switch (frame.type) {
      case FrameType::kRun: {
        CommandRequest request;
        request.arguments = fields.list();
        request.input = fields.string();
        request.environment = fields.list();
        request.directory = fields.string();
        if (!fields.ok() || request.arguments.empty() || command_) {
          open_ = false;
          return;
        }
        command_.emplace(request);
        if (command_->failure()) finish(*command_->failure());
        return;
      }
      case FrameType::kHello:
      case FrameType::kOutput:
      case FrameType::kEnded:
        break;
    }
    open_ = false;  // not what pfsd says
  }

  void watch_command() {
    auto end = command_->reap();
    if (!end) return;
    command_->kill_everything();  // what it left behind, which may still write to the output
    while (true) {
      const std::string piece = command_->read_output();
      if (piece.empty()) break;
      send(FrameWriter(FrameType::kOutput).string(piece));
    }
    finish(*end);
  }

  void pass_output() {
    const std::string piece = command_->read_output();
    if (!piece.empty()) send(FrameWriter(FrameType::kOutput).string(piece));
  }

  void finish(const CommandEnd& end) {
    send(FrameWriter(FrameType::kEnded).number(static_cast<std::uint32_t>(end.how)).number(end.code).string(end.why));
    command_.reset();
  }

  void send(FrameWriter& frame) {
    const std::string bytes = frame.finish();
    std::string_view rest = bytes;
    while (!rest.empty() && open_) {
      const ssize_t wrote = ::send(socket_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) open_ = false;
      if (wrote > 0) rest.remove_prefix(static_cast<std::size_t>(wrote));
    }
  }

  Descriptor socket_;
  Descriptor signals_;
  FrameBuffer received_;
  std::optional<Command> command_;
  bool open_ = true;
};

int run(int argc, char** argv) {
  const std::string_view argument = argc == 2 ? argv[1] : "";
  if (argument == "--version") {
    std::printf("pfs-worker %u\n", kProtocol);
    return 0;
  }
  if (argument == "--whoami") {
    std::printf("%u %u\n", ::getuid(), ::getgid());
    return 0;
  }
  if (argument.empty()) {
    std::fprintf(stderr, "usage: pfs-worker SOCKET | --version | --whoami\n");
    return 2;
  }
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t children;
  ::sigemptyset(&children);
  ::sigaddset(&children, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &children, nullptr);
  Descriptor signals(::signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK));
  Descriptor socket = connect_to(argv[1]);
  if (!signals || !socket) {
    std::fprintf(stderr, "pfs-worker: %s: %s\n", argv[1], std::strerror(errno));
    return 1;
  }
  Session(std::move(socket), std::move(signals)).serve();
  return 0;
}

}  // namespace
}  // namespace pfs::trigger::worker

int main(int argc, char** argv) { return pfs::trigger::worker::run(argc, argv); }
