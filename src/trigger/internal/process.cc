#include "trigger/internal/process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <optional>
#include <utility>

#include <boost/filesystem.hpp>
#include <fmt/format.h>

#include "base/file.h"
#include "trigger/internal/again.h"

namespace pfs::trigger {

namespace {

constexpr std::size_t kMaxCaptured = 1 << 20;

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Result<Pipe> open_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return error_from_errno(errno, "pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

/// What posix_spawn is to do in the child.
class SpawnActions {
 public:
  SpawnActions(int output, int errors) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions_, output, 1);
    ::posix_spawn_file_actions_adddup2(&actions_, errors, 2);
    // our descriptors are close-on-exec; this covers those of libraries, /dev/fuse above all
    ::posix_spawn_file_actions_addclosefrom_np(&actions_, 3);
    ::posix_spawnattr_init(&attributes_);
    sigset_t none;
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    sigset_t pipe;
    ::sigemptyset(&pipe);
    ::sigaddset(&pipe, SIGPIPE);
    ::posix_spawnattr_setsigdefault(&attributes_, &pipe);
    // a group of its own: a ctrl-C at pfsd's terminal is for pfsd, and a child is killed with its children
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;
  ~SpawnActions() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

/// A child with its output on two pipes; killed and waited for if nobody did.
class Child {
 public:
  static Result<Child> start(const std::vector<std::string>& arguments) {
    PFS_TRY_ASSIGN(Pipe output, open_pipe());
    PFS_TRY_ASSIGN(Pipe errors, open_pipe());
    std::vector<char*> raw;
    for (const std::string& argument : arguments) raw.push_back(const_cast<char*>(argument.c_str()));
    raw.push_back(nullptr);
    const SpawnActions actions(output.write_end.get(), errors.write_end.get());
    Child child;
    const int failed =
        ::posix_spawnp(&child.pid_, raw[0], actions.actions(), actions.attributes(), raw.data(), environ);
    if (failed == ENOENT) return Error{Code::kNotFound, arguments[0] + ": no such program in PATH"};
    if (failed != 0) return error_from_errno(failed, "start " + arguments[0]);
    child.output_ = std::move(output.read_end);
    child.errors_ = std::move(errors.read_end);
    return child;
  }
  Child(Child&& other) noexcept
      : pid_(std::exchange(other.pid_, 0)), output_(std::move(other.output_)), errors_(std::move(other.errors_)) {}
  Child& operator=(Child&&) = delete;
  ~Child() {
    if (pid_ == 0) return;
    ::kill(-pid_, SIGKILL);
    wait();
  }

  /// Waits up to `timeout` for output and takes it. Returns false when both pipes have ended.
  bool collect(ProcessResult& result, std::chrono::milliseconds timeout) {
    std::array<pollfd, 2> watched{pollfd{output_.get(), POLLIN, 0}, pollfd{errors_.get(), POLLIN, 0}};
    ::poll(watched.data(), watched.size(), static_cast<int>(timeout.count()));
    if (watched[0].revents != 0) take(output_, result.output);
    if (watched[1].revents != 0) take(errors_, result.errors);
    return output_ || errors_;
  }

  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

 private:
  Child() = default;

  static void take(UniqueFd& fd, std::string& text) {
    std::array<char, 16 << 10> piece;
    const ssize_t got = ::read(fd.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) return;
    if (got <= 0) {
      fd.reset();
      return;
    }
    text.append(piece.data(), std::min(static_cast<std::size_t>(got), kMaxCaptured - text.size()));
  }

  pid_t pid_ = 0;
  UniqueFd output_;
  UniqueFd errors_;
};

/// Files of /proc do not say how long they are, and reading one fails when its process ends. Nothing where it cannot be read.
std::string all_of_stream(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  std::array<char, 4096> piece;
  for (ssize_t got = 0; file && (got = ::read(file.get(), piece.data(), piece.size())) > 0;) {
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
  return text;
}

std::vector<std::string> words_of(pid_t pid) {
  const std::string line = all_of_stream(fmt::format("/proc/{}/cmdline", pid));
  std::vector<std::string> words;
  for (std::size_t begin = 0; begin < line.size();) {
    const std::size_t end = std::min(line.find('\0', begin), line.size());
    words.push_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

}  // namespace

std::string ProcessResult::last_error_line() const {
  std::string_view text = errors;
  while (!text.empty()) {
    const auto newline = text.find_last_of('\n');
    std::string_view line = newline == std::string_view::npos ? text : text.substr(newline + 1);
    text = newline == std::string_view::npos ? std::string_view() : text.substr(0, newline);
    if (line.starts_with("Error: ")) line.remove_prefix(7);
    if (line.find_first_not_of(" \t\r") != std::string_view::npos) return std::string(line);
  }
  return fmt::format("exit status {}", exit_code);
}

Result<ProcessResult> run_process(const std::vector<std::string>& arguments, const ProcessOptions& options) {
  const auto deadline = std::chrono::steady_clock::now() + options.timeout;
  PFS_TRY_ASSIGN(Child child, Child::start(arguments));
  ProcessResult result;
  std::optional<std::chrono::steady_clock::time_point> told;
  while (child.collect(result, kAskEvery)) {
    const auto now = std::chrono::steady_clock::now();
    if (!told && options.keep_going && !options.keep_going()) told = now;
    if (told && now - *told >= options.grace) return Error{Code::kCancelled, arguments[0] + ": asked to stop"};
    if (now > deadline) {
      return Error{Code::kUnavailable, fmt::format("{} {}: no end after {} s", arguments[0],
                                                   arguments.size() > 1 ? arguments[1] : "",
                                                   options.timeout.count() / 1000)};
    }
  }
  result.exit_code = child.wait();
  return result;
}

std::vector<RunningProcess> running_processes() {
  std::vector<RunningProcess> found;
  boost::system::error_code error;
  boost::filesystem::directory_iterator entry("/proc", error);
  for (; !error && entry != boost::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    pid_t pid = 0;
    const auto [end, trouble] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (trouble != std::errc() || end != name.data() + name.size()) continue;
    std::vector<std::string> words = words_of(pid);
    if (!words.empty()) found.push_back({pid, std::move(words)});
  }
  return found;
}

bool is_word_of_a_process(std::string_view word) {
  const auto processes = running_processes();
  return std::any_of(processes.begin(), processes.end(), [&](const RunningProcess& process) {
    return std::find(process.words.begin(), process.words.end(), word) != process.words.end();
  });
}

void kill_process(const RunningProcess& process) {
  // through glibc's own there would be one more thing that only newer systems have
  const UniqueFd one(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
  if (!one) return;
  // the descriptor is for one process for good, so what is read now is of that one, or it has ended and the signal goes nowhere
  if (words_of(process.pid) == process.words) ::syscall(SYS_pidfd_send_signal, one.get(), SIGKILL, nullptr, 0);
}

}  // namespace pfs::trigger
