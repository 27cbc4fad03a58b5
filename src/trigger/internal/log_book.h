#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/file.h"
#include "base/result.h"
#include "base/sync.h"
#include "trigger/pipelines.h"

namespace pfs::trigger {

/// How much of what user code prints is kept. Units: bytes as they are stored, of which a line takes some 180 beside its text.
struct LogLimits {
  std::uint64_t datum_bytes = 16u << 20;  ///< of an attempt, from its beginning on
  std::uint64_t job_bytes = 1u << 30;     ///< when a job's log is so long, attempts that begin have nothing but their end kept
  std::size_t end_bytes = 64u << 10;      ///< of an attempt that printed more: its end, or its last line alone
};

/// Told when lines were written, and knows whether there may be more. Thread-safe.
class LogBell {
 public:
  void ring() PFS_EXCLUDES(mutex_);
  /// Somebody writes that file from here on, until he leaves it, which rings.
  void enter(const std::string& path) PFS_EXCLUDES(mutex_);
  void leave(const std::string& path) PFS_EXCLUDES(mutex_);
  bool is_written(const std::string& path) const PFS_EXCLUDES(mutex_);
  /// How often it rang.
  std::uint64_t rung() const PFS_EXCLUDES(mutex_);
  /// Waits until it has rung more than `seen` times, or for so long.
  void wait(std::uint64_t seen, std::chrono::milliseconds timeout) const PFS_EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_{LockRank::kLeaf};
  mutable Condition changed_;
  std::uint64_t rung_ PFS_GUARDED_BY(mutex_) = 0;
  std::map<std::string, std::size_t> writers_ PFS_GUARDED_BY(mutex_);  ///< by path, how many
};

/// Lines of one job, or of a pipeline itself, appended to a file: JSON objects, one a line, which are read again by
/// logs(). Nothing here is synced: a power cut may take the last lines. What cannot be written is not: a job does not
/// fail for its log.
///
/// Thread-safe.
class LogWriter {
 public:
  static Result<std::unique_ptr<LogWriter>> open(const std::string& path, std::string pipeline, std::string job,
                                                 const Clock& clock, const LogLimits& limits, LogBell& bell);
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;
  ~LogWriter() { bell_.leave(file_.path()); }

  /// A line of ours.
  void system(std::string_view datum, std::string_view text) PFS_EXCLUDES(mutex_);

 private:
  friend class PrintedOutput;
  LogWriter(File file, std::uint64_t end, std::string pipeline, std::string job, const Clock& clock,
            const LogLimits& limits, LogBell& bell)
      : file_(std::move(file)), pipeline_(std::move(pipeline)), job_(std::move(job)), clock_(clock), limits_(limits),
        bell_(bell), end_(end) {
    bell_.enter(file_.path());
  }
  void append(std::string_view datum, std::string_view text, bool user, std::string& out) const;
  void write(std::string_view lines) PFS_EXCLUDES(mutex_);
  bool is_full() const PFS_EXCLUDES(mutex_);

  const File file_;
  const std::string pipeline_;
  const std::string job_;
  const Clock& clock_;
  const LogLimits limits_;
  LogBell& bell_;
  mutable Mutex mutex_{LockRank::kStorage};
  std::uint64_t end_ PFS_GUARDED_BY(mutex_);
};

/// What one attempt at a datum prints, as it comes: whole lines go into the job's log. Of more than LogLimits allow, the
/// beginning and the end are kept, with a line between them that says how much is missing.
///
/// Used by one thread.
class PrintedOutput {
 public:
  /// A longer line is cut into lines of this size.
  static constexpr std::size_t kMaxLine = 16 << 10;

  PrintedOutput(LogWriter& log, std::string datum)
      : log_(log), datum_(std::move(datum)), allowed_(log.is_full() ? 0 : log.limits_.datum_bytes) {}

  void add(std::string_view piece);
  /// Writes the unfinished last line, or the end of what was too much.
  void finish();

 private:
  /// Writes the lines of `rest_` that there is room for; `at_end`: the unfinished one, too.
  void keep_lines(bool at_end);
  void drop_rest();
  void keep_end();

  LogWriter& log_;
  const std::string datum_;
  std::uint64_t allowed_;        ///< bytes that may still be stored; 0 for good after the first line that was too much
  std::string rest_;             ///< the line that is not whole yet
  std::string last_;             ///< of what was not kept
  std::uint64_t dropped_ = 0;    ///< bytes as they were printed, `last_` included
};

/// Reads a log from where it was read to the last time.
///
/// Used by one thread.
class LogReader {
 public:
  explicit LogReader(std::string path) : path_(std::move(path)) {}

  /// The whole lines that are there beyond those that were read. A log that was never begun is empty.
  /// Returns false when the callback stopped it.
  Result<bool> read(const std::function<bool(const LogLine&)>& visit);

  /// Lets read() go on with the last lines that are there, so many of which are wanted: with the first line of all where there
  /// are fewer. Reads nothing before them. Returns how many there are.
  Result<std::size_t> skip_to_last(std::size_t count, const std::function<bool(const LogLine&)>& is_wanted);

 private:
  const std::string path_;
  File file_;
  std::uint64_t offset_ = 0;
};

/// Where the logs of a store's pipelines are: STATE/logs/<pipeline>/<job>.log, and pipeline.log for the lines of none.
///
/// Thread-safe.
class LogBook {
 public:
  LogBook(std::string root, const Clock& clock, const LogLimits& limits = {})
      : root_(std::move(root)), clock_(clock), limits_(limits) {}

  Result<std::unique_ptr<LogWriter>> job(const RepoName& pipeline, const JobId& job) const;
  Result<std::unique_ptr<LogWriter>> pipeline(const RepoName& pipeline) const;
  void remove(const RepoName& pipeline) const;
  void remove(const RepoName& pipeline, const JobId& job) const;

  /// Of a job, or (an empty job) of the pipeline itself.
  LogReader reader(const RepoName& pipeline, const std::string& job) const { return LogReader(path(pipeline, job)); }
  /// All the lines, in the order written. Returns false when the callback stopped it.
  Result<bool> read(const RepoName& pipeline, const std::string& job,
                    const std::function<bool(const LogLine&)>& visit) const {
    return reader(pipeline, job).read(visit);
  }
  /// Whether there may be more lines of a job that has ended: who works at it may not have left it yet.
  bool is_written(const RepoName& pipeline, const JobId& job) const { return bell_.is_written(path(pipeline, job.hex())); }
  /// Rings for a line in any of the logs, and when somebody has written his last one.
  LogBell& bell() const { return bell_; }

 private:
  std::string path(const RepoName& pipeline, const std::string& job) const;
  Result<std::unique_ptr<LogWriter>> open(const RepoName& pipeline, const std::string& job) const;

  const std::string root_;
  const Clock& clock_;
  const LogLimits limits_;
  mutable LogBell bell_;
};

}  // namespace pfs::trigger
