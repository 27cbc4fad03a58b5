#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/catalog.h"
#include "store/store.h"
#include "trigger/views.h"

namespace pfs::trigger {

class Secrets;

enum class PipelineState { kStarting, kRunning, kFailure, kStandby, kPaused };
enum class JobState { kStarting, kRunning, kMerging, kSuccess, kFailure, kKilled };

std::string_view name_of(PipelineState state);
std::string_view name_of(JobState state);

struct PipelineInfo {
  RepoName name;
  std::uint64_t version = 1;
  std::string spec_json;  ///< as created, normalised
  std::string description;
  std::string input;  ///< the shorthand of tables: `images:/*`
  std::vector<BranchRef> reads;  ///< the branches of its inputs
  BranchRef output;
  Timestamp created;
  std::optional<PipelineState> state = PipelineState::kStarting;  ///< nullopt: a version that an update has replaced
  std::string reason;                 ///< why it fails; empty while it does not
  std::optional<JobState> last_job;
  bool stopped = false;               ///< by hand, until it is started
  std::uint64_t workers_available = 0;  ///< whose containers run
  std::uint64_t workers_wanted = 0;     ///< as its spec has it
  std::map<JobState, std::uint64_t> job_counts;  ///< of get() only
};

/// A spec, and where it comes from, which errors about it begin with: `edges.yaml, document 2`.
struct SpecText {
  std::string origin;
  std::string json;
};

enum class SpecOutcome { kCreated, kUpdated, kUnchanged };

/// The datums that a pipeline has of its inputs as they are.
struct DatumPreview {
  std::uint64_t total = 0;
  std::uint64_t done = 0;          ///< of those, whose output an earlier job has made
  std::vector<std::string> first;  ///< the paths of some
};

/// What a spec comes to, or would.
struct SpecPlan {
  RepoName name;
  SpecOutcome outcome = SpecOutcome::kUnchanged;
  std::uint64_t version = 1;         ///< of the pipeline, afterwards
  bool reprocess = false;            ///< every datum is processed again
  std::vector<std::string> changes;  ///< of an update: `datum_tries: 3 -> 5`
  std::vector<std::string> notes;    ///< fields that have no effect, and why; an image that may come to be another
  std::string spec_json;             ///< with the defaults filled in
  std::optional<DatumPreview> datums;  ///< of a dry run
};

struct ApplyOptions {
  bool update = true;      ///< a pipeline that is there is changed; else that is an error
  bool reprocess = false;  ///< the next job of each processes every datum again
  bool dry_run = false;    ///< nothing is changed
  std::optional<store::DirectoryOwner> owner = {};  ///< of the branches that are made; not set: the daemon's user
};

struct RemoveOptions {
  bool force = false;      ///< also when another pipeline reads the output repo that goes with it
  bool keep_repo = true;   ///< its output branch becomes an ordinary one; else the output repo is deleted, too
};

/// What a job reads of a branch.
struct JobInput {
  BranchRef branch;
  std::optional<CommitId> commit;  ///< nullopt: the branch had no HEAD, or `from` is not done
  std::optional<JobId> from;       ///< the job whose output it is, where that had not ended when this one was caused

  bool operator==(const JobInput&) const = default;
};

/// What attempts at datums took, added up.
struct ProcessStats {
  std::uint64_t downloaded_bytes = 0;  ///< that user code has read from its inputs
  std::uint64_t uploaded_bytes = 0;    ///< that it has written
  std::chrono::nanoseconds download_time{0};  ///< to make what it sees: nothing is copied for that
  std::chrono::nanoseconds process_time{0};   ///< that it ran
  std::chrono::nanoseconds upload_time{0};    ///< to take what it had put out

  std::chrono::nanoseconds time() const { return download_time + process_time + upload_time; }
  ProcessStats& operator+=(const ProcessStats& more);
  bool operator==(const ProcessStats&) const = default;
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
  std::uint64_t recovered = 0;  ///< datums whose err_cmd ended well: they have put out nothing
  std::uint64_t total = 0;
  std::uint64_t restarts = 0;          ///< how often the daemon had to begin it again
  ProcessStats stats;                  ///< of the datums that it has run
  std::vector<JobInput> inputs;        ///< one for each branch that is read
  std::optional<CommitId> output_commit;
  std::string spec_json;               ///< of job() only: what it runs, or ran, with; empty where that is not known any more
  std::optional<JobId> parent;         ///< of job() only: the job before whose output was HEAD when this one was made
};

/// What became of a datum in a job. Skipped: an earlier job made its output. Recovered: it failed and its error command did not.
/// Killed: the end of the job cut it off. Not begun: the job ended before its turn came.
enum class DatumState { kStarting, kSuccess, kSkipped, kFailed, kRecovered, kKilled, kNotBegun };

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
  std::uint64_t output_bytes = 0;   ///< this one and what is below: 0 unless this job made it
  ProcessStats stats;               ///< also of one that has failed
};

/// One of a pipeline's workers.
struct WorkerInfo {
  bool runs = false;   ///< its container does
  std::string datum;   ///< that it works at: 64 hex digits; empty when it does not
  std::string path;    ///< of that datum
  Timestamp since;
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
  std::string datum;                ///< of this one only; 64 hex digits
  /// Of datums only that have all of these: a file's path (or one that lies below it), or its data digest as 64 hex digits.
  std::vector<std::string> inputs;
  bool system_only = false;         ///< lines that are not of user code
  bool user_only = false;           ///< lines that are
  std::optional<Timestamp> since;   ///< lines from then on
  std::optional<std::size_t> tail;  ///< the last so many of those that are there
  /// Not empty: what is written later is told, too, as it is written, until the job has ended (of a pipeline: it is gone) or
  /// this says no. Asked every 100 ms or so.
  std::function<bool()> follow_while;
};

struct PipelinesOptions {
  store::Store* store = nullptr;
  ViewHost* views = nullptr;
  const Clock* clock = nullptr;
  std::string worker_path;  ///< the static worker binary, bind-mounted into every container
  std::string state_path;   ///< a directory for sockets and logs: STORE/jobs
  /// After so long without a job a pipeline's containers are stopped.
  std::chrono::milliseconds idle_time = std::chrono::minutes(10);
  std::string container_engine = "podman";  ///< or `docker`, or the path of one of them
  const Secrets* secrets = nullptr;         ///< of which specs may use some; null: there are none
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

  /// Checks the specs and makes, or updates, their pipelines with what they read and write, all of them in one transaction
  /// or none; a job is caused for each whose input has a HEAD. A spec may read what another one writes, in any order. An
  /// unchanged spec is no change. Shape: a plan for each spec, in their order.
  /// Errors: kInvalid (names the field), kExists (and `update` is false), kNotFound (an input's repo), kUnsupported (a field
  /// that is known and not yet supported, by name), kUnavailable (no container runtime that works; says what to do).
  virtual Result<std::vector<SpecPlan>> apply(std::span<const SpecText> specs, const ApplyOptions& options) = 0;
  /// One spec alone.
  Result<PipelineInfo> create(const std::string& spec_json, bool update, bool reprocess);
  virtual Result<std::vector<PipelineInfo>> list() const = 0;
  virtual Result<PipelineInfo> get(const RepoName& name) const = 0;
  /// The versions before the one that it has, newest first; created: when it was updated to that one. Errors: kNotFound.
  virtual Result<std::vector<PipelineInfo>> earlier_versions(const RepoName& name, std::size_t limit) const = 0;
  /// The pipelines, their jobs and their logs are gone, all of them or none. Errors: kNotFound, kBusy (another pipeline reads
  /// a repo that would go).
  virtual Result<void> remove(std::span<const RepoName> names, const RemoveOptions& options) = 0;
  Result<void> remove(const RepoName& name) { return remove({&name, 1}, {}); }
  /// Stops a pipeline: its containers are gone when this returns, its unfinished jobs wait, and moves of its inputs cause
  /// none; or starts it again, which causes one job where its inputs have moved meanwhile. What it is already is no error.
  virtual Result<void> set_stopped(const RepoName& name, bool stopped) = 0;
  /// Causes a job by hand: of the inputs' HEADs, or of `commits` instead of some. Errors: kInvalid (it does not read a branch
  /// of `commits`, or nothing is there to read), kNotFound, kBusy (it is stopped).
  virtual Result<JobId> run(const RepoName& name, const std::map<BranchRef, CommitRef>& commits) = 0;

  /// Newest first; of one pipeline or of all.
  virtual Result<std::vector<JobInfo>> jobs(const std::optional<RepoName>& pipeline, std::size_t limit) const = 0;
  virtual Result<JobInfo> job(const JobId& id) const = 0;
  /// Returns when the job has ended, or kCancelled when `keep_waiting` says no (asked every 100 ms or so).
  virtual Result<JobInfo> wait(const JobId& id, const std::function<bool()>& keep_waiting) const = 0;
  /// A job's datums, in the order in which it processes them; the callback returns false to stop. Errors: kNotFound, kBusy (it
  /// waits for its inputs, or is not run for the lack of them), kInvalid (its pipeline has had another salt since).
  virtual Result<void> datums(const JobId& job, const std::function<bool(const DatumInfo&)>& visit) const = 0;
  virtual Result<DatumInfo> datum(const JobId& job, const Digest& id) const = 0;
  /// The datums that a pipeline of that spec would have for its branches as they are. Errors as create(), kNotFound (a repo).
  virtual Result<void> planned_datums(const std::string& spec_json,
                                      const std::function<bool(const DatumInfo&)>& visit) const = 0;
  /// Ends a job that has not ended, as killed: its containers are gone or its next job's when this returns or soon after.
  /// Errors: kNotFound, kInvalid (it has ended already).
  virtual Result<void> stop_job(const JobId& id) = 0;
  /// Forgets a job and its log; one that has not ended is stopped before. Its output commit stays.
  virtual Result<void> delete_job(const JobId& id) = 0;
  /// Begins the attempts at those datums of a job anew that run now and that each of `filter` (a path or a hash) names.
  /// Returns how many. Errors: kNotFound (no such job; none of its datums that run is that).
  virtual Result<std::size_t> restart_datums(const JobId& id, const std::vector<std::string>& filter) = 0;
  /// Makes a container of a job's pipeline that sees what one of the job's datums (a path or a hash) is given, with what user
  /// code is told in its environment, and removes it when `keep` says no (asked every 100 ms or so). `ready` is told the
  /// words before a command that run it in there, on this machine and as our user; false ends it, too.
  /// Errors: kNotFound (no such job, or datum in its input), kBusy and kInvalid as datums(), kInvalid (the name fits several),
  /// kUnsupported (a path of it is not UTF-8), those of starting a container.
  virtual Result<void> debug_datum(const JobId& id, const std::string& datum,
                                   const std::function<bool(const std::vector<std::string>& words)>& ready,
                                   const std::function<bool()>& keep) = 0;
  /// What the workers of a pipeline do.
  virtual Result<std::vector<WorkerInfo>> workers(const RepoName& pipeline) const = 0;

  /// Lines in the order written; the callback returns false to stop.
  virtual Result<void> logs(const LogFilter& filter, const std::function<bool(const LogLine&)>& visit) const = 0;

  /// Tries whether containers can be started, once it has worked no more; one line about how, for `pfs doctor`.
  /// Errors: kUnavailable (says what was tried and what to do).
  virtual Result<std::string> probe_runtime() = 0;
  /// What was found when that was tried last.
  virtual std::string runtime_report() const = 0;
};

}  // namespace pfs::trigger
