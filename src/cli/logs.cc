#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "api/client/jobs.h"
#include "base/duration.h"
#include "base/names.h"
#include "cli/commands.h"
#include "cli/job_id.h"
#include "cli/output.h"

namespace pfs::cli {
namespace {

/// How long ago, as an argument: as parse_duration() takes it, or as Go writes it (`1h30m`, `1.5h`), behind days or not.
/// Source: time.ParseDuration of Go, which Pachyderm's --since is read by.
struct Duration {
  std::chrono::nanoseconds value;

  static Result<Duration> parse(std::string_view text);
};

Result<Duration> Duration::parse(std::string_view text) {
  auto plain = parse_duration(text);
  if (plain) return Duration{*plain};
  // days, which Go has not, may stand in front
  const auto behind_days = text.find('d') + 1;  // 0: there are none
  const auto days = behind_days == 0 ? Result(std::chrono::milliseconds(0)) : parse_duration(text.substr(0, behind_days));
  const auto rest = parse_go_duration(text.substr(behind_days));
  if (!days || !rest) return std::move(plain).error();
  return Duration{*days + *rest};
}

struct Arguments {
  std::optional<RepoName> pipeline;
  std::optional<JobIdArgument> job;
  std::string datum;
  std::vector<std::string> inputs;
  bool follow = false;
  bool master = false;
  bool worker = false;
  std::optional<Duration> since;
  std::optional<std::uint64_t> tail;
  bool raw = false;
};

/// One line of JSON a line of log.
std::string json_line(const client::LogLine& line) {
  const Json object = {
      {"time", json_time(line.time)}, {"pipeline", line.pipeline}, {"job", line.job},
      {"datum", line.datum},          {"user", line.user},         {"message", line.text}};
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

constexpr std::size_t kDatumDigits = 64;

/// What is wrong with --datum's value, or nothing.
std::string trouble_with_datum(const std::string& datum) {
  if (datum.empty()) return {};
  if (datum.size() == kDatumDigits &&
      datum.find_first_not_of("0123456789abcdef") == std::string::npos)
    return {};
  return fmt::format("'{}' is no datum's id ({} hex digits, see: pfs list datum JOB); for files use "
                     "--inputs",
                     printable(datum), kDatumDigits);
}

Result<void> check_whose(const Arguments& arguments) {
  if (arguments.pipeline || arguments.job) return {};
  return Error{Code::kInvalid, "of what? add -p PIPELINE or -j JOB"};
}

Result<void> logs(Session& session, const Arguments& arguments) {
  client::LogsRequest request;
  request.pipeline = arguments.pipeline;
  if (arguments.job) request.job = arguments.job->id;
  request.datum = arguments.datum;
  request.follow = arguments.follow;
  request.inputs = arguments.inputs;
  request.system_only = arguments.master;
  request.user_only = arguments.worker;
  request.tail = arguments.tail;
  if (arguments.since) {
    request.since = Timestamp{SystemClock().now().nanoseconds - arguments.since->value.count()};
  }
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  return client::Jobs(*connection)
      .logs(request, [&arguments](const client::LogLine& line) -> Result<void> {
        const auto text = (arguments.raw ? json_line(line) : line.text) + "\n";
        std::fwrite(text.data(), 1, text.size(), stdout);
        if (arguments.follow) std::fflush(stdout);
        if (std::ferror(stdout) != 0)
          return Error{Code::kIo, "stdout: what was printed could not be written"};
        return {};
      });
}

}  // namespace

void add_logs_command(Grammar& grammar, Session& session) {
  const auto arguments = std::make_shared<Arguments>();
  auto& command = grammar.command("logs", "Print what jobs wrote",
                                  [&session, arguments] { return logs(session, *arguments); },
                                  [arguments] { return check_whose(*arguments); });
  add_parsed(command, "-p,--pipeline", arguments->pipeline, "Of this pipeline");
  add_parsed(command, "-j,--job", arguments->job, "Of this job");
  command.add_option("--datum", arguments->datum, "Of this datum, by its id")
      ->check(trouble_with_datum);
  command.add_option("--inputs", arguments->inputs, "Of datums that have all of these files: paths or data digests, with commas")
      ->delimiter(',');
  command.add_flag("-f,--follow", arguments->follow, "Go on until the job has ended or the pipeline is deleted");
  add_number(command, "-t,--tail", arguments->tail, "The last so many lines of what is there");
  add_parsed(command, "--since", arguments->since, "Lines of the last so long: 10m, 1h30m");
  auto* master = command.add_flag("--master", arguments->master, "What pfs wrote, not what the command did");
  command.add_flag("--worker", arguments->worker, "What the command wrote, not what pfs did")->excludes(master);
  command.add_flag("--raw", arguments->raw, "Print JSON, one object a line");
}

}  // namespace pfs::cli
