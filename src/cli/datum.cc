#include <memory>

#include <fmt/format.h>

#include "api/client/datums.h"
#include "base/names.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/job_id.h"
#include "cli/output.h"
#include "cli/spec_files.h"

namespace pfs::cli {
namespace {

/// A datum's id as an argument.
struct DatumIdArgument {
  Digest id;

  /// Errors: kInvalid.
  static Result<DatumIdArgument> parse(std::string_view text) {
    PFS_TRY_ASSIGN(const auto id, Digest::from_hex(text));
    return DatumIdArgument{id};
  }
};

struct Arguments {
  std::optional<JobIdArgument> of_job;
  JobIdArgument job;
  DatumIdArgument datum;
  std::string spec_path;
  std::uint64_t page = 0;
  std::optional<std::uint64_t> page_size;
  bool status_only = false;
  OutputFlags output;
};

Json json_of(const client::Datum& datum) {
  Json files = Json::array();
  for (const auto& file : datum.files) {
    files.push_back({{"repo", file.repo},
                     {"branch", file.branch},
                     {"commit", file.commit},
                     {"name", file.name},
                     {"path", printable(file.path)},
                     {"size", file.size}});
  }
  return {{"id", datum.id},
          {"job", datum.job},
          {"state", datum.state},
          {"files", files},
          {"input_bytes", datum.input_bytes},
          {"output_bytes", datum.output_bytes},
          {"read_bytes", datum.read_bytes},
          {"written_bytes", datum.written_bytes},
          {"download_time", format_seconds(datum.download_time)},
          {"process_time", format_seconds(datum.process_time)},
          {"upload_time", format_seconds(datum.upload_time)}};
}

/// As pachctl shows them: `images@4f6a…:/a.png, …`
std::string text_of(const std::vector<client::DatumFile>& files) {
  std::string text;
  for (const auto& file : files) {
    text += fmt::format("{}{}@{}:{}", text.empty() ? "" : ", ", file.repo, file.commit, printable(file.path));
  }
  return text;
}

std::chrono::nanoseconds time_of(const client::Datum& datum) {
  return datum.download_time + datum.process_time + datum.upload_time;
}

/// Of one that this job has not run there is none.
std::string total_time_of(const client::Datum& datum) {
  return time_of(datum).count() == 0 ? "-" : format_duration(time_of(datum));
}

Colour colour_of_datum(const std::string& state) {
  if (state == "success" || state == "skipped") return Colour::kGreen;
  return state == "failed" || state == "killed" ? Colour::kRed : Colour::kYellow;
}

Result<void> check_listed(const Arguments& arguments) {
  if (arguments.of_job.has_value() == !arguments.spec_path.empty()) {
    return Error{Code::kInvalid,
                 "name one job, as list datum JOB, or a pipeline's spec, as list datum --file SPEC"};
  }
  if (arguments.page > 0 && !arguments.page_size)
    return Error{Code::kInvalid, "--page: of what size? add --page-size N"};
  return {};
}

Result<void> list(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  const client::Datums datums(*connection);
  const client::Datums::Page page{arguments.page * arguments.page_size.value_or(0), arguments.page_size};
  Listing listing(arguments.output, session.terminal(),
                  arguments.status_only ? std::vector<std::string>{"ID", "STATUS"}
                                        : std::vector<std::string>{"ID", "FILES", "STATUS", "TIME", "SIZE"});
  const auto show = [&](const client::Datum& datum) -> Result<void> {
    if (listing.json()) {
      listing.add_object(arguments.status_only ? Json{{"id", datum.id}, {"state", datum.state}} : json_of(datum));
      return {};
    }
    const std::string id = datum.id.empty() ? "-" : datum.id;
    const Cell state(datum.state, colour_of_datum(datum.state));
    if (arguments.status_only) {
      listing.add_row({id, state});
    } else {
      listing.add_row({id, text_of(datum.files), state, total_time_of(datum), format_size(datum.input_bytes)});
    }
    return {};
  };
  if (arguments.of_job) return datums.list(arguments.of_job->id, page, show);
  PFS_TRY_ASSIGN(const auto specs, read_specs(arguments.spec_path));
  if (specs.size() != 1) {
    return Error{Code::kInvalid, fmt::format("{}: {} specs in it; whose datums? give one", arguments.spec_path, specs.size())};
  }
  return datums.plan(specs.front().json, page, show);
}

Result<void> inspect(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  PFS_TRY_ASSIGN(const auto datum, client::Datums(*connection).inspect(arguments.job.id, arguments.datum.id));
  if (arguments.output.json()) {
    print_object(arguments.output, json_of(datum));
    return {};
  }
  print_labels({{"ID", datum.id},
                {"Job ID", datum.job},
                {"State", datum.state},
                {"Size", format_size(datum.input_bytes)},
                {"Data Downloaded", format_size(datum.read_bytes)},
                {"Data Uploaded", format_size(datum.written_bytes)},
                {"Total Time", format_seconds(time_of(datum))},
                {"Download Time", format_seconds(datum.download_time)},
                {"Process Time", format_seconds(datum.process_time)},
                {"Upload Time", format_seconds(datum.upload_time)},
                {"Files", text_of(datum.files)}});
  return {};
}

}  // namespace

void add_datum_commands(Grammar& grammar, Session& session) {
  const auto arguments = std::make_shared<Arguments>();
  auto& lists = grammar.command("list", "datum", "List the datums of a job, or those that a pipeline would have",
                                [&session, arguments] { return list(session, *arguments); },
                                [arguments] { return check_listed(*arguments); });
  add_parsed(lists, "job", arguments->of_job, "Its id");
  lists.add_option("-f,--file", arguments->spec_path, "A pipeline's spec in JSON or YAML, instead of a job; - for stdin");
  add_number(lists, "--page", arguments->page, "Which page, from 0");
  add_number(lists, "--pageSize,--page-size", arguments->page_size, "Datums on a page")->check(CLI::PositiveNumber);
  lists.add_flag("--status-only", arguments->status_only, "Ids and what became of them");
  add_output_flags(lists, arguments->output);

  auto& inspects = grammar.command("inspect", "datum", "Show a datum of a job",
                                   [&session, arguments] { return inspect(session, *arguments); });
  add_parsed(inspects, "job", arguments->job, "The job's id")->required();
  add_parsed(inspects, "datum", arguments->datum, "Its id")->required();
  add_output_flags(inspects, arguments->output);
}

}  // namespace pfs::cli
