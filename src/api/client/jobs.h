#pragma once

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
  std::uint64_t total = 0;
  std::uint64_t restarts = 0;
  std::uint64_t downloaded_bytes = 0;
  std::uint64_t uploaded_bytes = 0;
  std::vector<JobInput> inputs;
  std::string output_commit;  ///< empty while there is none
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
};

class Jobs {
 public:
  explicit Jobs(const Connection& connection) : connection_(connection) {}

  /// `wait`: answers when the job has ended.
  Result<Job> inspect(const JobId& id, bool wait) const;
  /// Newest first; of one pipeline or of all; `limit` 0: all.
  Result<std::vector<Job>> list(const std::optional<RepoName>& pipeline, std::uint64_t limit) const;
  /// In the order written.
  Result<void> logs(const LogsRequest& request,
                    const std::function<Result<void>(const LogLine&)>& visit) const;

 private:
  const Connection& connection_;
};

}  // namespace pfs::client
