#include "trigger/internal/log_book.h"

#include <fcntl.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

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

struct PrintedLine {
  std::string_view text;
  std::size_t length = 0;  ///< with its newline
};

/// The first one; nullopt: it is not whole yet. `at_end`: what there is of it is all.
std::optional<PrintedLine> first_line(std::string_view printed, bool at_end) {
  const auto newline = printed.find('\n');
  if (newline <= PrintedOutput::kMaxLine) return PrintedLine{printed.substr(0, newline), newline + 1};
  if (printed.size() > PrintedOutput::kMaxLine) {
    return PrintedLine{printed.substr(0, PrintedOutput::kMaxLine), PrintedOutput::kMaxLine};
  }
  if (!at_end || printed.empty()) return std::nullopt;
  return PrintedLine{printed, printed.size()};
}

/// nullopt: nobody has begun it.
Result<std::optional<File>> open_log(const std::string& path) {
  auto opened = File::open(path, O_RDONLY);
  if (!opened && opened.error().code == Code::kNotFound) return std::optional<File>();
  if (!opened) return std::move(opened).error();
  return std::optional<File>(*std::move(opened));
}

}  // namespace

void LogBell::ring() {
  Lock lock(mutex_);
  ++rung_;
  changed_.notify_all();
}

void LogBell::enter(const std::string& path) {
  Lock lock(mutex_);
  ++writers_[path];
}

void LogBell::leave(const std::string& path) {
  Lock lock(mutex_);
  if (const auto found = writers_.find(path); --found->second == 0) writers_.erase(found);
  ++rung_;
  changed_.notify_all();
}

bool LogBell::is_written(const std::string& path) const {
  Lock lock(mutex_);
  return writers_.contains(path);
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
  rest_ += piece;
  if (allowed_ > 0) keep_lines(/*at_end=*/false);
  if (allowed_ == 0) drop_rest();
}

void PrintedOutput::keep_lines(bool at_end) {
  std::string_view rest = rest_;
  std::string lines;
  while (const auto line = first_line(rest, at_end)) {
    const std::size_t before = lines.size();
    log_.append(datum_, line->text, true, lines);
    const std::size_t stored = lines.size() - before;
    if (stored > allowed_) {
      lines.resize(before);
      allowed_ = 0;
      break;
    }
    allowed_ -= stored;
    rest.remove_prefix(line->length);
  }
  rest_.erase(0, rest_.size() - rest.size());
  if (!lines.empty()) log_.write(lines);
}

void PrintedOutput::drop_rest() {
  dropped_ += rest_.size();
  last_ += rest_;
  rest_.clear();
  // now and then, not with each piece
  const std::size_t most = log_.limits_.end_bytes;
  if (last_.size() > 2 * most) last_.erase(0, last_.size() - most);
}

void PrintedOutput::finish() {
  if (allowed_ > 0) keep_lines(/*at_end=*/true);
  if (allowed_ == 0) drop_rest();
  if (dropped_ > 0) keep_end();
}

void PrintedOutput::keep_end() {
  struct Begin {
    std::size_t printed;
    std::size_t stored;
  };
  const std::size_t most = log_.limits_.end_bytes;
  if (last_.size() > most) last_.erase(0, last_.size() - most);
  std::string stored;
  std::vector<Begin> begins;
  std::string_view rest = last_;
  while (const auto line = first_line(rest, /*at_end=*/true)) {
    begins.push_back({last_.size() - rest.size(), stored.size()});
    log_.append(datum_, line->text, true, stored);
    rest.remove_prefix(line->length);
  }
  // the last line whatever it takes, and those before it that there is room for
  Begin from{last_.size(), stored.size()};
  for (auto line = begins.rbegin(); line != begins.rend(); ++line) {
    if (line != begins.rbegin() && stored.size() - line->stored > most) break;
    from = *line;
  }
  const std::uint64_t missing = dropped_ - (last_.size() - from.printed);
  std::string lines;
  if (missing > 0) {
    log_.append(datum_,
                fmt::format("{} bytes of what the command printed are left out here: of each attempt {} bytes of log are kept "
                            "from its beginning and {} from its end",
                            missing, log_.limits_.datum_bytes, most),
                false, lines);
  }
  log_.write(lines.append(stored, from.stored));
  last_.clear();
  dropped_ = 0;
}

Result<bool> LogReader::read(const std::function<bool(const LogLine&)>& visit) {
  if (!file_) {
    PFS_TRY_ASSIGN(auto opened, open_log(path_));
    if (!opened) return true;
    file_ = *std::move(opened);
  }
  PFS_TRY_ASSIGN(const std::uint64_t size, file_.size());
  std::string text;
  std::string piece;
  for (std::uint64_t at = offset_; at < size;) {
    piece.resize(std::min<std::uint64_t>(kReadAtOnce, size - at));
    PFS_TRY_ASSIGN(const std::size_t got, file_.read_at(at, std::as_writable_bytes(std::span(piece))));
    if (got == 0) break;
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
  return true;
}

Result<std::size_t> LogReader::skip_to_last(std::size_t count, const std::function<bool(const LogLine&)>& is_wanted) {
  // closed again: of many logs that are read one after the other, one is open at a time
  PFS_TRY_ASSIGN(const auto file, open_log(path_));
  if (!file) return std::size_t{0};
  PFS_TRY_ASSIGN(std::uint64_t at, file->size());
  std::string text;     // from `at` on, to the beginning of the line that was looked at last
  bool whole = false;   // it ends with a newline
  std::size_t found = 0;
  while (at > 0 && (found < count || !whole)) {
    std::string piece(std::min<std::uint64_t>(kReadAtOnce, at), '\0');
    at -= piece.size();
    PFS_TRY(file->read_exactly(at, std::as_writable_bytes(std::span(piece))));
    text.insert(0, piece);
    if (!whole) {
      // of a line that is being written the end is not there yet
      const auto newline = text.rfind('\n');
      text.resize(newline == std::string::npos ? 0 : newline + 1);
      whole = newline != std::string::npos;
    }
    while (found < count && !text.empty()) {
      const std::string_view line = std::string_view(text).substr(0, text.size() - 1);
      const auto before = line.rfind('\n');
      if (before == std::string_view::npos && at > 0) break;  // its beginning is not read yet
      const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
      const auto parsed = parse_line(line.substr(begin));
      if (parsed && is_wanted(*parsed)) ++found;
      text.resize(begin);
    }
  }
  offset_ = at + text.size();
  return found;
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
