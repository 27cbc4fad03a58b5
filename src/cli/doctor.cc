#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <sstream>

#include <fmt/format.h>

#include "api/client/admin.h"
#include "base/file.h"
#include "cli/commands.h"

namespace pfs::cli {
namespace {

/// What a check found; `advice` says what to do where it is not well.
struct Finding {
  enum class Verdict { kWell, kNote, kBad };
  Verdict verdict;
  std::string object;
  std::string found;
  std::string advice;
};

Finding fuse_device() {
  const UniqueFd fd(open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (fd) return {Finding::Verdict::kWell, "/dev/fuse", "can be opened", ""};
  return {Finding::Verdict::kBad, "/dev/fuse", std::strerror(errno),
          "load the kernel module (modprobe fuse), or give the container the device"};
}

/// Whether people other than the one who mounts may use the mount, when that one is not root.
Finding allow_other() {
  const auto text = read_file("/etc/fuse.conf");
  std::istringstream lines(text ? *text : std::string());
  for (std::string line; std::getline(lines, line);) {
    if (line == "user_allow_other")
      return {Finding::Verdict::kWell, "/etc/fuse.conf", "user_allow_other is set", ""};
  }
  return {Finding::Verdict::kNote, "/etc/fuse.conf", "user_allow_other is not set",
          "set it if pfsd runs as an ordinary user and others shall see the mount"};
}

void ask_daemon(Session& session, std::vector<Finding>& findings) {
  const auto connection = session.connection();
  if (!connection) {
    findings.push_back({Finding::Verdict::kBad, "daemon", connection.error().message, ""});
    return;
  }
  const auto status = client::Admin(**connection).status();
  if (!status) {
    findings.push_back({Finding::Verdict::kBad, "daemon", status.error().message, ""});
    return;
  }
  findings.push_back(
      {Finding::Verdict::kWell, "daemon", "pfsd " + status->version + " answers", ""});
  if (status->container_runtime.empty()) {
    findings.push_back(
        {Finding::Verdict::kNote, "containers", "this daemon runs no pipelines", ""});
  } else {
    findings.push_back({Finding::Verdict::kWell, "containers", status->container_runtime, ""});
  }
}

const char* word_of(Finding::Verdict verdict) {
  switch (verdict) {
    case Finding::Verdict::kWell: return "ok";
    case Finding::Verdict::kNote: return "note";
    case Finding::Verdict::kBad: return "bad";
  }
  return "";
}

Result<void> doctor(Session& session) {
  std::vector<Finding> findings{fuse_device(), allow_other()};
  ask_daemon(session, findings);
  std::size_t bad = 0;
  for (const auto& finding : findings) {
    fmt::print("{:<5}{}: {}{}{}\n", word_of(finding.verdict), finding.object, finding.found,
               finding.advice.empty() ? "" : "; ", finding.advice);
    if (finding.verdict == Finding::Verdict::kBad) ++bad;
  }
  if (bad != 0)
    return Error{Code::kUnavailable,
                 fmt::format("doctor: {} of {} checks found trouble", bad, findings.size())};
  return {};
}

}  // namespace

void add_doctor_command(Grammar& grammar, Session& session) {
  grammar.command("doctor", "Check what pfs needs on this machine",
                  [&session] { return doctor(session); });
}

}  // namespace pfs::cli
