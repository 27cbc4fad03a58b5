#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/file.h"
#include "base/result.h"
#include "trigger/pipelines.h"

namespace pfs::trigger {

/// Lines of one job, or of a pipeline itself, appended to a file: JSON objects, one a line, which are read again by
/// logs(). Nothing here is synced: a power cut may take the last lines.
///
/// Used by one thread.
class LogWriter {
 public:
  /// A longer line of the user's code is cut into lines of this size.
  static constexpr std::size_t kMaxLine = 16 << 10;

  static Result<LogWriter> open(const std::string& path, std::string pipeline, std::string job, const Clock& clock);

  /// A line of ours. What cannot be written is not: a job does not fail for its log.
  void system(std::string_view datum, std::string_view text);
  /// A piece of the user's output, as it comes; whole lines are written, the rest is kept until end_of_output().
  void output(std::string_view datum, std::string_view piece);
  void end_of_output(std::string_view datum);

 private:
  void append(std::string_view datum, std::string_view text, bool user, std::string& out) const;
  void write(std::string_view lines);

  File file_;
  std::uint64_t end_ = 0;
  std::string pipeline_;
  std::string job_;
  const Clock* clock_ = nullptr;
  std::string rest_;
};

/// Where the logs of a store's pipelines are: STATE/logs/<pipeline>/<job>.log, and pipeline.log for the lines of none.
///
/// Thread-safe.
class LogBook {
 public:
  LogBook(std::string root, const Clock& clock) : root_(std::move(root)), clock_(clock) {}

  Result<LogWriter> job(const RepoName& pipeline, const JobId& job) const;
  Result<LogWriter> pipeline(const RepoName& pipeline) const;
  void remove(const RepoName& pipeline) const;

  /// The lines of a job, or (an empty job) of the pipeline itself, in the order written. A log that was never begun is
  /// empty. Returns false when the callback stopped it.
  Result<bool> read(const RepoName& pipeline, const std::string& job,
                    const std::function<bool(const LogLine&)>& visit) const;

 private:
  std::string path(const RepoName& pipeline, const std::string& job) const;
  Result<LogWriter> open(const RepoName& pipeline, const std::string& job) const;

  const std::string root_;
  const Clock& clock_;
};

}  // namespace pfs::trigger
