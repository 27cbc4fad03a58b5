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
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/file.h"
#include "fs/fuse/device_io.h"
#include "fs/fuse/mount_point.h"
#include "fs/fuse/operations.h"

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

  /// The last line.
  std::string said() const {
    std::array<char, 4096> bytes{};
    const ssize_t size = pread(text_.get(), bytes.data(), bytes.size(), 0);
    std::string text(bytes.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    while (text.ends_with('\n')) text.pop_back();
    return text.substr(text.rfind('\n') + 1);
  }

 private:
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

Session::Session(const SessionOptions& options) : options_(options) { context_.vfs = options.vfs; }

Result<std::unique_ptr<Session>> Session::mount(const SessionOptions& options) {
  prepare_signals();
  fuse_set_log_func(log_libfuse);
  PFS_TRY_ASSIGN(auto path, prepare_mount_point(options.mount_path, options.source));
  std::unique_ptr<Session> session(new Session(options));
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
    if (failed != 0 && trouble.empty()) trouble = errors.said();
  }
  mount_trouble = nullptr;
  if (failed != 0)
    return Error{Code::kIo, fmt::format("{}: cannot be mounted on: {}", path, trouble)};
  path_ = path;
  fcntl(device(), F_SETFD, FD_CLOEXEC);
  if (fuse_session_custom_io(session_, &device_io(), device()) != 0) {
    return Error{Code::kInternal, "libfuse refuses our reads and writes"};
  }
  PFS_TRY_ASSIGN(connection_, connection_of_mount(path));
  return {};
}

int Session::device() const { return fuse_session_fd(session_); }

void Session::start(std::function<void()> on_end) {
  on_end_ = std::move(on_end);
  serving_ = options_.threads;
  for (unsigned i = 0; i < options_.threads; ++i) {
    threads_.emplace_back([this] { serve(); });
    pthread_setname_np(threads_.back().native_handle(), "pfs-fuse");
  }
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

Result<void> Session::detach() {
  if (path_.empty()) return {};
  const std::string path = std::exchange(path_, {});
  auto connection = connection_of_mount(path);
  if (!connection || *connection != connection_)
    return {};  // somebody has unmounted it, and perhaps mounted another
  return detach_mount(path);
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
  if (!session_) return;
  if (auto detached = detach(); !detached) spdlog::error("{}", detached.error().message);
  end();
  fuse_session_destroy(session_);
}

}  // namespace pfs::fs
