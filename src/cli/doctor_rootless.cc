#include <linux/magic.h>
#include <pwd.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/file.h"
#include "base/names.h"
#include "cli/doctor_checks.h"

namespace pfs::cli {
namespace {

using Verdict = Finding::Verdict;

// What useradd gives, and from where on, where nothing else is said. Source: login.defs(5), SUB_UID_MIN, SUB_UID_COUNT.
constexpr std::uint64_t kFirstOfAll = 100'000;
constexpr std::uint64_t kEnough = 65'536;

std::uint64_t number_of(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string name_of_user() {
  const auto* entry = getpwuid(geteuid());
  return entry != nullptr ? entry->pw_name : std::to_string(geteuid());
}

Finding mapping_programs(Verdict when_missing) {
  if (find_program("newuidmap") && find_program("newgidmap"))
    return {Verdict::kOk, "newuidmap", "gives containers of users their ids", ""};
  return {when_missing, "newuidmap", "is not installed: podman starts no container for users but root",
          "apt-get install uidmap"};
}

Finding users_network() {
  constexpr const char* kWithout = "pipelines with \"network\": \"default\" do not start for users but root";
  if (!find_program("slirp4netns") && !find_program("pasta"))
    return {Verdict::kWarning, "slirp4netns", fmt::format("is not installed: {}", kWithout), "apt-get install slirp4netns"};
  if (access("/dev/net/tun", R_OK | W_OK) == 0)
    return {Verdict::kOk, "/dev/net/tun", "can be opened, for pipelines with a network", ""};
  return {Verdict::kWarning, "/dev/net/tun", fmt::format("{}: {}", std::strerror(errno), kWithout),
          errno == ENOENT ? "modprobe tun" : "chmod 666 /dev/net/tun"};
}

/// podman passes over limits where the kernel has only the cgroups that users may not make.
Finding limits() {
  struct statfs about {};
  if (statfs("/sys/fs/cgroup", &about) == 0 && about.f_type == CGROUP2_SUPER_MAGIC)
    return {Verdict::kOk, "/sys/fs/cgroup", "is cgroup v2, for resource_limits", ""};
  return {Verdict::kWarning, "/sys/fs/cgroup",
          "is not cgroup v2: resource_limits of pipelines are without effect for users but root",
          "boot the kernel with systemd.unified_cgroup_hierarchy=1"};
}

/// Source: proc(5), mountinfo: the optional fields, before the dash.
bool root_is_shared(const std::string& mountinfo) {
  bool shared = false;
  std::istringstream lines(mountinfo);
  for (std::string line; std::getline(lines, line);) {  // of several at one place the last is on top
    std::istringstream words(line);
    std::string word;
    for (int i = 0; i < 5; ++i) words >> word;
    if (word != "/") continue;
    shared = false;
    while (words >> word && word != "-") shared = shared || word.starts_with("shared:");
  }
  return shared;
}

Finding propagation() {
  if (root_is_shared(text_of_proc("/proc/self/mountinfo")))
    return {Verdict::kOk, "/", "is shared, so that podman sees what is mounted later", ""};
  return {Verdict::kWarning, "/",
          "is not shared: a podman of users that began before pfsd does not see its mount",
          "mount --make-rshared / (as root); then, as the user: podman system migrate, which ends their containers"};
}

}  // namespace

Finding judge_subordinate_ids(const std::string& path, const std::string& text, const std::string& user,
                              std::uint32_t uid, Finding::Verdict when_missing) {
  std::uint64_t ids = 0;
  std::uint64_t free_from = kFirstOfAll;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string name;
    std::string first;
    std::string count;
    std::getline(fields, name, ':');
    std::getline(fields, first, ':');
    std::getline(fields, count, ':');
    if (name.empty() || number_of(count) == 0) continue;
    if (name == user || name == std::to_string(uid)) ids += number_of(count);
    free_from = std::max(free_from, number_of(first) + number_of(count));
  }
  const char* flag = path.ends_with("gid") ? "--add-subgids" : "--add-subuids";
  const auto mend = fmt::format("usermod {} {}-{} {} (as root); then, as {}: podman system migrate", flag, free_from,
                                free_from + kEnough - 1, printable(user), printable(user));
  if (ids == 0) {
    return {when_missing, path,
            fmt::format("has no line for {}: containers have no user but root, and images with files of others cannot be used",
                        printable(user)),
            mend};
  }
  if (ids < kEnough) {
    return {Verdict::kWarning, path,
            fmt::format("gives {} {} ids only: containers have no user above that number", printable(user), ids), mend};
  }
  return {Verdict::kOk, path, fmt::format("gives {} {} ids for containers", printable(user), ids), ""};
}

std::vector<Finding> check_rootless(bool daemon_runs_containers) {
  if (geteuid() == 0 || !find_program("podman")) return {};
  // root's pfsd needs none of it
  const auto verdict = daemon_runs_containers ? Verdict::kWarning : Verdict::kError;
  std::vector<Finding> findings{mapping_programs(verdict)};
  for (const std::string path : {"/etc/subuid", "/etc/subgid"}) {
    findings.push_back(judge_subordinate_ids(path, read_file(path).value_or(""), name_of_user(), geteuid(), verdict));
  }
  findings.push_back(users_network());
  findings.push_back(limits());
  findings.push_back(propagation());
  return findings;
}

}  // namespace pfs::cli
