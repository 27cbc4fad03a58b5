#include <memory>

#include <fmt/format.h>

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
          {"total", job.total},
          {"restarts", job.restarts},
          {"downloaded_bytes", job.downloaded_bytes},
          {"uploaded_bytes", job.uploaded_bytes},
          {"inputs", json_of(job.inputs)},
          {"output_commit", job.output_commit}};
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

Result<void> list(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY_ASSIGN(const auto jobs,
                 client::Jobs(*connection).list(arguments.pipeline, arguments.number));
  Listing listing(
      arguments.output, session.terminal(),
      {"ID", "PIPELINE", "STARTED", "DURATION", "RESTART", "PROGRESS", "DL", "UL", "STATE"});
  for (const auto& job : jobs) {
    if (listing.json()) {
      listing.add_object(json_of(job));
      continue;
    }
    listing.add_row({job.id, job.pipeline, arguments.output.time(job.started), duration_of(job),
                     std::to_string(job.restarts),
                     fmt::format("{} + {} / {}", job.processed, job.skipped, job.total),
                     format_size(job.downloaded_bytes), format_size(job.uploaded_bytes),
                     Cell(state_of(job), colour_of(job.state))});
  }
  return {};
}

Result<void> inspect(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY_ASSIGN(const auto job,
                 client::Jobs(*connection).inspect(arguments.id.id, arguments.block));
  if (arguments.output.json()) {
    print_object(arguments.output, json_of(job));
    return {};
  }
  print_labels(
      {{"ID", job.id},
       {"Pipeline", fmt::format("{} (version {})", job.pipeline, job.pipeline_version)},
       {"Started", arguments.output.time(job.started)},
       {"Duration", duration_of(job)},
       {"State", job.state},
       {"Reason", job.reason},
       {"Processed", std::to_string(job.processed)},
       {"Failed", std::to_string(job.failed)},
       {"Skipped", std::to_string(job.skipped)},
       {"Total", std::to_string(job.total)},
       {"Data Downloaded", format_size(job.downloaded_bytes)},
       {"Data Uploaded", format_size(job.uploaded_bytes)},
       {"Restarts", std::to_string(job.restarts)},
       {"Input", text_of(job.inputs)},
       {"Output Commit", job.output_commit}});
  return {};
}

}  // namespace

void add_job_commands(Grammar& grammar, Session& session) {
  const auto arguments = std::make_shared<Arguments>();
  auto& lists = grammar.command("list", "job", "List jobs, newest first",
                                [&session, arguments] { return list(session, *arguments); });
  add_parsed(lists, "-p,--pipeline", arguments->pipeline, "Of this pipeline only");
  lists.add_option("-n,--number", arguments->number, "At most so many");
  add_output_flags(lists, arguments->output);

  auto& inspects = grammar.command("inspect", "job", "Show a job",
                                   [&session, arguments] { return inspect(session, *arguments); });
  add_parsed(inspects, "job", arguments->id, "Its id")->required();
  inspects.add_flag("-b,--block", arguments->block, "Wait until it has ended");
  add_output_flags(inspects, arguments->output);
}

}  // namespace pfs::cli
