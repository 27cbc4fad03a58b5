#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <set>
#include <thread>

#include <fmt/format.h>

#include "api/client/commits.h"
#include "api/client/jobs.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/job_id.h"
#include "cli/output.h"
#include "cli/states.h"

namespace pfs::cli {
namespace {

struct Arguments {
  JobIdArgument id;
  std::optional<RepoName> pipeline;
  std::vector<std::string> states;
  std::vector<std::string> datums;
  std::vector<CommitRef> commits;
  std::vector<RepoName> pipelines;
  std::vector<CommitRef> input_commits;
  std::vector<CommitRef> output_commits;
  std::string history;
  std::uint64_t number = 0;
  bool block = false;
  OutputFlags output;
};

Json json_of(const std::vector<client::JobInput>& inputs) {
  Json list = Json::array();
  for (const auto& input : inputs) {
    Json one{{"repo", input.repo}, {"branch", input.branch}, {"commit", input.commit}};
    if (!input.from_job.empty()) one["from_job"] = input.from_job;
    list.push_back(std::move(one));
  }
  return list;
}

Json json_of(const client::Job& job) {
  Json workers = Json::array();
  for (const auto& worker : job.workers) {
    Json one = {{"runs", worker.runs}};
    if (!worker.datum.empty()) {
      one["datum"] = worker.datum;
      one["path"] = worker.path;
      one["since"] = json_time(worker.since);
    }
    workers.push_back(std::move(one));
  }
  return {{"id", job.id},
          {"pipeline", job.pipeline},
          {"pipeline_version", job.pipeline_version},
          {"state", job.state},
          {"reason", job.reason},
          {"started", json_time(job.started)},
          {"finished", json_time(job.finished)},
          {"processed", job.processed},
          {"skipped", job.skipped},
          {"failed", job.failed},
          {"recovered", job.recovered},
          {"total", job.total},
          {"restarts", job.restarts},
          {"downloaded_bytes", job.downloaded_bytes},
          {"uploaded_bytes", job.uploaded_bytes},
          {"download_time", format_seconds(job.download_time)},
          {"process_time", format_seconds(job.process_time)},
          {"upload_time", format_seconds(job.upload_time)},
          {"inputs", json_of(job.inputs)},
          {"output_commit", job.output_commit},
          {"workers", std::move(workers)}};
}

/// The daemon's own text.
Json spec_of(const client::Job& job) { return Json::accept(job.spec_json) ? Json::parse(job.spec_json) : Json(); }

/// As `inspect` tells it, with what a list has not.
Json inspected(const client::Job& job) {
  Json object = json_of(job);
  if (!job.parent.empty()) object["parent"] = job.parent;
  if (!job.spec_json.empty()) object["spec"] = spec_of(job);
  return object;
}

std::string duration_of(const client::Job& job) {
  if (!job.finished) return "-";
  return format_duration(
      std::chrono::nanoseconds(job.finished->nanoseconds - job.started.nanoseconds));
}

std::string text_of(const std::vector<client::JobInput>& inputs) {
  std::string text;
  for (const auto& input : inputs) {
    text += fmt::format("{}{}@{} ({})", text.empty() ? "" : ", ", input.repo,
                        input.commit.empty() ? "-" : input.commit, input.branch);
  }
  return text;
}

/// A state, and the beginning of why it failed, or of what it waits for.
std::string state_of(const client::Job& job) {
  constexpr std::size_t kReasonLength = 25;
  if (job.reason.empty()) return job.state;
  if (job.reason.size() <= kReasonLength) return job.state + ": " + job.reason;
  return job.state + ": " + job.reason.substr(0, kReasonLength) + "...";
}

/// `processed + skipped / total`, with the recovered datums where there are some.
std::string progress_of(const client::Job& job) {
  if (job.recovered == 0) return fmt::format("{} + {} / {}", job.processed, job.skipped, job.total);
  return fmt::format("{} + {} + {} / {}", job.processed, job.skipped, job.recovered, job.total);
}

class JobListing {
 public:
  JobListing(const OutputFlags& output, Terminal terminal)
      : output_(output),
        listing_(output, terminal,
                 {"ID", "PIPELINE", "STARTED", "DURATION", "RESTART", "PROGRESS", "DL", "UL", "STATE"}) {}

  void add(const client::Job& job) {
    if (listing_.json()) {
      listing_.add_object(json_of(job));
      return;
    }
    listing_.add_row({job.id, job.pipeline, output_.time(job.started), duration_of(job),
                      std::to_string(job.restarts), progress_of(job),
                      format_size(job.downloaded_bytes), format_size(job.uploaded_bytes),
                      Cell(state_of(job), colour_of(job.state))});
  }

 private:
  const OutputFlags& output_;
  Listing listing_;
};

/// The same commits by their ids: HEADs may move while jobs are waited for.
Result<std::vector<CommitRef>> by_id(const client::Commits& commits, const std::vector<CommitRef>& refs) {
  std::vector<CommitRef> all;
  for (const auto& ref : refs) {
    PFS_TRY_ASSIGN(const auto commit, commits.inspect(ref));
    PFS_TRY_ASSIGN(auto id, CommitRef::parse_in(ref.repo, commit.id));
    all.push_back(std::move(id));
  }
  return all;
}

/// Of jobs: whether they have read all of some commits, and made one of others.
class OfCommits {
 public:
  static Result<OfCommits> find(const client::Commits& commits, const Arguments& arguments) {
    OfCommits found;
    PFS_TRY_ASSIGN(found.inputs_, by_id(commits, arguments.input_commits));
    PFS_TRY_ASSIGN(found.outputs_, by_id(commits, arguments.output_commits));
    return found;
  }

  bool is_any() const { return inputs_.empty() && outputs_.empty(); }
  bool has(const client::Job& job) const {
    const auto reads = [&job](const CommitRef& ref) {
      return std::any_of(job.inputs.begin(), job.inputs.end(), [&](const auto& input) { return input.commit == ref.id->hex(); });
    };
    const auto made = [&job](const CommitRef& ref) { return job.output_commit == ref.id->hex(); };
    return std::all_of(inputs_.begin(), inputs_.end(), reads) &&
           (outputs_.empty() || std::any_of(outputs_.begin(), outputs_.end(), made));
  }

 private:
  std::vector<CommitRef> inputs_;
  std::vector<CommitRef> outputs_;
};

Result<void> list(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY_ASSIGN(const auto wanted, OfCommits::find(client::Commits(*connection), arguments));
  std::optional<JobListing> listing;
  const auto begin = [&] {  // not before the daemon has answered: it may refuse
    if (!listing) listing.emplace(arguments.output, session.terminal());
  };
  std::uint64_t listed = 0;
  const auto add = [&](const client::Job& job) -> Result<void> {
    begin();
    if (!wanted.has(job) || (arguments.number > 0 && listed == arguments.number)) return {};
    ++listed;
    listing->add(job);
    return {};
  };
  const std::uint64_t limit = wanted.is_any() ? arguments.number : 0;
  PFS_TRY(client::Jobs(*connection).list({arguments.pipeline, arguments.states, limit}, add));
  begin();
  return {};
}

/// Who waited for a job is told how it ended by the exit status, too.
Result<void> outcome_of(const client::Job& job) {
  if (job.state == "success") return {};
  return Error{Code::kConflict,
               fmt::format("job {} of pipeline {}: {}{}{}; see: pfs logs --job {}", job.id, job.pipeline,
                           job.state, job.reason.empty() ? "" : ": ", job.reason, job.id)};
}

Result<void> inspect(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY_ASSIGN(const auto job,
                 client::Jobs(*connection).inspect(arguments.id.id, arguments.block));
  if (arguments.output.json()) {
    print_object(arguments.output, inspected(job));
    return arguments.block ? outcome_of(job) : Result<void>();
  }
  const Json spec = spec_of(job);
  print_labels(
      {{"ID", job.id},
       {"Pipeline", fmt::format("{} (version {})", job.pipeline, job.pipeline_version)},
       {"Parent", job.parent},
       {"Started", arguments.output.time(job.started)},
       {"Duration", duration_of(job)},
       {"State", job.state},
       {"Reason", job.reason},
       {"Processed", std::to_string(job.processed)},
       {"Failed", std::to_string(job.failed)},
       {"Skipped", std::to_string(job.skipped)},
       {"Recovered", std::to_string(job.recovered)},
       {"Total", std::to_string(job.total)},
       {"Data Downloaded", format_size(job.downloaded_bytes)},
       {"Data Uploaded", format_size(job.uploaded_bytes)},
       {"Download Time", format_seconds(job.download_time)},
       {"Process Time", format_seconds(job.process_time)},
       {"Upload Time", format_seconds(job.upload_time)},
       {"Datum Timeout", spec_field(spec, "datum_timeout")},
       {"Job Timeout", spec_field(spec, "job_timeout")},
       {"Restarts", std::to_string(job.restarts)},
       {"Parallelism Spec", spec_field(spec, "parallelism_spec")},
       {"ResourceLimits", spec_field(spec, "resource_limits")},
       {"Input", text_of(job.inputs)},
       {"Input Spec", spec_field(spec, "input")},
       {"Transform", spec_field(spec, "transform")},
       {"Output Commit", job.output_commit}});
  if (arguments.block) return outcome_of(job);
  if (job.workers.empty()) return {};
  Table table(stdout, session.terminal(), {"WORKER", "DATUM", "PATH", "STARTED"});
  for (std::size_t number = 0; number < job.workers.size(); ++number) {
    const auto& worker = job.workers[number];
    const bool works = !worker.datum.empty();
    table.add({std::to_string(number), works ? worker.datum : worker.runs ? "idle" : "no container",
               works ? worker.path : "-", works ? arguments.output.time(worker.since) : "-"});
  }
  return {};
}

Result<void> wait_for(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY_ASSIGN(const auto job, client::Jobs(*connection).inspect(arguments.id.id, true));
  JobListing(arguments.output, session.terminal()).add(job);
  return outcome_of(job);
}

/// There would be nothing to wait for of a name that is misspelt. Errors: kNotFound.
Result<void> check_pipelines(const client::Jobs& jobs, const std::vector<RepoName>& pipelines) {
  for (const auto& pipeline : pipelines)
    PFS_TRY(jobs.list({pipeline, {}, 1}, [](const client::Job&) { return Result<void>(); }));
  return {};
}

/// Those that the commits have led to, also by way of other jobs. Shape: in the order of `jobs`.
std::vector<client::Job> downstream_of(const std::vector<CommitRef>& commits, std::vector<client::Job> jobs) {
  std::set<std::string> causes;  // ids of commits, and of jobs whose output others read
  for (const auto& ref : commits) causes.insert(ref.id->hex());
  const auto is_caused = [&causes](const client::Job& job) {
    return std::any_of(job.inputs.begin(), job.inputs.end(), [&causes](const auto& input) {
      return causes.contains(input.commit) || causes.contains(input.from_job);
    });
  };
  for (bool grew = true; grew;) {
    grew = false;
    for (auto job = jobs.rbegin(); job != jobs.rend(); ++job) {  // oldest first: most causes before their effects
      if (!is_caused(*job) || !causes.insert(job->id).second) continue;
      if (!job->output_commit.empty()) causes.insert(job->output_commit);
      grew = true;
    }
  }
  std::erase_if(jobs, [&causes](const auto& job) { return !causes.contains(job.id); });
  return jobs;
}

/// What flush lists of `jobs`: not those that were caused too late to be waited for.
void list_ended(Session& session, const Arguments& arguments, const std::vector<client::Job>& jobs) {
  const auto& wanted = arguments.pipelines;
  JobListing listing(arguments.output, session.terminal());
  for (const auto& job : jobs) {
    const auto is_its = [&job](const RepoName& pipeline) { return pipeline.str() == job.pipeline; };
    const bool is_wanted = wanted.empty() || std::any_of(wanted.begin(), wanted.end(), is_its);
    if (job.finished && is_wanted) listing.add(job);
  }
}

Result<void> flush(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  const client::Jobs jobs(*connection);
  const client::Commits commits(*connection);
  PFS_TRY(check_pipelines(jobs, arguments.pipelines));
  PFS_TRY_ASSIGN(const auto ids, by_id(commits, arguments.commits));
  const auto waited =
      commits.flush(ids, arguments.pipelines, [](const client::Commit&) { return Result<void>(); });
  // kInvalid: all of them have ended, and one has failed
  if (!waited && waited.error().code != Code::kInvalid) return waited;
  std::vector<client::Job> all;
  PFS_TRY(jobs.list({}, [&all](const client::Job& job) {
    all.push_back(job);
    return Result<void>();
  }));
  list_ended(session, arguments, downstream_of(ids, std::move(all)));
  return waited;
}

/// One line about a job, as `watch` shows it.
std::string watched(const client::Job& job) {
  return fmt::format("{}  {}  {}  DL {}  UL {}  {}", job.id, job.pipeline, progress_of(job),
                     format_size(job.downloaded_bytes), format_size(job.uploaded_bytes),
                     printable(state_of(job)));
}

/// What a line may have that is drawn anew: were it longer, its beginning would be on a line above. The last column stays free,
/// as some terminals go to the next line once it is written. 0: nobody knows.
std::size_t columns_of_stdout() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 0;
  return std::max<std::size_t>(size.ws_col - 1U, 1);
}

/// Draws the line anew on a terminal; elsewhere each change is a line.
Result<void> watch(Session& session, const Arguments& arguments) {
  constexpr std::chrono::milliseconds kLookEvery{250};
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  const client::Jobs jobs(*connection);
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  std::string shown;
  while (true) {
    PFS_TRY_ASSIGN(const auto job, jobs.inspect(arguments.id.id, false));
    const std::string line = watched(job);
    if (line != shown) {
      const bool stays = !terminal || job.finished;
      fmt::print("{}{}{}", terminal ? "\r\x1b[K" : "", stays ? line : cut_to_columns(line, columns_of_stdout()),
                 stays ? "\n" : "");
      std::fflush(stdout);
      shown = line;
    }
    if (job.finished) return outcome_of(job);
    std::this_thread::sleep_for(kLookEvery);
  }
}

Result<void> stop(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  return client::Jobs(*connection).stop(arguments.id.id);
}

Result<void> remove(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  return client::Jobs(*connection).remove(arguments.id.id);
}

Result<void> restart(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY(client::Jobs(*connection).restart_datums(arguments.id.id, arguments.datums));
  return {};
}

}  // namespace

void add_job_commands(Grammar& grammar, Session& session) {
  const auto arguments = std::make_shared<Arguments>();
  auto& lists = grammar.command("list", "job", "List jobs, newest first",
                                [&session, arguments] { return list(session, *arguments); });
  add_parsed(lists, "-p,--pipeline", arguments->pipeline, "Of this pipeline only");
  add_state_option(lists, arguments->states, kJobStates);
  add_parsed(lists, "-i,--input", arguments->input_commits, "Of jobs that have read this commit; may be given again");
  add_parsed(lists, "--output-commit", arguments->output_commits, "Of the job that has made this commit");
  add_number(lists, "-n,--number", arguments->number, "At most so many");
  lists.add_option("--history", arguments->history, "Accepted for old scripts: jobs of all versions are listed")->expected(0, 1);
  add_output_flags(lists, arguments->output);

  auto& inspects = grammar.command("inspect", "job", "Show a job",
                                   [&session, arguments] { return inspect(session, *arguments); });
  add_parsed(inspects, "job", arguments->id, "Its id")->required();
  inspects.add_flag("-b,--block", arguments->block, "Wait until it has ended");
  add_output_flags(inspects, arguments->output);

  auto& waits = grammar.command("wait", "job", "Wait until a job has ended, and list it",
                                [&session, arguments] { return wait_for(session, *arguments); });
  add_parsed(waits, "job", arguments->id, "Its id")->required();
  add_output_flags(waits, arguments->output);

  auto& flushes = grammar.command("flush", "job", "Wait for all jobs downstream of commits, and list them",
                                  [&session, arguments] { return flush(session, *arguments); });
  add_parsed(flushes, "commits", arguments->commits, "repo@branch or repo@id, one or several")
      ->required();
  add_parsed(flushes, "-p,--pipeline", arguments->pipelines,
             "Wait for what leads to jobs of this pipeline only, and list those; several by several -p")
      ->delimiter(',')
      ->allow_extra_args(false);
  add_output_flags(flushes, arguments->output);

  auto& watches = grammar.command("watch", "job", "Show how a job gets on, until it has ended",
                                  [&session, arguments] { return watch(session, *arguments); });
  add_parsed(watches, "job", arguments->id, "Its id")->required();

  auto& stops = grammar.command("stop", "job", "End a job, as killed",
                                [&session, arguments] { return stop(session, *arguments); });
  add_parsed(stops, "job", arguments->id, "Its id")->required();

  auto& deletes =
      grammar.command("delete", "job", "Forget a job and its log; its output commit stays",
                      [&session, arguments] { return remove(session, *arguments); });
  add_parsed(deletes, "job", arguments->id, "Its id")->required();

  auto& restarts =
      grammar.command("restart", "datum", "Begin what a job is doing with a datum anew",
                      [&session, arguments] { return restart(session, *arguments); });
  add_parsed(restarts, "job", arguments->id, "The job's id")->required();
  restarts
      .add_option("datum", arguments->datums,
                  "Paths or hashes, with commas between them; a datum is meant that all of them name")
      ->required()
      ->delimiter(',');
}

}  // namespace pfs::cli
