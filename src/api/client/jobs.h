#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "api/client/connection.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/names.h"
#include "base/result.h"

namespace pfs::client {

/// One of the workers of a job's pipeline.
struct Worker {
  bool runs = false;
  std::string datum;  ///< that it works at; empty when it does not
  std::string path;
  Timestamp since;
};

/// A branch that a job reads.
struct JobInput {
  std::string repo;
  std::string branch;
  std::string commit;    ///< empty: it had none, or `from_job` has not ended
  std::string from_job;  ///< empty, unless it is the output of a job that this one waited for
};

struct Job {
  std::string id;
  std::string pipeline;
  std::uint64_t pipeline_version = 0;
  std::string state;  ///< the word of tables: `success`
  std::string reason;
  Timestamp started;
  std::optional<Timestamp> finished;
  std::uint64_t processed = 0;
  std::uint64_t skipped = 0;
  std::uint64_t failed = 0;
  std::uint64_t recovered = 0;
  std::uint64_t total = 0;
  std::uint64_t restarts = 0;
  std::uint64_t downloaded_bytes = 0;
  std::uint64_t uploaded_bytes = 0;
  std::chrono::nanoseconds download_time{0};  ///< of its datums, added up: to make what commands see,
  std::chrono::nanoseconds process_time{0};   ///< that they ran,
  std::chrono::nanoseconds upload_time{0};    ///< to take what they had put out
  std::vector<JobInput> inputs;
  std::string output_commit;  ///< empty while there is none
  std::vector<Worker> workers;  ///< of inspect(), while it has not ended
  std::string spec_json;        ///< of inspect(): of its pipeline's version; empty where that is not known any more
  std::string parent;           ///< of inspect(): the job before whose output was HEAD; may be empty
};

struct LogLine {
  Timestamp time;
  std::string pipeline;
  std::string job;
  std::string datum;
  std::string text;  ///< any bytes
  bool user = true;
};

struct LogsRequest {
  std::optional<RepoName> pipeline;
  std::optional<JobId> job;
  std::string datum;
  bool follow = false;  ///< until the job has ended
  std::vector<std::string> inputs;  ///< of datums that have all of these: paths or data digests
  bool system_only = false;
  bool user_only = false;
  std::optional<Timestamp> since;
  std::optional<std::uint64_t> tail;
};

struct JobsRequest {
  std::optional<RepoName> pipeline;
  std::vector<std::string> states;  ///< words of tables; none: any
  std::uint64_t limit = 0;          ///< 0: all
};

class Jobs {
 public:
  explicit Jobs(const Connection& connection) : connection_(connection) {}

  /// `wait`: answers when the job has ended.
  Result<Job> inspect(const JobId& id, bool wait) const;
  /// Newest first, each as it arrives. Errors: kInvalid (no such state); what `visit` returned, which ends it.
  Result<void> list(const JobsRequest& request, const std::function<Result<void>(const Job&)>& visit) const;
  Result<void> stop(const JobId& id) const;
  Result<void> remove(const JobId& id) const;
  /// Returns how many were begun anew.
  Result<std::uint64_t> restart_datums(const JobId& id, const std::vector<std::string>& datums) const;
  /// Makes a container in a datum's place, which is there while `use` runs: it is given the words before a command that
  /// run it in there, on pfsd's machine and as its user.
  Result<void> debug_datum(
      const JobId& id, const std::string& datum,
      const std::function<Result<void>(const std::vector<std::string>& words)>& use) const;
  /// In the order written.
  Result<void> logs(const LogsRequest& request,
                    const std::function<Result<void>(const LogLine&)>& visit) const;

 private:
  const Connection& connection_;
};

}  // namespace pfs::client
