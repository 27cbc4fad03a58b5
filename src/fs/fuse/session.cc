#include "fs/fuse/session.h"

#define FUSE_USE_VERSION 314
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/file.h"
#include "base/mounts.h"
#include "fs/fuse/device_io.h"
#include "fs/fuse/mount_point.h"
#include "fs/fuse/operations.h"
#include "fs/vfs.h"

namespace pfs::fs {

namespace {

// Ends a read of /dev/fuse; its handler does nothing.
constexpr int kWakeSignal = SIGUSR1;

// What libfuse says while we mount belongs into the error; it has no other way to tell.
thread_local std::string* mount_trouble = nullptr;

void log_libfuse(fuse_log_level level, const char* format, va_list arguments) {
  std::array<char, 1024> line{};
  std::vsnprintf(line.data(), line.size(), format, arguments);
  std::string text = line.data();
  while (text.ends_with('\n')) text.pop_back();
  if (mount_trouble && level <= FUSE_LOG_ERR) {
    *mount_trouble = text;
    return;
  }
  spdlog::log(level <= FUSE_LOG_ERR ? spdlog::level::err : spdlog::level::debug, "libfuse: {}",
              text);
}

// What fusermount3, which libfuse runs for an ordinary user, writes to our standard error belongs
// into the error as well.
class CapturedErrors {
 public:
  CapturedErrors()
      : text_(memfd_create("errors", MFD_CLOEXEC)),
        before_(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)) {
    if (text_ && before_) dup2(text_.get(), STDERR_FILENO);
  }
  ~CapturedErrors() {
    if (text_ && before_) dup2(before_.get(), STDERR_FILENO);
  }
  CapturedErrors(const CapturedErrors&) = delete;
  CapturedErrors& operator=(const CapturedErrors&) = delete;

  /// What fusermount3 said last; empty: nothing. The rest, others' lines in the log, is passed on.
  std::string said() const {
    std::istringstream lines(all());
    std::string found;
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("fusermount3: ")) {
        found = line;
      } else if (line += '\n'; write(before_ ? before_.get() : STDERR_FILENO, line.data(), line.size()) < 0) {
        break;
      }
    }
    return found;
  }

 private:
  std::string all() const {
    std::string text;
    std::array<char, 4096> bytes{};
    ssize_t size = 0;
    while ((size = pread(text_.get(), bytes.data(), bytes.size(), static_cast<off_t>(text.size()))) > 0)
      text.append(bytes.data(), static_cast<std::size_t>(size));
    return text;
  }

  UniqueFd text_;
  UniqueFd before_;
};

void prepare_signals() {
  struct sigaction wake {};
  wake.sa_handler = [](int) {};
  sigaction(kWakeSignal, &wake, nullptr);  // without SA_RESTART, so that read(2) returns
  std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace

Session::Session(const SessionOptions& options) : options_(options) {
  context_.vfs = options.vfs;
  context_.root = options.root;
  context_.cached = options.cached;
  if (options.cached) return;
  context_.held.looked_up(options.root);
  context_.vfs->uncached_begins();
}

Result<std::unique_ptr<Session>> Session::mount(const SessionOptions& options) {
  prepare_signals();
  fuse_set_log_func(log_libfuse);
  std::unique_ptr<Session> session(new Session(options));  // has the root from here on, to give it back
  PFS_TRY_ASSIGN(auto path, prepare_mount_point(options.mount_path, options.source, options.live));
  PFS_TRY(session->mount_at(path));
  return session;
}

Result<void> Session::mount_at(const std::string& path) {
  std::string mount_options =
      fmt::format("fsname={},subtype=pfs,default_permissions", options_.source);
  if (others_may_enter()) mount_options += ",allow_other";
  for (const auto& option : options_.kernel_options) mount_options += "," + option;
  std::string program = "pfsd";
  std::string flag = "-o";
  std::array<char*, 4> words{program.data(), flag.data(), mount_options.data(), nullptr};
  fuse_args arguments = FUSE_ARGS_INIT(3, words.data());
  session_ = fuse_session_new(&arguments, &operations(), sizeof(fuse_lowlevel_ops), &context_);
  fuse_opt_free_args(&arguments);
  if (!session_)
    return Error{Code::kInternal, "libfuse refuses the mount options " + mount_options};
  std::string trouble;
  mount_trouble = &trouble;
  int failed = 0;
  {
    const CapturedErrors errors;
    failed = fuse_session_mount(session_, path.c_str());
    const auto said = errors.said();
    if (failed != 0 && trouble.empty()) trouble = said;
  }
  mount_trouble = nullptr;
  if (failed != 0)
    return Error{Code::kIo, fmt::format("{}: cannot be mounted on: {}", path, trouble)};
  path_ = path;
  fcntl(device(), F_SETFD, FD_CLOEXEC);
  if (fuse_session_custom_io(session_, &device_io(), device()) != 0) {
    return Error{Code::kInternal, "libfuse refuses our reads and writes"};
  }
  auto connection = connection_of_mount(path);
  if (!connection) {
    if (auto detached = detach_mount(path); !detached) spdlog::error("{}", detached.error().message);
    return std::move(connection).error();
  }
  connection_ = *connection;
  return {};
}

int Session::device() const { return fuse_session_fd(session_); }

Result<void> Session::start(std::function<void()> on_end) {
  on_end_ = std::move(on_end);
  serving_ = 1;  // ours: nobody is the last one before all have begun
  try {
    for (unsigned i = 0; i < options_.threads; ++i) {
      ++serving_;  // before it serves, and may end
      threads_.emplace_back([this] { serve(); });
      pthread_setname_np(threads_.back().native_handle(), "pfs-fuse");
    }
  } catch (const std::system_error& refused) {
    on_end_ = nullptr;
    serving_ -= 2;
    end();
    return Error{Code::kUnavailable, fmt::format("{}: no thread to serve it: {}", path_, refused.what())};
  }
  if (--serving_ == 0 && on_end_) on_end_();
  return {};
}

void Session::serve() {
  fuse_buf buffer{};
  while (fuse_session_exited(session_) == 0) {
    const int size = fuse_session_receive_buf(session_, &buffer);
    if (size == -EINTR || size == -EAGAIN) continue;
    if (size <= 0) break;  // unmounted
    fuse_session_process_buf(session_, &buffer);
  }
  std::free(buffer.mem);
  if (--serving_ == 0 && on_end_) on_end_();
}

std::optional<std::string> Session::place() const {
  std::optional<std::string> found;
  for (const auto& mount : mount_points()) {
    // whose number was given to another since has another source
    if (mount.minor != connection_ || mount.root != "/" || mount.source != options_.source || !mount.type.starts_with("fuse")) continue;
    if (!found || mount.point == path_) found = mount.point;
  }
  return found;
}

Result<void> Session::detach() {
  if (connection_ == 0) return {};  // it was never mounted
  const auto where = place();
  return where ? detach_mount(*where) : Result<void>();  // somebody has unmounted it, and perhaps mounted another
}

void Session::end() {
  fuse_session_exit(session_);
  // a signal that comes just before the read is lost: ring until everybody has heard it
  while (serving_ > 0) {
    for (auto& thread : threads_) pthread_kill(thread.native_handle(), kWakeSignal);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

Session::~Session() {
  if (session_) close();
  if (context_.cached) return;
  context_.held.give_back(*context_.vfs);
  context_.vfs->uncached_ends();
}

void Session::close() {
  if (auto detached = detach(); !detached) spdlog::error("{}", detached.error().message);
  end();
  if (!context_.cached) context_.held.wait_until_answered();
  fuse_session_destroy(session_);
}

}  // namespace pfs::fs
