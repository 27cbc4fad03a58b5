#include <memory>

#include <fmt/format.h>

#include "api/client/admin.h"
#include "api/client/pipelines.h"
#include "base/names.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/output.h"
#include "cli/states.h"

namespace pfs::cli {
namespace {

struct Arguments {
  bool client_only = false;
  bool as_pachctl = false;  ///< scripts that call us so look for Pachyderm's names
  OutputFlags output;
};

Result<void> version(Session& session, const Arguments& arguments) {
  Listing listing(arguments.output, session.terminal(), {"COMPONENT", "VERSION"});
  const auto add = [&listing](const std::string& component, const std::string& its_version) {
    if (listing.json()) {
      listing.add_object({{"component", component}, {"version", its_version}});
    } else {
      listing.add_row({component, its_version});
    }
  };
  add(arguments.as_pachctl ? "pachctl" : "pfs", PFS_VERSION);
  if (arguments.client_only) return {};
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY_ASSIGN(const auto daemon, client::Admin(*connection).version());
  add(arguments.as_pachctl ? "pachd" : "pfsd", daemon);
  return {};
}

Json json_of(const client::DaemonStatus::OpenCommit& open) {
  Json being_written = Json::array();
  for (const auto& file : open.being_written) {
    being_written.push_back({{"path", file.path}, {"pid", file.pid}, {"process", file.process}});
  }
  return {{"repo", open.repo},
          {"branch", open.branch},
          {"commit", open.id},
          {"by_hand", open.by_hand},
          {"changed", open.changed},
          {"description", open.description},
          {"last_change", json_time(open.changed ? std::optional(open.last_change) : std::nullopt)},
          {"since", json_time(open.since)},
          {"policy", open.policy},
          {"waits_for", open.waits_for},
          {"being_written", being_written},
          {"finishing", open.finishing}};
}

Json json_of(const client::DaemonStatus& status, const std::vector<client::Pipeline>& pipelines) {
  Json object = {{"version", status.version},
                 {"store", status.store_id},
                 {"total_bytes", status.total_bytes},
                 {"free_bytes", status.free_bytes},
                 {"container_runtime", status.container_runtime},
                 {"open_commits", Json::array()},
                 {"pipelines", Json::array()}};
  for (const auto& open : status.open_commits) object["open_commits"].push_back(json_of(open));
  for (const auto& pipeline : pipelines) {
    object["pipelines"].push_back({{"name", pipeline.name},
                                   {"state", pipeline.state},
                                   {"reason", pipeline.reason},
                                   {"last_job", pipeline.last_job}});
  }
  return object;
}

void print_being_written(const Session& session, const client::DaemonStatus& status) {
  Table table(stdout, session.terminal(), {"BEING WRITTEN", "BY"});
  for (const auto& open : status.open_commits) {
    for (const auto& file : open.being_written) {
      table.add({open.repo + "@" + open.branch + ":" + file.path,
                 file.process.empty() ? "-" : file.process});
    }
  }
}

void print_open_commits(const Session& session, const OutputFlags& output,
                        const client::DaemonStatus& status) {
  Table table(stdout, session.terminal(),
              {"BRANCH", "OPEN COMMIT", "SINCE", "LAST CHANGE", "POLICY", "WAITS FOR"});
  bool any_written = false;
  for (const auto& open : status.open_commits) {
    table.add({open.repo + "@" + open.branch, open.id, output.time(open.since),
               open.changed ? output.time(open.last_change) : "-", open.policy, open.waits_for});
    any_written = any_written || !open.being_written.empty();
  }
  if (!any_written) return;
  fmt::print("\n");
  print_being_written(session, status);
}

void print_pipelines(const Session& session, const std::vector<client::Pipeline>& pipelines) {
  Table table(stdout, session.terminal(),
              {"PIPELINE", "INPUT", "OUTPUT", "STATE / LAST JOB", "REASON"});
  for (const auto& pipeline : pipelines) {
    const auto states =
        pipeline.state + " / " + (pipeline.last_job.empty() ? "-" : pipeline.last_job);
    table.add({pipeline.name, pipeline.input, pipeline.output_repo + "@" + pipeline.output_branch,
               Cell(states, colour_of(pipeline.state)), pipeline.reason});
  }
}

Result<void> status(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY_ASSIGN(const auto found, client::Admin(*connection).status());
  const bool runs_pipelines = !found.container_runtime.empty();
  std::vector<client::Pipeline> pipelines;
  if (runs_pipelines) {
    PFS_TRY_ASSIGN(pipelines, client::Pipelines(*connection).list());
  }
  if (arguments.output.json()) {
    print_object(arguments.output, json_of(found, pipelines));
    return {};
  }
  print_labels(
      {{"Daemon", "pfsd " + found.version},
       {"Store", fmt::format("{}, {} of {} free", found.store_id, format_size(found.free_bytes),
                             format_size(found.total_bytes))},
       {"Containers", runs_pipelines ? found.container_runtime : "this daemon runs no pipelines"}});
  fmt::print("\n");
  print_open_commits(session, arguments.output, found);
  if (runs_pipelines) {
    fmt::print("\n");
    print_pipelines(session, pipelines);
  }
  return {};
}

}  // namespace

void add_admin_commands(Grammar& grammar, Session& session) {
  const auto arguments = std::make_shared<Arguments>();
  arguments->as_pachctl = grammar.app().get_name() == "pachctl";
  auto& versions = grammar.command("version", "Show the versions of this program and of the daemon",
                                   [&session, arguments] { return version(session, *arguments); });
  versions.add_flag("--client-only", arguments->client_only, "Do not ask the daemon");
  add_output_flags(versions, arguments->output);

  auto& statuses = grammar.command(
      "status", "Show what is going on: open commits, files being written, pipelines",
      [&session, arguments] { return status(session, *arguments); });
  add_output_flags(statuses, arguments->output);
}

}  // namespace pfs::cli
