// What is done to jobs by hand.

#include <fmt/format.h>

#include "trigger/internal/again.h"
#include "trigger/internal/datum_table.h"
#include "trigger/internal/pipeline_service.h"

namespace pfs::trigger {

Result<bool> PipelineService::kill_job(const JobId& id, const std::string& reason) {
  Result<void> put;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    PFS_TRY_ASSIGN(auto found, ledger_.job(id));
    if (!found) return no_such_job(id);
    if (found->record.ended()) return false;
    const DriverPtr driver = this->driver(found->record.pipeline);
    // what it has done so far, as its driver knows
    if (const auto running = driver ? driver->running_job() : std::nullopt; running && running->id == id) {
      JobRecord now = *running;
      now.state = found->record.state;
      now.output_commit.reset();
      found->record = std::move(now);
    }
    found->record.state = JobState::kKilled;
    found->record.reason = reason;
    found->record.finished = clock_.now();
    // begun before the job has ended: who follows it waits for what is written
    const auto log = logs_.job(found->record.pipeline, id);
    put = ledger_.put_job(*found);
    if (!put && put.error().code == Code::kConflict) continue;
    PFS_TRY(put);
    if (log) (*log)->system({}, "the job was killed: " + reason);
    if (driver) {
      driver->leave(id);
      driver->wake();
    }
    house_.ended(found->record.pipeline);
    return true;
  }
  return std::move(put).error();
}

Result<void> PipelineService::stop_job(const JobId& id) {
  PFS_TRY_ASSIGN(const bool killed, kill_job(id, "stopped by a user"));
  if (killed) return {};
  return Error{Code::kInvalid, fmt::format("job {}: it has ended already", id.hex())};
}

Result<void> PipelineService::delete_job(const JobId& id) {
  PFS_TRY(kill_job(id, "deleted by a user"));
  Result<void> erased;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    PFS_TRY_ASSIGN(const auto found, ledger_.job(id));
    if (!found) return {};  // somebody else has deleted it
    erased = ledger_.erase_job(*found);
    if (!erased && erased.error().code == Code::kConflict) continue;
    PFS_TRY(erased);
    logs_.remove(found->record.pipeline, id);
    if (const auto pipeline = ledger_.pipeline(found->record.pipeline); pipeline && *pipeline) {
      const PipelineRecord& record = (*pipeline)->record;
      PFS_TRY(DatumTable(store_.local(), clock_, record.name, record.salt).erase_misses(id));
    }
    house_.ended(found->record.pipeline);
    return {};
  }
  return erased;
}

Result<std::size_t> PipelineService::restart_datums(const JobId& id, const std::vector<std::string>& filter) {
  PFS_TRY_ASSIGN(const auto found, ledger_.job(id));
  if (!found) return no_such_job(id);
  const DriverPtr driver = this->driver(found->record.pipeline);
  const auto running = driver ? driver->running_job() : std::nullopt;
  const std::size_t restarted = running && running->id == id ? driver->workers().restart(filter) : 0;
  if (restarted > 0) return restarted;
  std::string named;
  for (const std::string& one : filter) named += (named.empty() ? "" : ",") + printable(one);
  return Error{Code::kNotFound,
               fmt::format("job {}: no datum {} is being processed now; `pfs inspect job {}` shows which are", id.hex(), named, id.hex())};
}

Result<std::vector<WorkerInfo>> PipelineService::workers(const RepoName& pipeline) const {
  PFS_TRY_ASSIGN(const auto found, ledger_.pipeline(pipeline));
  if (!found) return Error{Code::kNotFound, fmt::format("pipeline {}: no such pipeline", pipeline.str())};
  const DriverPtr driver = this->driver(pipeline);
  return driver ? driver->workers().workers() : std::vector<WorkerInfo>();
}

}  // namespace pfs::trigger
