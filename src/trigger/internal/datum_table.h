#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "store/local_db.h"
#include "trigger/internal/records.h"

namespace pfs::trigger {

/// What the datums of one pipeline (and salt) have put out, and which did not in which job, on this machine.
///
/// Records are kept back until what they name is durable: flush() syncs first and writes then, so a record never names
/// bytes that a power cut has taken. Used by one thread.
class DatumTable {
 public:
  DatumTable(store::LocalDb& local, const Clock& clock, const RepoName& pipeline, const std::string& salt);

  Result<std::optional<DatumRecord>> find(const Digest& datum) const;
  /// Flushes when the last time is 100 ms ago.
  Result<void> put(const Digest& datum, const DatumRecord& record);
  Result<void> flush();
  /// Which of a job's datums have put nothing out; nullopt: not this one.
  Result<std::optional<MissRecord>> find_miss(const JobId& job, const Digest& datum) const;
  Result<void> put_miss(const JobId& job, const Digest& datum, const MissRecord& record);
  /// Forgets a job's, which begins anew or is forgotten itself.
  Result<void> erase_misses(const JobId& job);
  /// Forgets all of the pipeline's, under this salt.
  Result<void> erase_all();
  /// Forgets what is none of those pipelines': a job that ran while its salt changed has put out more under the old one.
  static Result<void> erase_others(store::LocalDb& local, const std::vector<PipelineRecord>& pipelines);

 private:
  std::string key(const Digest& datum) const { return prefix_ + std::string(datum.bytes()); }
  std::string misses_of(const JobId& job) const { return misses_prefix_ + std::string(job.bytes()); }
  Result<void> flush_in_time();

  store::LocalDb& local_;
  const Clock& clock_;
  std::string prefix_;         ///< 16 bytes
  std::string misses_prefix_;  ///< likewise
  store::LocalBatch pending_;
  std::chrono::steady_clock::time_point flushed_{};
};

}  // namespace pfs::trigger
