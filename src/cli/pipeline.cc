#include <algorithm>
#include <limits>
#include <map>
#include <memory>

#include <fmt/format.h>

#include "api/client/jobs.h"
#include "api/client/pipelines.h"
#include "cli/commands.h"
#include "cli/confirm.h"
#include "cli/job_id.h"
#include "cli/output.h"
#include "cli/states.h"

namespace pfs::cli {
namespace {

/// How many earlier versions are listed: `none`, `all`, or a number.
struct HistoryArgument {
  std::uint64_t most = 0;

  /// Errors: kInvalid.
  static Result<HistoryArgument> parse(std::string_view text) {
    if (text == "none") return HistoryArgument{0};
    if (text == "all") return HistoryArgument{std::numeric_limits<std::uint64_t>::max()};
    const auto number = NumberArgument::parse(text);
    if (number) return HistoryArgument{number->value};
    return Error{Code::kInvalid, fmt::format("'{}': how many earlier versions? none, all, or a number", printable(text))};
  }
};

struct Arguments {
  RepoName name;
  PipelineRef version;
  std::optional<RepoName> only;
  std::vector<std::string> states;
  std::vector<std::string> pins;
  std::optional<JobIdArgument> like_job;
  HistoryArgument history;
  bool specs = false;
  bool all = false;
  bool force = false;
  bool keep_repo = false;
  bool yes = false;
  bool split = false;
  OutputFlags output;
};

/// The daemon's own text: JSON, and shown as text if ever it is not.
Json spec_of(const client::Pipeline& pipeline) {
  return Json::accept(pipeline.spec_json) ? Json::parse(pipeline.spec_json) : Json(pipeline.spec_json);
}

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
          {"stopped", pipeline.stopped},
          {"workers_available", pipeline.workers_available},
          {"workers_wanted", pipeline.workers_wanted},
          {"spec", spec_of(pipeline)}};
}

/// Why the newest job that has ended failed; empty where it did not, and where none has ended.
Result<std::string> recent_error(const client::Jobs& jobs, const RepoName& pipeline) {
  std::string reason;
  PFS_TRY(jobs.list({pipeline, {"success", "failure", "killed"}, 1}, [&reason](const client::Job& job) -> Result<void> {
    if (job.state == "failure") reason = job.reason;
    return {};
  }));
  return reason;
}

/// A pipeline, or one of its versions. Errors: kNotFound.
Result<client::Pipeline> pipeline_of(const client::Pipelines& pipelines, const PipelineRef& ref) {
  if (ref.version.direction == Ancestry::Direction::kNone) return pipelines.inspect(ref.name);
  PFS_TRY_ASSIGN(auto versions, pipelines.list(ref.name, std::numeric_limits<std::uint64_t>::max()));
  const bool back = ref.version.direction == Ancestry::Direction::kBack;
  const std::uint64_t steps = ref.version.steps;
  if (steps < versions.size() + (back ? 0 : 1)) return std::move(versions[back ? steps : versions.size() - steps]);
  return Error{Code::kNotFound, fmt::format("pipeline {}: there is no such version; `pfs list pipeline {} --history all` lists "
                                            "those that are known", ref.name.str(), ref.name.str())};
}

Result<void> list(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY_ASSIGN(const auto pipelines, client::Pipelines(*connection).list(arguments.only, arguments.history.most));
  const auto wanted = [&](const client::Pipeline& pipeline) {
    const auto& states = arguments.states;
    return states.empty() || std::find(states.begin(), states.end(), pipeline.state) != states.end();
  };
  if (arguments.specs) {
    for (const auto& pipeline : pipelines) {
      if (wanted(pipeline)) print_object(arguments.output, spec_of(pipeline));
    }
    return {};
  }
  bool failing = false;
  {
    Listing listing(arguments.output, session.terminal(),
                    {"NAME", "VERSION", "INPUT", "CREATED", "STATE / LAST JOB", "DESCRIPTION"});
    for (const auto& pipeline : pipelines) {
      if (!wanted(pipeline)) continue;
      failing = failing || pipeline.state == "failure";
      if (listing.json()) {
        listing.add_object(json_of(pipeline));
        continue;
      }
      const auto states =
          (pipeline.state.empty() ? "-" : pipeline.state) + " / " + (pipeline.last_job.empty() ? "-" : pipeline.last_job);
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
  PFS_TRY_ASSIGN(const auto pipeline, pipeline_of(client::Pipelines(*connection), arguments.version));
  const bool is_newest = !pipeline.state.empty();
  std::string error;
  if (is_newest) {
    PFS_TRY_ASSIGN(error, recent_error(client::Jobs(*connection), arguments.version.name));
  }
  if (arguments.output.json()) {
    auto object = json_of(pipeline);
    if (is_newest) object["recent_error"] = error;
    print_object(arguments.output, object);
    return {};
  }
  const auto spec = spec_of(pipeline);
  std::string counts;
  for (const auto& [state, count] : pipeline.job_counts) {
    counts += fmt::format("{}{}: {}", counts.empty() ? "" : ", ", state, count);
  }
  print_labels({{"Name", pipeline.name},
                {"Description", pipeline.description},
                {"Version", std::to_string(pipeline.version)},
                {"Created", arguments.output.time(pipeline.created)},
                {"State", pipeline.state},
                {"Reason", pipeline.reason},
                {"Workers Available", fmt::format("{}/{}", pipeline.workers_available, pipeline.workers_wanted)},
                {"Stopped", pipeline.stopped ? "true" : "false"},
                {"Parallelism Spec", spec_field(spec, "parallelism_spec")},
                {"ResourceRequests", spec_field(spec, "resource_requests")},
                {"ResourceLimits", spec_field(spec, "resource_limits")},
                {"Datum Timeout", spec_field(spec, "datum_timeout")},
                {"Datum Tries", spec_field(spec, "datum_tries")},
                {"Job Timeout", spec_field(spec, "job_timeout")},
                {"Input", spec_field(spec, "input")},
                {"Output Branch", pipeline.output_repo + "@" + pipeline.output_branch},
                {"Transform", spec_field(spec, "transform")},
                {"Last Job", pipeline.last_job},
                {"Recent Error", error},
                {"Job Counts", counts},
                {"Spec", pipeline.spec_json}});
  return {};
}

Result<void> extract(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY_ASSIGN(const auto pipeline, pipeline_of(client::Pipelines(*connection), arguments.version));
  print_object(arguments.output, spec_of(pipeline));
  return {};
}

Result<void> check_removed(const Arguments& arguments) {
  if (arguments.all != arguments.only.has_value()) return {};
  return Error{Code::kInvalid,
               "name one pipeline, as delete pipeline NAME, or all, as delete pipeline --all"};
}

Result<void> remove(Session& session, const Arguments& arguments) {
  PFS_TRY(session.refuse_in_transaction("delete pipeline"));
  const auto what = arguments.all ? std::string("all pipelines") : "pipeline " + arguments.only->str();
  const auto with = arguments.keep_repo ? "with jobs and logs; output repos stay"
                                        : "with jobs, logs and output repos";
  PFS_TRY(confirm(what + " will be deleted, " + with + ".", arguments.yes));
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  return client::Pipelines(*connection)
      .remove({arguments.all ? std::string() : arguments.only->str(), !arguments.keep_repo, arguments.force});
}

Result<void> stop(Session& session, const Arguments& arguments) {
  PFS_TRY(session.refuse_in_transaction("stop pipeline"));
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  return client::Pipelines(*connection).stop(arguments.name);
}

Result<void> start(Session& session, const Arguments& arguments) {
  PFS_TRY(session.refuse_in_transaction("start pipeline"));
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  return client::Pipelines(*connection).start(arguments.name);
}

/// `repo@branch=commit` as the branch and the commit; a commit without a repo is of the branch's.
Result<std::pair<std::string, std::string>> pin_of(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == text.npos || equals + 1 == text.size()) {
    return Error{Code::kInvalid, fmt::format("'{}': the commit is missing; write REPO@BRANCH=COMMIT", printable(text))};
  }
  PFS_TRY_ASSIGN(const auto branch, BranchRef::parse(text.substr(0, equals)));
  auto commit = text.substr(equals + 1);
  if (commit.find('@') == commit.npos) commit = branch.repo.str() + "@" + commit;
  PFS_TRY(CommitRef::parse(commit));
  return std::pair{branch.str(), std::move(commit)};
}

/// The commits that a job has read, by the branches. Errors: kInvalid (another pipeline's job).
Result<std::map<std::string, std::string>> read_by(const client::Jobs& jobs, const RepoName& pipeline, const JobId& id) {
  PFS_TRY_ASSIGN(const auto job, jobs.inspect(id, false));
  if (job.pipeline != pipeline.str()) {
    return Error{Code::kInvalid, fmt::format("job {}: is one of pipeline {}, not of {}", job.id, job.pipeline, pipeline.str())};
  }
  std::map<std::string, std::string> commits;
  for (const auto& input : job.inputs) {
    if (!input.commit.empty()) commits[input.repo + "@" + input.branch] = input.repo + "@" + input.commit;
  }
  return commits;
}

Result<void> run_by_hand(Session& session, const Arguments& arguments) {
  PFS_TRY(session.refuse_in_transaction("run pipeline"));
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  std::map<std::string, std::string> commits;
  if (arguments.like_job) {
    PFS_TRY_ASSIGN(commits, read_by(client::Jobs(*connection), arguments.name, arguments.like_job->id));
  }
  for (const auto& text : arguments.pins) {
    PFS_TRY_ASSIGN(auto pin, pin_of(text));
    commits[pin.first] = std::move(pin.second);
  }
  PFS_TRY_ASSIGN(const auto job, client::Pipelines(*connection).run(arguments.name, {commits.begin(), commits.end()}));
  fmt::print("{}\n", job);
  return {};
}

}  // namespace

void add_pipeline_commands(Grammar& grammar, Session& session) {
  const auto arguments = std::make_shared<Arguments>();
  auto& lists = grammar.command("list", "pipeline", "List pipelines",
                                [&session, arguments] { return list(session, *arguments); });
  add_parsed(lists, "pipeline", arguments->only, "Only this one");
  add_parsed(lists, "--history", arguments->history, "Earlier versions, too: all, or how many of each")->type_name("N");
  lists.add_flag("-s,--spec", arguments->specs, "Their specs and nothing else");
  // a word behind it is the pipeline's name
  add_state_option(lists, arguments->states, kPipelineStates)->allow_extra_args(false);
  add_output_flags(lists, arguments->output);

  auto& inspects = grammar.command("inspect", "pipeline", "Show a pipeline",
                                   [&session, arguments] { return inspect(session, *arguments); });
  add_parsed(inspects, "pipeline", arguments->version, "Its name; NAME^: the version before, NAME.1: the first")->required();
  add_output_flags(inspects, arguments->output);

  auto& extracts = grammar.command("extract", "pipeline", "Print a pipeline's spec, as create takes it",
                                   [&session, arguments] { return extract(session, *arguments); });
  add_parsed(extracts, "pipeline", arguments->version, "Its name; NAME^: the version before, NAME.1: the first")->required();
  add_output_flags(extracts, arguments->output);

  auto& stops = grammar.command("stop", "pipeline", "Stop a pipeline's containers and cause no more jobs",
                                [&session, arguments] { return stop(session, *arguments); });
  add_parsed(stops, "pipeline", arguments->name, "Its name")->required();

  auto& starts = grammar.command("start", "pipeline", "Start a stopped pipeline; what it missed is one job",
                                 [&session, arguments] { return start(session, *arguments); });
  add_parsed(starts, "pipeline", arguments->name, "Its name")->required();

  auto& runs = grammar.command("run", "pipeline", "Cause a job by hand, and print its id",
                               [&session, arguments] { return run_by_hand(session, *arguments); });
  add_parsed(runs, "pipeline", arguments->name, "Its name")->required();
  add_parsed(runs, "--job", arguments->like_job, "Of the commits that this job of the pipeline has read");
  runs.add_option("inputs", arguments->pins, "REPO@BRANCH=COMMIT: instead of the branch's HEAD")
      ->check([](const std::string& text) {
        const auto parsed = pin_of(text);
        return parsed ? std::string() : parsed.error().message;
      });

  auto& removes = grammar.command("delete", "pipeline", "Delete a pipeline with its jobs and its output repo",
                                  [&session, arguments] { return remove(session, *arguments); },
                                  [arguments] { return check_removed(*arguments); });
  add_parsed(removes, "pipeline", arguments->only, "Its name");
  removes.add_flag("--all", arguments->all, "All pipelines");
  removes.add_flag("-f,--force", arguments->force, "Also while another pipeline reads its output repo");
  removes.add_flag("--keep-repo", arguments->keep_repo, "Its output repo stays, as an ordinary one");
  removes.add_flag("--yes", arguments->yes, "Do not ask");
  removes.add_flag("--split-txn", arguments->split,
                   "For pachctl's scripts: of no effect, one transaction holds any number of pipelines");
}

}  // namespace pfs::cli
