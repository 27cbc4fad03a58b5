#include "trigger/internal/log_book.h"

#include <fcntl.h>

#include <algorithm>
#include <utility>

#include <boost/filesystem.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

namespace pfs::trigger {

namespace {

using nlohmann::json;

constexpr std::size_t kReadAtOnce = 256 << 10;

std::optional<LogLine> parse_line(std::string_view text) {
  const json object = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return std::nullopt;  // the end of a line that a crash cut off
  try {
    LogLine line;
    line.when = Timestamp{object.at("ts").get<std::int64_t>()};
    line.pipeline = object.value("pipeline", "");
    line.job = object.value("job", "");
    line.datum = object.value("datum", "");
    line.text = object.value("text", "");
    line.user = object.value("user", true);
    return line;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

}  // namespace

void LogBell::ring() {
  Lock lock(mutex_);
  ++rung_;
  changed_.notify_all();
}

std::uint64_t LogBell::rung() const {
  Lock lock(mutex_);
  return rung_;
}

void LogBell::wait(std::uint64_t seen, std::chrono::milliseconds timeout) const {
  Lock lock(mutex_);
  if (rung_ <= seen) changed_.wait_for(mutex_, timeout);
}

Result<std::unique_ptr<LogWriter>> LogWriter::open(const std::string& path, std::string pipeline, std::string job,
                                                   const Clock& clock, const LogLimits& limits, LogBell& bell) {
  // appending, wherever it is told to write: a job that is stopped by a user has two writers for a moment
  PFS_TRY_ASSIGN(File file, File::open(path, O_WRONLY | O_CREAT | O_APPEND));
  PFS_TRY_ASSIGN(const std::uint64_t end, file.size());
  std::unique_ptr<LogWriter> writer(
      new LogWriter(std::move(file), end, std::move(pipeline), std::move(job), clock, limits, bell));
  // a line that a crash cut off must not swallow the next one
  if (end > 0) writer->write("\n");
  return writer;
}

void LogWriter::append(std::string_view datum, std::string_view text, bool user, std::string& out) const {
  json line{{"ts", clock_.now().nanoseconds}, {"pipeline", pipeline_}, {"text", text}, {"user", user}};
  if (!job_.empty()) line["job"] = job_;
  if (!datum.empty()) line["datum"] = datum;
  // output need not be UTF-8; JSON must be
  out += line.dump(-1, ' ', false, json::error_handler_t::replace);
  out += '\n';
}

void LogWriter::write(std::string_view lines) {
  {
    Lock lock(mutex_);
    if (auto written = file_.write_at(end_, as_bytes(lines)); !written) {
      spdlog::error("log {}: {}", file_.path(), written.error().message);
      return;
    }
    end_ += lines.size();
  }
  bell_.ring();
}

bool LogWriter::is_full() const {
  Lock lock(mutex_);
  return end_ >= limits_.job_bytes;
}

void LogWriter::system(std::string_view datum, std::string_view text) {
  std::string lines;
  append(datum, text, false, lines);
  write(lines);
}

void PrintedOutput::add(std::string_view piece) {
  const auto kept = static_cast<std::size_t>(std::min<std::uint64_t>(allowed_, piece.size()));
  allowed_ -= kept;
  if (kept > 0) add_lines(piece.substr(0, kept));
  piece.remove_prefix(kept);
  if (piece.empty()) return;
  dropped_ += piece.size();
  last_ += piece;
  // now and then, not with each piece
  const std::size_t most = log_.limits_.end_bytes;
  if (last_.size() > 2 * most) last_.erase(0, last_.size() - most);
}

void PrintedOutput::add_lines(std::string_view piece) {
  rest_ += piece;
  std::string_view rest = rest_;
  std::string lines;
  while (true) {
    const auto newline = rest.find('\n');
    if (newline == std::string_view::npos && rest.size() < kMaxLine) break;
    const std::size_t length = std::min(newline, kMaxLine);
    log_.append(datum_, rest.substr(0, length), true, lines);
    rest.remove_prefix(length == newline ? length + 1 : length);
  }
  rest_.erase(0, rest_.size() - rest.size());
  if (!lines.empty()) log_.write(lines);
}

void PrintedOutput::finish() {
  if (dropped_ > 0) {
    const std::size_t most = log_.limits_.end_bytes;
    if (last_.size() > most) last_.erase(0, last_.size() - most);
    const std::uint64_t missing = dropped_ - last_.size();
    if (missing > 0) {
      if (!rest_.empty()) add_lines("\n");
      log_.system(datum_, fmt::format("{} bytes of what the command printed are left out here: of each attempt the log "
                                      "keeps the first {} bytes and the last {}",
                                      missing, log_.limits_.datum_bytes, most));
    }
    add_lines(std::exchange(last_, {}));
    dropped_ = 0;
  }
  if (!rest_.empty()) add_lines("\n");
}

Result<bool> LogReader::read(const std::function<bool(const LogLine&)>& visit) {
  if (!file_) {
    auto opened = File::open(path_, O_RDONLY);
    if (!opened && opened.error().code == Code::kNotFound) return true;
    if (!opened) return std::move(opened).error();
    file_ = *std::move(opened);
  }
  std::string text;
  std::string piece(kReadAtOnce, '\0');
  std::uint64_t at = offset_;
  while (true) {
    PFS_TRY_ASSIGN(const std::size_t got, file_.read_at(at, std::as_writable_bytes(std::span(piece))));
    if (got == 0) return true;
    at += got;
    text.append(piece, 0, got);
    std::size_t begin = 0;
    for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
      const auto line = parse_line(std::string_view(text).substr(begin, end - begin));
      offset_ += end + 1 - begin;
      begin = end + 1;
      if (line && !visit(*line)) return false;
    }
    text.erase(0, begin);
  }
}

std::string LogBook::path(const RepoName& pipeline, const std::string& job) const {
  return root_ + "/" + pipeline.str() + "/" + (job.empty() ? "pipeline" : job) + ".log";
}

Result<std::unique_ptr<LogWriter>> LogBook::open(const RepoName& pipeline, const std::string& job) const {
  boost::system::error_code error;
  boost::filesystem::create_directories(root_ + "/" + pipeline.str(), error);
  if (error) return error_from_errno(error.value(), "make " + root_ + "/" + pipeline.str());
  return LogWriter::open(path(pipeline, job), pipeline.str(), job, clock_, limits_, bell_);
}

Result<std::unique_ptr<LogWriter>> LogBook::job(const RepoName& pipeline, const JobId& job) const {
  return open(pipeline, job.hex());
}
Result<std::unique_ptr<LogWriter>> LogBook::pipeline(const RepoName& pipeline) const { return open(pipeline, ""); }

void LogBook::remove(const RepoName& pipeline) const {
  boost::system::error_code error;
  boost::filesystem::remove_all(root_ + "/" + pipeline.str(), error);
  if (error) spdlog::error("remove the logs of pipeline {}: {}", pipeline.str(), error.message());
}

void LogBook::remove(const RepoName& pipeline, const JobId& job) const {
  boost::system::error_code error;
  boost::filesystem::remove(path(pipeline, job.hex()), error);
  if (error) spdlog::error("remove the log of job {}: {}", job.hex(), error.message());
}

}  // namespace pfs::trigger
