#include "cli/commands.h"

#include <cstdio>

#include <fmt/format.h>

namespace pfs::cli {
namespace {

constexpr int kFailed = 1;
constexpr int kInterrupted = 130;

/// What -v adds: the kind of error, and what to look for in the daemon's log.
std::string more_about(const Error& error, const Session& session) {
  const auto id = session.request_id();
  if (id.empty()) return fmt::format(" ({})", name_of(error.code));
  return fmt::format(" ({}), request {} in the daemon's log", name_of(error.code), id);
}

}  // namespace

void add_commands(Grammar& grammar, Session& session) {
  add_repo_commands(grammar, session);
  add_branch_commands(grammar, session);
  add_commit_commands(grammar, session);
  add_transaction_commands(grammar, session);
  add_file_commands(grammar, session);
  add_put_file_command(grammar, session);
  add_get_file_command(grammar, session);
  add_diff_file_command(grammar, session);
  add_sync_command(grammar, session);
  add_pipeline_commands(grammar, session);
  add_spec_commands(grammar, session);
  add_job_commands(grammar, session);
  add_datum_commands(grammar, session);
  add_logs_command(grammar, session);
  add_secret_commands(grammar, session);
  add_mount_commands(grammar, session);
  add_admin_commands(grammar, session);
  add_config_commands(grammar, session);
  add_debug_command(grammar, session);
  add_doctor_command(grammar, session);
  add_help_commands(grammar, session);
}

int exit_status(Code code) {
  switch (code) {
    case Code::kCancelled: return kInterrupted;
    case Code::kNotFound:
    case Code::kExists:
    case Code::kInvalid:
    case Code::kNotDirectory:
    case Code::kIsDirectory:
    case Code::kNotEmpty:
    case Code::kReadOnly:
    case Code::kBusy:
    case Code::kNotPermitted:
    case Code::kDenied:
    case Code::kNoSpace:
    case Code::kQuota:
    case Code::kStale:
    case Code::kCrossDevice:
    case Code::kTooManyLinks:
    case Code::kNameTooLong:
    case Code::kTooLarge:
    case Code::kNoData:
    case Code::kConflict:
    case Code::kUnavailable:
    case Code::kUnsupported:
    case Code::kCorrupt:
    case Code::kIo:
    case Code::kInternal: return kFailed;
  }
  return kFailed;
}

int run(const std::string& program, std::vector<std::string> arguments) {
  Grammar grammar(program);
  Session session(grammar);
  add_commands(grammar, session);
  if (!arguments.empty() && arguments.front() == "__complete") {
    print_completions(grammar, session, {arguments.begin() + 1, arguments.end()});
    return 0;
  }
  const auto outcome = grammar.parse(std::move(arguments));
  if (!outcome.action) return outcome.status;

  const auto done = outcome.action();
  // what was printed counts as done only once it is out: a full disk or a closed pipe shows here
  const bool printed = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  if (!done) {
    const auto& error = done.error();
    fmt::print(stderr, "{}: {}{}\n", program, error.message,
               session.verbose() ? more_about(error, session) : std::string());
    return session.arguments_blamed() ? Grammar::kUsage : exit_status(error.code);
  }
  if (!printed) fmt::print(stderr, "{}: stdout: what was printed could not be written\n", program);
  return printed ? session.status() : kFailed;
}

}  // namespace pfs::cli
