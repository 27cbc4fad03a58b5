#include "cli/doctor_checks.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/timex.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "base/host_port.h"
#include "base/names.h"
#include "cli/format.h"

namespace pfs::cli {
namespace {

using Verdict = Finding::Verdict;

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;
constexpr rlim_t kFewFiles = 1024;
constexpr rlim_t kEnoughFiles = 65'536;
constexpr rlim_t kEnoughProcesses = 512;
constexpr unsigned kCapSysAdmin = 21;          // linux/capability.h
constexpr std::time_t kBeforeUs = 1'700'000'000;  // November 2023: no clock that is set says less
constexpr std::string_view kFormat = "pfs-store 1";

bool is_root() { return geteuid() == 0; }

Finding fuse_device() {
  const UniqueFd fd(open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (fd) return {Verdict::kOk, "/dev/fuse", "can be opened", ""};
  const char* command = errno == ENOENT   ? "modprobe fuse (in a container: --device /dev/fuse)"
                        : errno == EACCES ? "chmod 666 /dev/fuse"
                                          : "give the container the device: --device /dev/fuse";
  return {Verdict::kError, "/dev/fuse", std::strerror(errno), command};
}

Finding fusermount() {
  const auto found = find_program("fusermount3");
  if (is_root()) {
    const auto status = text_of_proc("/proc/self/status");
    const auto at = status.find("CapEff:");
    const auto capabilities =
        at == status.npos ? ~0ULL : std::strtoull(status.c_str() + at + 7, nullptr, 16);
    if ((capabilities >> kCapSysAdmin & 1U) == 0) {
      return {Verdict::kError, "mounting", "root lacks CAP_SYS_ADMIN here",
              "start the container with --cap-add SYS_ADMIN"};
    }
    return {Verdict::kOk, "mounting", "root may mount", ""};
  }
  if (!found)
    return {Verdict::kError, "fusermount3", "is not installed", "apt-get install fuse3"};
  struct stat about {};
  if (stat(found->c_str(), &about) != 0 || about.st_uid != 0 || (about.st_mode & S_ISUID) == 0) {
    return {Verdict::kError, *found, "has no setuid bit, so users cannot mount",
            "chmod u+s " + *found};
  }
  return {Verdict::kOk, *found, "mounts for users", ""};
}

/// Whether people other than the one who mounts may use the mount, when that one is not root.
Finding allow_other() {
  const auto text = read_file("/etc/fuse.conf");
  std::istringstream lines(text ? *text : std::string());
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    if (std::string word; words >> word && word == "user_allow_other")
      return {Verdict::kOk, "/etc/fuse.conf", "user_allow_other is set", ""};
  }
  if (is_root()) return {Verdict::kOk, "/etc/fuse.conf", "root's mount is for all users", ""};
  return {Verdict::kWarning, "/etc/fuse.conf",
          "user_allow_other is not set: others, root too, and containers whose program is not root cannot enter your mount",
          "echo user_allow_other >>/etc/fuse.conf"};
}

Finding container_engine(bool daemon_has_one) {
  const auto podman = find_program("podman");
  if (podman && (find_program("runc") || find_program("crun")))
    return {Verdict::kOk, "containers", *podman, ""};
  // pfsd may have another PATH, another engine, or another machine
  if (daemon_has_one)
    return {Verdict::kOk, "containers", "podman cannot be used here; the daemon has an engine", ""};
  if (podman) {
    return {Verdict::kError, "containers", "podman has neither runc nor crun",
            "apt-get install runc"};
  }
  if (find_program("docker")) {
    return {Verdict::kWarning, "containers", "podman is not installed, docker is",
            "pfsd --container-engine docker"};
  }
  return {Verdict::kError, "containers", "podman is not installed, so no pipeline can run",
          is_root() ? "apt-get install podman runc" : "apt-get install podman runc uidmap slirp4netns"};
}

Finding port() {
  const auto object = fmt::format("port {}", kDefaultPort);
  const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(kDefaultPort);
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return {Verdict::kOk, object, "is free for pfsd --listen", ""};
  return {Verdict::kWarning, object,
          fmt::format("{}: right if it is pfsd that listens there", std::strerror(errno)),
          fmt::format("ss -ltnp 'sport = :{}'", kDefaultPort)};
}

Finding clock() {
  if (std::time(nullptr) < kBeforeUs)
    return {Verdict::kError, "clock", "is years behind", "timedatectl set-ntp true"};
  timex state{};
  const int kept = adjtimex(&state);
  if (kept < 0) return {Verdict::kOk, "clock", "is set; the kernel tells no more", ""};
  if ((static_cast<unsigned>(state.status) & STA_UNSYNC) != 0) {
    return {Verdict::kWarning, "clock", "is set, and nothing keeps it right",
            "timedatectl set-ntp true"};
  }
  return {Verdict::kOk, "clock", "is kept right", ""};
}

std::string words_of(rlim_t limit) {
  return limit == RLIM_INFINITY ? "unlimited" : fmt::format("{}", limit);
}

Finding open_files() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const auto found = fmt::format("{} may be open", words_of(limit.rlim_cur));
  if (limit.rlim_cur >= kEnoughFiles) return {Verdict::kOk, "files", found, ""};
  return {limit.rlim_cur < kFewFiles ? Verdict::kError : Verdict::kWarning, "files", found,
          fmt::format("ulimit -n {0} (a service: LimitNOFILE={0})", kEnoughFiles)};
}

Finding processes() {
  rlimit limit{};
  getrlimit(RLIMIT_NPROC, &limit);
  const auto found = fmt::format("{} may run", words_of(limit.rlim_cur));
  if (limit.rlim_cur >= kEnoughProcesses) return {Verdict::kOk, "processes", found, ""};
  return {Verdict::kWarning, "processes", found,
          fmt::format("ulimit -u {0} (a service: LimitNPROC={0})", 8 * kEnoughProcesses)};
}

/// Whether somebody has a file's flock, by the kernel's list of them: a lock that we took to find out would refuse a pfsd
/// that starts at that moment. Shape: the process that took it; empty: nobody.
/// Source: proc_locks(5), `1: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF`.
std::string holder_of_lock(const std::string& path, const std::string& named) {
  struct stat found {};
  if (stat(path.c_str(), &found) != 0) return {};
  const auto place = fmt::format("{:02x}:{:02x}:{}", major(found.st_dev), minor(found.st_dev), found.st_ino);
  const auto inode = fmt::format(":{}", found.st_ino);
  std::istringstream lines(text_of_proc("/proc/locks"));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string number;
    std::string kind;
    std::string how;
    std::string access_mode;
    std::string process;
    std::string where;
    words >> number >> kind >> how >> access_mode >> process >> where;
    if (kind != "FLOCK") continue;
    // some file systems tell stat(2) of another device than they have here
    if (where == place || (where.ends_with(inode) && process == named)) return process;
  }
  return {};
}

Finding holder_of(const std::string& path) {
  const auto lock = path + "/LOCK";
  const auto text = read_file(lock).value_or("");
  const auto holder = holder_of_lock(lock, text.substr(0, text.find(' ')));
  if (holder.empty()) return {Verdict::kOk, path, "nobody has it open", ""};
  const auto line = text.empty() ? holder : printable(text.substr(0, text.find('\n')));
  return {Verdict::kOk, path, "is open in process " + line, ""};
}

Finding format_of(const std::string& path) {
  const auto file = path + "/FORMAT";
  const auto text = read_file(file);
  if (!text) {
    return {Verdict::kError, file, text.error().message,
            "pfs doctor as the user that pfsd runs as, or --store DIR"};
  }
  const auto line = text->substr(0, text->find('\n'));
  if (line == kFormat) return {Verdict::kOk, file, line, ""};
  return {Verdict::kError, file,
          fmt::format("'{}' is no format that this version reads ({})", printable(line), kFormat),
          "install the version of pfs that made the store"};
}

Finding room_for_files(const std::string& path) {
  struct statvfs disk {};
  if (statvfs(path.c_str(), &disk) != 0)
    return {Verdict::kError, path, std::strerror(errno), "pfs doctor --store DIR"};
  // file systems that make inodes as they need them say 0 of 0
  if (disk.f_files == 0) return {Verdict::kOk, path, "room for files is not limited", ""};
  const auto found = fmt::format("room for {} files of {}", disk.f_favail, disk.f_files);
  if (disk.f_favail > 100'000) return {Verdict::kOk, path, found, ""};
  return {disk.f_favail > 1000 ? Verdict::kWarning : Verdict::kError, path, found,
          "df -i " + path + "; delete small files, or make the file system anew with more inodes"};
}

}  // namespace

std::optional<std::string> find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream directories(path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin");
  for (std::string directory; std::getline(directories, directory, ':');) {
    auto candidate = fmt::format("{}/{}", directory, name);
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return std::nullopt;
}

std::string text_of_proc(const std::string& path) {
  const std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

Finding judge_space(const std::string& object, std::uint64_t free_bytes,
                    std::uint64_t total_bytes) {
  const auto found =
      fmt::format("{} of {} free", format_size(free_bytes), format_size(total_bytes));
  const char* command = "df -h; delete other files there, or move the store to a bigger disk";
  if (free_bytes < kGiB / 4) return {Verdict::kError, object, found, command};
  if (free_bytes < 2 * kGiB || free_bytes < total_bytes / 20)
    return {Verdict::kWarning, object, found, command};
  return {Verdict::kOk, object, found, ""};
}

std::vector<Finding> check_machine(bool daemon_runs_containers) {
  std::vector<Finding> findings{fuse_device(), fusermount(), allow_other(), container_engine(daemon_runs_containers)};
  for (auto& finding : check_rootless(daemon_runs_containers)) findings.push_back(std::move(finding));
  for (auto& finding : {port(), clock(), open_files(), processes()}) findings.push_back(finding);
  return findings;
}

std::vector<Finding> check_store(const std::string& path) {
  if (access(path.c_str(), F_OK) != 0)
    return {{Verdict::kOk, path, "no store is there yet; pfsd makes one", ""}};
  std::vector<Finding> findings = {format_of(path)};
  if (access(path.c_str(), R_OK | W_OK | X_OK) != 0)
    findings.push_back({Verdict::kError, path, std::strerror(errno), "chown -R $USER " + path});
  findings.push_back(holder_of(path));
  struct statvfs disk {};
  if (statvfs(path.c_str(), &disk) == 0) {
    findings.push_back(
        judge_space(path, disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize));
  }
  findings.push_back(room_for_files(path));
  return findings;
}

}  // namespace pfs::cli
