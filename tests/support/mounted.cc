#include "support/mounted.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <stdexcept>
#include <thread>

#include "base/file.h"

namespace pfs::test {

namespace {

constexpr std::chrono::milliseconds kStep{5};
// A start waits for its turn on a busy machine: at a load of 15, one that does 0.2 s of work was seen to take 12 s, run by
// nice(1). So what it takes of a processor is bounded as well, and tightly.
constexpr std::chrono::seconds kStart{20};
constexpr std::chrono::seconds kStartWork{5};

template <class Condition>
bool soon(std::chrono::milliseconds patience, Condition&& holds) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(kStep);
  }
  return true;
}

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

/// Of all its threads; zero for one that has ended.
std::chrono::nanoseconds processor_time_of(pid_t pid) {
  clockid_t clock{};
  timespec used{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &used) != 0) return {};
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

dev_t device_of(const std::string& path) {
  struct stat about {};
  return ::stat(path.c_str(), &about) == 0 ? about.st_dev : 0;
}

}  // namespace

std::string Mounted::why_not() {
  if (::access("/dev/fuse", R_OK | W_OK) != 0) return "no /dev/fuse for this user";
  if (::geteuid() != 0 && ::access("/usr/bin/fusermount3", X_OK) != 0)
    return "not root, and no fusermount3";
  return {};
}

Mounted::Mounted(std::vector<std::string> environment) : mount_(directory_ / "mnt") {
  if (::mkdir(mount_.c_str(), 0755) != 0) fail(mount_);
  outside_ = device_of(mount_);
  start(std::move(environment));
}

void Mounted::start(std::vector<std::string> environment) {
  std::vector<std::string> words{PFS_PFSD, "--store",  store(), "--mount",
                                 mount_,   "--socket", socket()};
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::vector<char*> variables;
  // the test's own come first: of two with one name getenv(3) finds the first
  for (auto& variable : environment) variables.push_back(variable.data());
  for (char** variable = environ; *variable != nullptr; ++variable) variables.push_back(*variable);
  variables.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 2, (directory_ / "log").c_str(),
                                     O_WRONLY | O_CREAT | O_APPEND, 0600);
  const int failed =
      ::posix_spawn(&pid_, PFS_PFSD, &actions, nullptr, arguments.data(), variables.data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) throw std::runtime_error("cannot start " PFS_PFSD);
  const bool ready =
      soon(kStart, [this] { return has_answered() || wait_for_end(std::chrono::milliseconds(0)); });
  if (!ready || pid_ == 0) throw std::runtime_error("pfsd did not start: " + log());
  if (processor_time_of(pid_) > kStartWork) throw std::runtime_error("pfsd worked too long to start: " + log());
  connection_ = minor(device_of(mount_));
}

bool Mounted::has_answered() const {
  // asks the daemon: the kernel may remember a dead one's device
  struct statvfs about {};
  if (::statvfs(mount_.c_str(), &about) != 0) return false;
  const dev_t device = device_of(mount_);
  return device != 0 && device != outside_;
}

std::string Mounted::log() const { return read_file(directory_ / "log").value_or(std::string()); }

bool Mounted::wait_for_end(std::chrono::milliseconds patience) {
  if (pid_ == 0) return true;
  const bool ended = soon(patience, [this] { return ::waitpid(pid_, &status_, WNOHANG) != 0; });
  if (ended) pid_ = 0;
  return ended;
}

bool Mounted::kill(std::chrono::milliseconds patience) {
  if (pid_ != 0) ::kill(pid_, SIGKILL);
  return wait_for_end(patience);
}

bool Mounted::stop() {
  if (pid_ == 0) return true;
  ::kill(pid_, SIGTERM);
  return wait_for_end(std::chrono::seconds(20)) && WIFEXITED(status_) && WEXITSTATUS(status_) == 0;
}

void Mounted::abort_connection() const {
  // as root also where the control file system is not mounted
  if (::umount2(mount_.c_str(), MNT_FORCE) == 0 || ::geteuid() == 0) return;
  const std::string path = "/sys/fs/fuse/connections/" + std::to_string(connection_) + "/abort";
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (file && ::write(file.get(), "1", 1) < 0) ::perror(path.c_str());
}

Mounted::~Mounted() {
  if (pid_ != 0 && !stop()) {
    abort_connection();
    kill();
  }
  // of a daemon that was killed; EINVAL where nothing is mounted
  if (pid_ != 0) abort_connection();
  ::umount2(mount_.c_str(), MNT_DETACH);
}

void Mounted::make_branch(const std::string& ref) const {
  if (::mkdir((*this / ref).c_str(), 0777) != 0) fail("mkdir " + ref);
}

std::string contents(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) fail(path);
  std::string text;
  char buffer[65536];
  ssize_t got = 0;
  while ((got = ::read(file.get(), buffer, sizeof buffer)) > 0)
    text.append(buffer, static_cast<std::size_t>(got));
  if (got < 0) fail(path);
  return text;
}

void put(const std::string& path, const std::string& text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!file) fail(path);
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    fail(path);
}

int outcome(long returned) { return returned < 0 ? errno : 0; }

}  // namespace pfs::test
