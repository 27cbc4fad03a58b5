#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/catalog.h"
#include "store/store.h"
#include "trigger/views.h"

namespace pfs::trigger {

enum class PipelineState { kStarting, kRunning, kFailure, kStandby };
enum class JobState { kStarting, kRunning, kMerging, kSuccess, kFailure, kKilled };

std::string_view name_of(PipelineState state);
std::string_view name_of(JobState state);

struct PipelineInfo {
  RepoName name;
  std::uint64_t version = 1;
  std::string spec_json;  ///< as created, normalised
  std::string description;
  std::string input;  ///< the shorthand of tables: `images:/*`
  BranchRef output;
  Timestamp created;
  PipelineState state = PipelineState::kStarting;
  std::string reason;                 ///< why it fails; empty while it does not
  std::optional<JobState> last_job;
};

/// What a job reads of a branch.
struct JobInput {
  BranchRef branch;
  std::optional<CommitId> commit;  ///< nullopt: the branch had no HEAD, or `from` is not done
  std::optional<JobId> from;       ///< the job whose output it is, where that had not ended when this one was caused

  bool operator==(const JobInput&) const = default;
};

/// A job's record, as tables and `inspect` show it.
struct JobInfo {
  JobId id;
  RepoName pipeline;
  std::uint64_t pipeline_version = 1;
  JobState state = JobState::kStarting;
  std::string reason;
  Timestamp started;
  std::optional<Timestamp> finished;
  std::uint64_t processed = 0;  ///< datums run with success in this job
  std::uint64_t skipped = 0;    ///< datums whose output an earlier job made
  std::uint64_t failed = 0;
  std::uint64_t total = 0;
  std::uint64_t restarts = 0;          ///< how often the daemon had to begin it again
  std::uint64_t downloaded_bytes = 0;  ///< bytes of the processed datums' inputs
  std::uint64_t uploaded_bytes = 0;    ///< bytes that they put out
  std::vector<JobInput> inputs;  ///< one for each branch that is read
  std::optional<CommitId> output_commit;
};

/// What became of a datum in a job. Skipped: an earlier job made its output. Recovered: it failed and its error command did not.
enum class DatumState { kStarting, kSuccess, kSkipped, kFailed, kRecovered };

struct DatumInfo {
  struct File {
    BranchRef branch;
    std::optional<CommitId> commit;
    RepoName name;  ///< of the input
    RepoPath path;
    std::uint64_t size = 0;  ///< bytes, of a directory with all that is in it
  };

  std::optional<Digest> id;         ///< nullopt: of a spec without a salt, which will be drawn
  std::optional<JobId> job;         ///< nullopt: of a spec
  std::optional<DatumState> state;  ///< likewise
  std::vector<File> files;
  std::uint64_t input_bytes = 0;
  std::uint64_t output_bytes = 0;  ///< 0 unless this job made it
};

struct LogLine {
  Timestamp when;
  std::string pipeline;
  std::string job;    ///< 32 hex digits; empty for lines of the pipeline itself
  std::string datum;  ///< 64 hex digits; empty for lines of the job itself
  std::string text;   ///< without the newline
  bool user = true;   ///< false: written by the system, not by the user's code
};

struct LogFilter {
  std::optional<RepoName> pipeline;
  std::optional<JobId> job;
  std::string datum;
};

struct PipelinesOptions {
  store::Store* store = nullptr;
  ViewHost* views = nullptr;
  const Clock* clock = nullptr;
  std::string worker_path;  ///< the static worker binary, bind-mounted into every container
  std::string state_path;   ///< a directory for sockets and logs: STORE/jobs
};

/// Pipelines and their jobs: what `pfs` asks for, and the scheduler behind it.
///
/// Thread-safe. A job is recorded in the transaction that moves the HEAD of its input; the scheduler's threads find it
/// there, run its datums and publish its output and its state in one transaction, so that it ends once, whatever
/// crashes when.
class Pipelines : public store::PublishHook {
 public:
  /// Makes it; nothing runs before start(). Becomes the store's publish hook when the daemon says so.
  static Result<std::unique_ptr<Pipelines>> open(const PipelinesOptions& options);

  /// Starts the scheduler: unfinished jobs go on, leftover containers of this store are removed.
  virtual Result<void> start() = 0;
  /// Stops running containers; jobs go on at the next start.
  virtual void stop() = 0;

  /// Checks the spec (JSON text of one pipeline), makes or updates the pipeline and its output branch; one job is
  /// caused when the input has a HEAD. An unchanged spec is no change.
  /// Errors: kInvalid (names the field), kExists (and `update` is false), kNotFound (the input repo), kUnsupported (a field
  /// that is known and not yet supported, by name), kUnavailable (no container runtime that works; says what to do).
  virtual Result<PipelineInfo> create(const std::string& spec_json, bool update, bool reprocess) = 0;
  virtual Result<std::vector<PipelineInfo>> list() const = 0;
  virtual Result<PipelineInfo> get(const RepoName& name) const = 0;
  /// Its jobs are ended and its output branch becomes an ordinary one.
  virtual Result<void> remove(const RepoName& name) = 0;

  /// Newest first; of one pipeline or of all.
  virtual Result<std::vector<JobInfo>> jobs(const std::optional<RepoName>& pipeline, std::size_t limit) const = 0;
  virtual Result<JobInfo> job(const JobId& id) const = 0;
  /// Returns when the job has ended, or kCancelled when `keep_waiting` says no (asked every 100 ms or so).
  virtual Result<JobInfo> wait(const JobId& id, const std::function<bool()>& keep_waiting) const = 0;
  /// A job's datums, in the order in which it processes them; the callback returns false to stop. Errors: kNotFound, kBusy (it
  /// waits for its inputs, or is not run for the lack of them), kInvalid (its pipeline has had another input or salt since).
  virtual Result<void> datums(const JobId& job, const std::function<bool(const DatumInfo&)>& visit) const = 0;
  virtual Result<DatumInfo> datum(const JobId& job, const Digest& id) const = 0;
  /// The datums that a pipeline of that spec would have for its branches as they are. Errors as create(), kNotFound (a repo).
  virtual Result<void> planned_datums(const std::string& spec_json,
                                      const std::function<bool(const DatumInfo&)>& visit) const = 0;
  /// Lines in the order written; the callback returns false to stop.
  virtual Result<void> logs(const LogFilter& filter, const std::function<bool(const LogLine&)>& visit) const = 0;

  /// What the container runtime's probe found: one line for `pfs doctor` and logs.
  virtual std::string runtime_report() const = 0;
};

}  // namespace pfs::trigger
