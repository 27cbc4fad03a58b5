#include "trigger/internal/datum_execution.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <boost/filesystem.hpp>
#include <fmt/format.h>

#include "base/duration.h"

namespace pfs::trigger {

namespace {

/// How often err_cmd is run where the container dies under it.
constexpr int kRecoverTries = 3;

/// Whether a path leads to what the datum alone is given, and not to the image.
bool is_in_view(const std::string& path) {
  const std::string normal = boost::filesystem::path(path).lexically_normal().string();
  return normal == "/pfs" || normal.starts_with("/pfs/");
}

/// Whether it was its directory for which a command did not start. Source: trigger/worker/command.cc, explain().
bool lacks_directory(const worker::CommandEnd& end) { return end.why.starts_with("working directory "); }

/// The last line that a command printed, which mostly says why it failed.
class LastLine {
 public:
  void add(std::string_view piece) {
    for (const char c : piece) {
      if (c == '\n' || c == '\r') {
        ended_ = true;
        continue;
      }
      if (std::exchange(ended_, false)) line_.clear();
      if (line_.size() < kMost) line_ += c;
    }
  }
  /// Shape: at most 200 bytes, shown so that it stays one line.
  std::string text() const { return printable(line_); }

 private:
  static constexpr std::size_t kMost = 200;
  std::string line_;
  bool ended_ = false;
};

/// How long one thing after another takes.
class StopWatch {
 public:
  /// Since the last one, or since it was made.
  std::chrono::nanoseconds lap() {
    const auto now = std::chrono::steady_clock::now();
    return now - std::exchange(since_, now);
  }

 private:
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
};

/// The lines of the spec, each with its newline.
std::string standard_input(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

std::string shown(std::chrono::nanoseconds time) {
  return format_short_duration(std::chrono::duration_cast<std::chrono::milliseconds>(time));
}

}  // namespace

Result<DatumExecution::Outcome> DatumExecution::run(WorkerContainer& container, const DatumPlace& datum,
                                                    const Command& command, const KeepGoing& keep_going) const {
  PFS_TRY_ASSIGN(Outcome outcome, run_once(container, datum, command, keep_going));
  const bool may_be_damage = outcome.missing == Missing::kOwnProgram || outcome.missing == Missing::kOfImage;
  if (!may_be_damage || !container.used()) return outcome;
  log_.system(datum.id, fmt::format("datum {}: {}; it is tried in a fresh container, as a command that ran in this one before "
                                    "may have done that", datum.path, outcome.failure));
  container.stop();
  return run_once(container, datum, command, keep_going);
}

Result<DatumExecution::Outcome> DatumExecution::run_once(WorkerContainer& container, const DatumPlace& datum,
                                                         const Command& command, const KeepGoing& keep_going) const {
  Outcome outcome;
  if (auto ready = container.ensure(spec_, keep_going); !ready) {
    if (ready.error().code == Code::kCancelled) return std::move(ready).error();
    outcome.failure = std::move(ready).error().message;
    outcome.begun = false;
    return outcome;
  }
  StopWatch watch;
  PFS_TRY_ASSIGN(outcome.view, datum.view());
  container.show(outcome.view.tree);
  outcome.stats.download_time = watch.lap();

  worker::CommandRequest request;
  request.arguments = command.arguments;
  request.input = standard_input(command.input);
  request.environment = container.secret_environment();
  request.environment.insert(request.environment.end(), datum.environment.begin(), datum.environment.end());
  request.directory = spec_.transform.working_dir;

  const auto began = std::chrono::steady_clock::now();
  const auto timed_out = [&] {
    return spec_.pods.datum_timeout && std::chrono::steady_clock::now() - began >= *spec_.pods.datum_timeout;
  };
  PrintedOutput output(log_, datum.id);
  LastLine last_line;
  const auto on_output = [&](std::string_view piece) {
    output.add(piece);
    last_line.add(piece);
  };
  auto end = container.run(request, on_output, [&] { return !timed_out() && keep_going(); });
  output.finish();
  outcome.stats.process_time = watch.lap();
  const View::Traffic traffic = container.traffic();
  outcome.stats.downloaded_bytes = traffic.read_bytes;
  outcome.stats.uploaded_bytes = traffic.written_bytes;
  outcome.no_room = traffic.no_room;
  if (!end) {
    const Error error = std::move(end).error();
    outcome.lost = error.code == Code::kUnavailable;
    outcome.begun = container.begun() || error.code != Code::kUnavailable;
    if (error.code == Code::kCancelled && timed_out()) {
      outcome.failure = fmt::format("the command was killed: datum_timeout ({}) has passed", shown(*spec_.pods.datum_timeout));
    } else if (error.code == Code::kCancelled) {
      return error;
    } else {
      outcome.failure = error.message;
    }
    return outcome;
  }
  outcome.missing = missing_of(*end, command);
  outcome.failure = failure_of(*end, command);
  if (outcome.failure.empty() || outcome.missing != Missing::kNothing) return outcome;
  if (const std::string said = last_line.text(); !said.empty()) outcome.failure += ": " + said;
  return outcome;
}

Result<DatumExecution::Ended> DatumExecution::attempt(WorkerContainer& container, const DatumPlace& datum,
                                                      std::uint64_t number, const KeepGoing& keep_going) const {
  const Command command{"transform.cmd", spec_.transform.cmd, spec_.transform.stdin_lines};
  PFS_TRY_ASSIGN(Outcome outcome, run(container, datum, command, keep_going));
  Ended ended;
  if (!outcome.begun) {
    log_.system(datum.id, fmt::format("datum {}: {} before the command ran; this is no attempt", datum.path, outcome.failure));
    ended.attempt = {AttemptHow::kNotBegun, std::move(outcome.failure)};
    return ended;
  }
  ended.stats = outcome.stats;
  if (outcome.no_room) {
    // also where the command did not mind: what it has put out is not whole
    const std::string end = outcome.failure.empty() ? "the command ended well all the same" : outcome.failure;
    outcome.failure = "the disk of the store had no room for what the command wrote; make room on it: " + end;
  }
  if (outcome.missing == Missing::kOfImage) {
    log_.system(datum.id, outcome.failure);
    ended.attempt = {AttemptHow::kCannotStart, std::move(outcome.failure)};
    return ended;
  }
  if (outcome.failure.empty()) {
    StopWatch watch;
    auto output = datum.output(outcome.view);
    ended.stats.upload_time = watch.lap();
    if (output) {
      ended.output = *std::move(output);
      return ended;
    }
    if (output.error().code != Code::kInvalid) return std::move(output).error();
    outcome.failure = std::move(output).error().message;
  }
  log_.system(datum.id, fmt::format("datum {}: {} (attempt {} of {})", datum.path, outcome.failure, number,
                                    spec_.datum_tries));
  const std::string why = fmt::format("datum {}: {}", datum.path, outcome.failure);
  if (number < spec_.datum_tries) {
    ended.attempt = {AttemptHow::kAgain, why};
    return ended;
  }
  PFS_TRY_ASSIGN(ended.attempt, recover(container, datum, why, keep_going, ended.stats));
  return ended;
}

Result<PoolWork::Attempt> DatumExecution::recover(WorkerContainer& container, const DatumPlace& datum, const std::string& why,
                                                  const KeepGoing& keep_going, ProcessStats& stats) const {
  if (spec_.transform.err_cmd.empty()) return PoolWork::Attempt{AttemptHow::kFailed, why};
  const Command command{"transform.err_cmd", spec_.transform.err_cmd, spec_.transform.err_stdin_lines};
  bool lost = true;
  // one under which the container dies again and again may be the reason for that
  for (int tries = 0; lost && tries < kRecoverTries; ++tries) {
    PFS_TRY_ASSIGN(Outcome outcome, run(container, datum, command, keep_going));
    if (!outcome.begun && !outcome.lost) {  // no container can be started for it
      log_.system(datum.id, fmt::format("datum {}: {} before err_cmd ran; the attempt is made again", datum.path, outcome.failure));
      return PoolWork::Attempt{AttemptHow::kNotBegun, std::move(outcome.failure)};
    }
    stats += outcome.stats;
    if (outcome.failure.empty()) {
      log_.system(datum.id, fmt::format("datum {}: recovered: err_cmd ended well", datum.path));
      return PoolWork::Attempt{AttemptHow::kRecovered, why};
    }
    log_.system(datum.id, fmt::format("datum {}: err_cmd: {}", datum.path, outcome.failure));
    lost = outcome.lost;
  }
  return PoolWork::Attempt{AttemptHow::kFailed, why};
}

DatumExecution::Missing DatumExecution::missing_of(const worker::CommandEnd& end, const Command& command) const {
  if (end.how != worker::End::kNotStarted) return Missing::kNothing;
  const std::string& directory = spec_.transform.working_dir;
  if (lacks_directory(end)) return is_in_view(directory) ? Missing::kOwnDirectory : Missing::kOfImage;
  const std::string& program = command.arguments.front();
  if (program.find('/') == std::string::npos) return Missing::kOfImage;  // PATH's
  return is_in_view(program.front() == '/' ? program : directory + "/" + program) ? Missing::kOwnProgram : Missing::kOfImage;
}

std::string DatumExecution::failure_of(const worker::CommandEnd& end, const Command& command) const {
  switch (end.how) {
    case worker::End::kExited: {
      const auto& accepted = spec_.transform.accept_return_code;
      const int code = static_cast<int>(end.code);
      if (code == 0 || std::find(accepted.begin(), accepted.end(), code) != accepted.end()) return {};
      if (!end.why.empty()) return fmt::format("the command ended with status {} ({})", code, end.why);
      return fmt::format("the command ended with status {}", code);
    }
    case worker::End::kSignalled:
      if (!end.why.empty()) return fmt::format("the command was killed by signal {} ({})", end.code, end.why);
      return fmt::format("the command was killed by signal {}", end.code);
    case worker::End::kNotStarted: {
      const char* field = lacks_directory(end) ? "transform.working_dir" : command.field;
      if (missing_of(end, command) != Missing::kOfImage) {
        return fmt::format("{}: {}, with what this datum has at /pfs", field, end.why);
      }
      return fmt::format("{}: {} in image {}; update the pipeline or the image", field, end.why, spec_.transform.image);
    }
  }
  return "the command ended in no known way";
}

}  // namespace pfs::trigger
