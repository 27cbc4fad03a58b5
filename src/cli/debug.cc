#include <sys/wait.h>

#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "api/client/jobs.h"
#include "cli/commands.h"
#include "cli/foreground.h"
#include "cli/job_id.h"

namespace pfs::cli {
namespace {

struct Arguments {
  JobIdArgument job;
  std::string datum;
  std::vector<std::string> command{"/bin/sh"};
};

/// At our terminal. Shape: its exit status; 128 and the signal where that has ended it, as shells say it.
Result<int> run_here(const std::vector<std::string>& words) {
  const auto ended = run_in_foreground(words);
  if (!ended) {
    return Error{Code::kUnavailable,
                 fmt::format("{}: cannot be started here; run this on pfsd's machine, as its user", words[0])};
  }
  return WIFSIGNALED(*ended) ? 128 + WTERMSIG(*ended) : WEXITSTATUS(*ended);
}

Result<void> debug(Session& session, const Arguments& arguments) {
  // what is run here is what the daemon says: only one that has a socket on this machine may
  PFS_TRY_ASSIGN(const auto endpoint, session.endpoint());
  if (endpoint.socket_path.empty()) {
    return Error{Code::kUnsupported,
                 fmt::format("debug datum: the daemon at {} is asked over the network, and its containers are run by the engine "
                             "on its machine; run this there, as its user, with --address unix:PATH", endpoint.str())};
  }
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  return client::Jobs(*connection)
      .debug_datum(arguments.job.id, arguments.datum, [&](std::vector<std::string> words) -> Result<void> {
        // without a terminal the engine must not ask for one
        if (::isatty(STDIN_FILENO) != 1) std::erase(words, "--tty");
        words.insert(words.end(), arguments.command.begin(), arguments.command.end());
        PFS_TRY_ASSIGN(const int status, run_here(words));
        session.end_with(status);
        return {};
      });
}

}  // namespace

void add_debug_command(Grammar& grammar, Session& session) {
  const auto arguments = std::make_shared<Arguments>();
  auto& command =
      grammar.command("debug", "datum", "A shell in a container that sees what a datum is given",
                      [&session, arguments] { return debug(session, *arguments); });
  add_parsed(command, "job", arguments->job, "The job's id")->required();
  command.add_option("datum", arguments->datum, "The datum's hash, or the path of one of its files")->required();
  command.add_option("command", arguments->command, "What to run instead of /bin/sh");
}

}  // namespace pfs::cli
