#include <memory>

#include <fmt/format.h>

#include "api/client/pipelines.h"
#include "cli/commands.h"
#include "cli/local_text.h"
#include "cli/output.h"
#include "cli/states.h"

namespace pfs::cli {
namespace {

struct Arguments {
  RepoName name;
  std::optional<RepoName> only;
  std::string spec_path;
  bool reprocess = false;
  OutputFlags output;
};

Json json_of(const client::Pipeline& pipeline) {
  return {{"name", pipeline.name},
          {"version", pipeline.version},
          {"description", pipeline.description},
          {"input", pipeline.input},
          {"output_repo", pipeline.output_repo},
          {"output_branch", pipeline.output_branch},
          {"created", json_time(pipeline.created)},
          {"state", pipeline.state},
          {"reason", pipeline.reason},
          {"last_job", pipeline.last_job},
          // the daemon's own text: JSON, and shown as text if ever it is not
          {"spec", Json::accept(pipeline.spec_json) ? Json::parse(pipeline.spec_json)
                                                    : Json(pipeline.spec_json)}};
}

Result<void> create(Session& session, const Arguments& arguments, bool update) {
  PFS_TRY_ASSIGN(const auto specs, local_text(arguments.spec_path));
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY(client::Pipelines(*connection).create(specs, update, arguments.reprocess));
  return {};
}

Result<std::vector<client::Pipeline>> pipelines_of(const client::Pipelines& pipelines,
                                                   const std::optional<RepoName>& only) {
  if (!only) return pipelines.list();
  PFS_TRY_ASSIGN(auto pipeline, pipelines.inspect(*only));
  return std::vector<client::Pipeline>{std::move(pipeline)};
}

Result<void> list(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY_ASSIGN(const auto pipelines,
                 pipelines_of(client::Pipelines(*connection), arguments.only));
  bool failing = false;
  {
    Listing listing(arguments.output, session.terminal(),
                    {"NAME", "VERSION", "INPUT", "CREATED", "STATE / LAST JOB", "DESCRIPTION"});
    for (const auto& pipeline : pipelines) {
      failing = failing || pipeline.state == "failure";
      if (listing.json()) {
        listing.add_object(json_of(pipeline));
        continue;
      }
      const auto states =
          pipeline.state + " / " + (pipeline.last_job.empty() ? "-" : pipeline.last_job);
      listing.add_row({pipeline.name, std::to_string(pipeline.version), pipeline.input,
                       arguments.output.time(pipeline.created),
                       Cell(states, colour_of(pipeline.state)), pipeline.description});
    }
  }
  if (failing) fmt::print(stderr, "a pipeline is failing; 'inspect pipeline NAME' tells why\n");
  return {};
}

Result<void> inspect(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY_ASSIGN(const auto pipeline, client::Pipelines(*connection).inspect(arguments.name));
  if (arguments.output.json()) {
    print_object(arguments.output, json_of(pipeline));
    return {};
  }
  print_labels({{"Name", pipeline.name},
                {"Version", std::to_string(pipeline.version)},
                {"Description", pipeline.description},
                {"Created", arguments.output.time(pipeline.created)},
                {"State", pipeline.state},
                {"Reason", pipeline.reason},
                {"Last Job", pipeline.last_job},
                {"Input", pipeline.input},
                {"Output Branch", pipeline.output_repo + "@" + pipeline.output_branch},
                {"Spec", pipeline.spec_json}});
  return {};
}

Result<void> remove(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  return client::Pipelines(*connection).remove(arguments.name);
}

}  // namespace

void add_pipeline_commands(Grammar& grammar, Session& session) {
  const auto arguments = std::make_shared<Arguments>();
  auto& creates =
      grammar.command("create", "pipeline", "Make pipelines from JSON specs",
                      [&session, arguments] { return create(session, *arguments, false); });
  creates.add_option("-f,--file", arguments->spec_path, "The file with the specs, or - for stdin")
      ->required();

  auto& updates =
      grammar.command("update", "pipeline", "Change pipelines to JSON specs, or make them",
                      [&session, arguments] { return create(session, *arguments, true); });
  updates.add_option("-f,--file", arguments->spec_path, "The file with the specs, or - for stdin")
      ->required();
  updates.add_flag("--reprocess", arguments->reprocess, "Process every datum again");

  auto& lists = grammar.command("list", "pipeline", "List pipelines",
                                [&session, arguments] { return list(session, *arguments); });
  add_parsed(lists, "pipeline", arguments->only, "Only this one");
  add_output_flags(lists, arguments->output);

  auto& inspects = grammar.command("inspect", "pipeline", "Show a pipeline",
                                   [&session, arguments] { return inspect(session, *arguments); });
  add_parsed(inspects, "pipeline", arguments->name, "Its name")->required();
  add_output_flags(inspects, arguments->output);

  auto& removes = grammar.command("delete", "pipeline",
                                  "Delete a pipeline; its output branch becomes an ordinary one",
                                  [&session, arguments] { return remove(session, *arguments); });
  add_parsed(removes, "pipeline", arguments->name, "Its name")->required();
}

}  // namespace pfs::cli
