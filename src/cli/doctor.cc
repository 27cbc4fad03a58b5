#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "api/client/admin.h"
#include "base/names.h"
#include "cli/commands.h"
#include "cli/doctor_checks.h"
#include "cli/output.h"

namespace pfs::cli {
namespace {

using Verdict = Finding::Verdict;

constexpr std::chrono::seconds kPatience{20};

struct Arguments {
  std::string store;
  OutputFlags output;
};

/// Where `make run` and the service have it.
std::string default_store() {
  if (const char* said = std::getenv("PFS_STORE")) return said;
  if (geteuid() != 0) {
    if (const char* data = std::getenv("XDG_DATA_HOME")) return std::string(data) + "/pfs";
    const char* home = std::getenv("HOME");
    return std::string(home != nullptr ? home : "") + "/.local/share/pfs";
  }
  return access("/var/lib/pfs/FORMAT", F_OK) == 0 ? "/var/lib/pfs" : "/var/lib/pfs/store";
}

/// What mends a daemon that cannot be connected to.
std::string mend_connection(const Session& session, const std::string& store, const Error& error) {
  const auto endpoint = session.endpoint();
  if (error.code == Code::kDenied) return "pfs doctor as root, or as the user that pfsd runs as";
  if (!endpoint || error.code != Code::kUnavailable)
    return "pfs doctor --address ADDRESS; then: pfs config update context --pachd-address ADDRESS";
  if (endpoint->socket_path.empty())
    return fmt::format("on {}: pfs doctor", printable(endpoint->host.host));
  return fmt::format("systemctl restart pfsd, or by hand: pfsd --store {} --mount DIR",
                     printable(store));
}

/// Shape: whether it has a container engine that works.
bool ask_daemon(Session& session, const std::string& store, std::vector<Finding>& findings) {
  session.set_default_timeout(kPatience);
  const auto connection = session.connection();
  if (!connection) {
    const auto& error = connection.error();
    findings.push_back({Verdict::kError, "daemon", error.message, mend_connection(session, store, error)});
    return false;
  }
  const auto status = client::Admin(**connection).status();
  if (!status) {
    findings.push_back({Verdict::kError, "daemon", status.error().message,
                        "journalctl -u pfsd (by hand: STORE/pfsd.log) tells why; then: systemctl restart pfsd"});
    return false;
  }
  findings.push_back(
      {Verdict::kOk, "daemon", fmt::format("pfsd {} answers", status->version), ""});
  findings.push_back(judge_space("daemon's disk", status->free_bytes, status->total_bytes));
  const auto containers = client::Admin(**connection).probe_containers();
  if (!containers) {
    findings.push_back({Verdict::kError, "daemon's containers", containers.error().message,
                        "as pfsd's user: podman run --rm docker.io/library/busybox true; another engine: pfsd "
                        "--container-engine docker"});
    return false;
  }
  if (containers->empty()) {
    findings.push_back({Verdict::kWarning, "daemon's containers", "this daemon runs no pipelines",
                        "pfsd --store DIR --mount DIR, which runs them"});
    return false;
  }
  findings.push_back({Verdict::kOk, "daemon's containers", *containers, ""});
  return true;
}

Cell word_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kOk: return Cell("ok", Colour::kGreen);
    case Verdict::kWarning: return Cell("warning", Colour::kYellow);
    case Verdict::kError: return Cell("error", Colour::kRed);
  }
  return Cell("");
}

Result<void> doctor(Session& session, const Arguments& arguments) {
  const auto store = arguments.store.empty() ? default_store() : arguments.store;
  std::vector<Finding> of_daemon;
  const bool runs_containers = ask_daemon(session, store, of_daemon);
  auto findings = check_machine(runs_containers);
  for (auto& finding : check_store(store)) findings.push_back(std::move(finding));
  for (auto& finding : of_daemon) findings.push_back(std::move(finding));
  std::size_t errors = 0;
  {
    Listing listing(arguments.output, session.terminal(), {"STATE", "WHAT", "FOUND", "MEND WITH"});
    for (const auto& finding : findings) {
      const auto word = word_of(finding.verdict);
      if (listing.json()) {
        listing.add_object({{"state", word.text},
                            {"what", finding.object},
                            {"found", finding.found},
                            {"mend_with", finding.command}});
      } else {
        listing.add_row({word, finding.object, finding.found, finding.command});
      }
      if (finding.verdict == Verdict::kError) ++errors;
    }
  }
  if (errors == 0) return {};
  return Error{Code::kUnavailable, fmt::format("doctor: {} of {} checks ended with an error",
                                               errors, findings.size())};
}

}  // namespace

void add_doctor_command(Grammar& grammar, Session& session) {
  const auto arguments = std::make_shared<Arguments>();
  auto& command = grammar.command("doctor", "Check what pfs needs on this machine, and the store",
                                  [&session, arguments] { return doctor(session, *arguments); });
  command.add_option("--store", arguments->store,
                     "The store's directory (default: $PFS_STORE, then where `make run` has it)");
  add_output_flags(command, arguments->output);
}

}  // namespace pfs::cli
