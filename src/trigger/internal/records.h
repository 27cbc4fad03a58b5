#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "store/types.h"
#include "trigger/pipelines.h"

namespace pfs::trigger {

// The rows of this room. Values begin with a version byte. Source: docs/pipelines.md "Rows".
//
//   pipeline/<name>                     PipelineRecord
//   version/<pipeline>/<newest first>   VersionRecord: what each of its versions was made with
//   input/<repo>@<branch>               the names of the pipelines that read the branch; written whenever that changes,
//                                       so that a moving HEAD can expect it and misses no pipeline
//   caused/<pipeline>                   CausedRecord: what the newest job was caused with. Expected and written by every
//                                       transaction that causes a job, so that no two of them know half of the inputs each
//   job/<id>                            JobRecord
//   jobs/<pipeline>/<newest first>      the job's id
//   queue/<pipeline>/<oldest first>     the job's id, until it has ended
//   family datum: prefix of the salt 16, key 32            DatumRecord
//   family datum: another one of it 16, job 16, key 32     MissRecord: what a datum that put nothing out came to in that job

struct PipelineRecord {
  RepoName name;
  std::uint64_t version = 1;
  std::string spec_json;  ///< as to_json() gives it
  std::string salt;       ///< kept over updates unless they reprocess
  Timestamp created;
  bool stopped = false;   ///< by hand: nothing runs, and nothing is caused
  std::string damage;  ///< not kept: why the record cannot be read, where only its name is known
};

/// One of a pipeline's versions, also after an update has replaced it.
struct VersionRecord {
  std::uint64_t version = 1;
  Timestamp made;
  std::string spec_json;
  std::string salt;
};

/// What a pipeline's newest job was caused with.
struct CausedRecord {
  std::uint64_t pipeline_version = 0;
  std::uint64_t next_number = 1;  ///< of the pipeline's next job
  std::vector<JobInput> inputs;
};

struct JobRecord {
  JobId id;
  RepoName pipeline;
  std::uint64_t caused_by_version = 1;  ///< with the number, its place among the pipeline's jobs
  std::uint64_t number = 0;             ///< rises from job to job; of old ones it is that of the input's log entry
  std::uint64_t pipeline_version = 1;   ///< whose spec it runs, or ran, with
  JobState state = JobState::kStarting;
  std::string reason;
  Timestamp created;
  std::optional<Timestamp> begun;  ///< when it first ran: job_timeout counts from there on, over restarts of pfsd too
  std::optional<Timestamp> finished;
  std::uint64_t restarts = 0;
  std::vector<JobInput> inputs;
  std::optional<CommitId> output_commit;
  std::uint64_t processed = 0;
  std::uint64_t skipped = 0;
  std::uint64_t failed = 0;
  std::uint64_t recovered = 0;
  std::uint64_t total = 0;
  ProcessStats stats;
  /// What decided which datums there are and what they put out, but for the inputs' content: see shape_of().
  std::optional<Digest> shape;
  /// The output is the sum of the datums' outputs and nothing else: no path of two of them, no empty directory. So what
  /// some of them have put out can be replaced in it. See OutputUpdate.
  bool separable = false;

  bool waits() const;  ///< for an input that another job makes
  bool ended() const {
    return state == JobState::kSuccess || state == JobState::kFailure || state == JobState::kKilled;
  }
  JobInfo info() const;
};

/// What a datum put out: never made again while the row is there.
struct DatumRecord {
  store::Subtree output;
  JobId job;  ///< that ran it
  bool has_empty_directories = true;  ///< true also where nobody has looked
  ProcessStats stats;
};

/// A datum of a job that put nothing out. Recovered: its command failed, and the error command did not. Cut off: it was
/// being processed when the job was left, which has ended, or goes on when pfsd or its pipeline does.
enum class Miss { kFailed, kRecovered, kCutOff };

struct MissRecord {
  Miss what = Miss::kFailed;
  ProcessStats stats;

  bool operator==(const MissRecord&) const = default;
};

std::string encode(const PipelineRecord& record);
std::string encode(const VersionRecord& record);
std::string encode(const CausedRecord& record);
std::string encode(const JobRecord& record);
std::string encode(const DatumRecord& record);
std::string encode(const MissRecord& record);
std::string encode_names(const std::vector<RepoName>& names);

/// Errors: kCorrupt.
Result<PipelineRecord> decode_pipeline(std::string_view value);
Result<VersionRecord> decode_version(std::string_view value);
Result<CausedRecord> decode_caused(std::string_view value);
Result<JobRecord> decode_job(std::string_view value);
Result<DatumRecord> decode_datum(std::string_view value);
Result<MissRecord> decode_miss(std::string_view value);
Result<std::vector<RepoName>> decode_names(std::string_view value);

std::string pipeline_key(const RepoName& name);
std::string versions_prefix(const RepoName& pipeline);
std::string version_key(const RepoName& pipeline, std::uint64_t version);
std::string input_key(const BranchRef& branch);
std::string caused_key(const RepoName& pipeline);
std::string job_key(const JobId& id);
std::string jobs_prefix(const RepoName& pipeline);
std::string jobs_key(const JobRecord& job);
/// Jobs that a version of the pipeline was caused with, and older ones, come after it.
std::string jobs_of_version_key(const RepoName& pipeline, std::uint64_t version);
std::string queue_prefix(const RepoName& pipeline);
std::string queue_key(const JobRecord& job);

/// A job's name, a function of what caused it: the pipeline (its version and salt, which a pipeline made again does not
/// share), what it reads, and its number.
JobId job_id(const PipelineRecord& pipeline, const std::vector<JobInput>& inputs, std::uint64_t number);

}  // namespace pfs::trigger
