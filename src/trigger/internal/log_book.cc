#include "trigger/internal/log_book.h"

#include <fcntl.h>

#include <cstdio>
#include <fstream>

#include <boost/filesystem.hpp>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

namespace pfs::trigger {

namespace {

using nlohmann::json;

std::optional<LogLine> parse_line(const std::string& text) {
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

Result<LogWriter> LogWriter::open(const std::string& path, std::string pipeline, std::string job, const Clock& clock) {
  LogWriter writer;
  PFS_TRY_ASSIGN(writer.file_, File::open(path, O_RDWR | O_CREAT));
  PFS_TRY_ASSIGN(writer.end_, writer.file_.size());
  writer.pipeline_ = std::move(pipeline);
  writer.job_ = std::move(job);
  writer.clock_ = &clock;
  // a line that a crash cut off must not swallow the next one
  if (writer.end_ > 0) writer.write("\n");
  return writer;
}

void LogWriter::append(std::string_view datum, std::string_view text, bool user, std::string& out) const {
  json line{{"ts", clock_->now().nanoseconds}, {"pipeline", pipeline_}, {"text", text}, {"user", user}};
  if (!job_.empty()) line["job"] = job_;
  if (!datum.empty()) line["datum"] = datum;
  // output need not be UTF-8; JSON must be
  out += line.dump(-1, ' ', false, json::error_handler_t::replace);
  out += '\n';
}

void LogWriter::write(std::string_view lines) {
  if (auto written = file_.write_at(end_, as_bytes(lines)); !written) {
    spdlog::error("log {}: {}", file_.path(), written.error().message);
    return;
  }
  end_ += lines.size();
}

void LogWriter::system(std::string_view datum, std::string_view text) {
  std::string lines;
  append(datum, text, false, lines);
  write(lines);
}

void LogWriter::output(std::string_view datum, std::string_view piece) {
  rest_ += piece;
  std::string_view rest = rest_;
  std::string lines;
  while (true) {
    const auto newline = rest.find('\n');
    if (newline == std::string_view::npos && rest.size() < kMaxLine) break;
    const std::size_t length = std::min(newline, kMaxLine);
    append(datum, rest.substr(0, length), true, lines);
    rest.remove_prefix(length == newline ? length + 1 : length);
  }
  rest_.erase(0, rest_.size() - rest.size());
  if (!lines.empty()) write(lines);
}

void LogWriter::end_of_output(std::string_view datum) {
  if (!rest_.empty()) output(datum, "\n");
}

std::string LogBook::path(const RepoName& pipeline, const std::string& job) const {
  return root_ + "/" + pipeline.str() + "/" + (job.empty() ? "pipeline" : job) + ".log";
}

Result<LogWriter> LogBook::open(const RepoName& pipeline, const std::string& job) const {
  boost::system::error_code error;
  boost::filesystem::create_directories(root_ + "/" + pipeline.str(), error);
  if (error) return error_from_errno(error.value(), "make " + root_ + "/" + pipeline.str());
  return LogWriter::open(path(pipeline, job), pipeline.str(), job, clock_);
}

Result<LogWriter> LogBook::job(const RepoName& pipeline, const JobId& job) const { return open(pipeline, job.hex()); }
Result<LogWriter> LogBook::pipeline(const RepoName& pipeline) const { return open(pipeline, ""); }

void LogBook::remove(const RepoName& pipeline) const {
  boost::system::error_code error;
  boost::filesystem::remove_all(root_ + "/" + pipeline.str(), error);
  if (error) spdlog::error("remove the logs of pipeline {}: {}", pipeline.str(), error.message());
}

Result<bool> LogBook::read(const RepoName& pipeline, const std::string& job,
                           const std::function<bool(const LogLine&)>& visit) const {
  std::ifstream file(path(pipeline, job));
  std::string text;
  while (std::getline(file, text)) {
    const auto line = parse_line(text);
    if (line && !visit(*line)) return false;
  }
  return true;
}

}  // namespace pfs::trigger
