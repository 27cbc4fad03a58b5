// What is asked of pipelines and jobs, without changing them.

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "trigger/internal/again.h"
#include "trigger/internal/pipeline_service.h"

namespace pfs::trigger {

namespace {

/// Newest first; jobs of one moment, those that one change has caused, by their pipelines.
bool is_listed_before(const JobRecord& a, const JobRecord& b) {
  if (a.created != b.created) return a.created > b.created;
  if (a.pipeline != b.pipeline) return a.pipeline < b.pipeline;
  return std::pair(a.caused_by_version, a.number) > std::pair(b.caused_by_version, b.number);
}

void tell(const PipelineSpec& spec, PipelineInfo& info) {
  info.description = spec.description;
  info.input = shorthand(spec.input);
  info.reads = spec.inputs();
  info.output = spec.output();
  info.workers_wanted = spec.pods.workers();
}

}  // namespace

Result<PipelineInfo> PipelineService::info(const PipelineRecord& record) const {
  PipelineInfo info;
  info.name = record.name;
  info.version = record.version;
  info.spec_json = record.spec_json;
  info.created = record.created;
  const auto spec = spec_of(record);
  if (spec) {
    tell(*spec, info);
  } else {
    PFS_TRY_ASSIGN(const auto outputs, outputs_of(record.name));
    info.output.repo = record.name;
    if (!outputs.empty()) info.output = outputs.front();
  }
  if (const DriverPtr found = driver(record.name)) {
    PipelineDriver::Health health = found->health();
    info.state = health.state;
    info.reason = std::move(health.reason);
    if (info.reason.empty()) info.reason = found->workers().preparing();
    const auto workers = found->workers().workers();
    info.workers_available = static_cast<std::uint64_t>(
        std::count_if(workers.begin(), workers.end(), [](const WorkerInfo& worker) { return worker.runs; }));
  }
  info.stopped = record.stopped;
  if (record.stopped) {
    info.state = PipelineState::kPaused;
    info.reason.clear();
  }
  if (!spec) {
    info.state = PipelineState::kFailure;
    info.reason = spec.error().message;
  }
  PFS_TRY_ASSIGN(const auto newest, ledger_.jobs(record.name, 1));
  if (!newest.empty()) info.last_job = this->info(newest.front()).state;
  return info;
}

Result<std::vector<PipelineInfo>> PipelineService::earlier_versions(const RepoName& name, std::size_t limit) const {
  PFS_TRY_ASSIGN(const auto found, ledger_.pipeline(name));
  if (!found) return no_such_pipeline(name);
  PFS_TRY_ASSIGN(const auto versions, ledger_.versions_before(name, found->record.version, limit));
  std::vector<PipelineInfo> infos;
  for (const VersionRecord& version : versions) {
    PipelineInfo info;
    info.name = name;
    info.version = version.version;
    info.spec_json = version.spec_json;
    info.created = version.made;
    info.state.reset();
    if (const auto spec = parse_spec(version.spec_json)) {
      tell(*spec, info);
    } else {
      info.reason = spec.error().message;
    }
    PFS_TRY_ASSIGN(const auto newest, ledger_.newest_of_version(name, version.version));
    if (newest) info.last_job = this->info(*newest).state;
    infos.push_back(std::move(info));
  }
  return infos;
}

JobInfo PipelineService::info(const JobRecord& record) const {
  if (!record.ended()) {
    const DriverPtr found = driver(record.pipeline);
    const auto running = found ? found->running_job() : std::nullopt;
    // what only the driver knows yet; an end is not the job's before it is in the ledger
    if (running && running->id == record.id && !running->ended()) return running->info();
    if (found && found->health().state == PipelineState::kPaused) {
      JobInfo waiting = record.info();
      waiting.reason = "waiting: its pipeline is stopped";
      return waiting;
    }
  }
  return record.info();
}

Result<std::vector<PipelineInfo>> PipelineService::list() const {
  PFS_TRY_ASSIGN(const std::vector<PipelineRecord> records, ledger_.pipelines());
  std::vector<PipelineInfo> infos;
  for (const PipelineRecord& record : records) {
    PFS_TRY_ASSIGN(PipelineInfo one, info(record));
    infos.push_back(std::move(one));
  }
  return infos;
}

Result<PipelineInfo> PipelineService::get(const RepoName& name) const {
  PFS_TRY_ASSIGN(const auto found, ledger_.pipeline(name));
  if (!found) return no_such_pipeline(name);
  PFS_TRY_ASSIGN(PipelineInfo one, info(found->record));
  PFS_TRY_ASSIGN(const auto jobs, ledger_.jobs(name, SIZE_MAX));
  for (const JobRecord& job : jobs) ++one.job_counts[info(job).state];
  return one;
}

Result<std::vector<JobInfo>> PipelineService::jobs(const std::optional<RepoName>& pipeline, std::size_t limit) const {
  std::vector<JobRecord> records;
  if (pipeline) {
    PFS_TRY_ASSIGN(const auto found, ledger_.pipeline(*pipeline));
    if (!found) return no_such_pipeline(*pipeline);
    PFS_TRY_ASSIGN(records, ledger_.jobs(*pipeline, limit));
  } else if (limit == std::numeric_limits<std::size_t>::max()) {
    PFS_TRY_ASSIGN(records, ledger_.all_jobs());
  } else {
    PFS_TRY_ASSIGN(const auto pipelines, ledger_.pipelines());
    for (const PipelineRecord& one : pipelines) {
      PFS_TRY_ASSIGN(auto some, ledger_.jobs(one.name, limit));
      std::move(some.begin(), some.end(), std::back_inserter(records));
    }
  }
  std::vector<const JobRecord*> order;  // there may be many, and they are large
  order.reserve(records.size());
  for (const JobRecord& record : records) order.push_back(&record);
  if (!pipeline) {
    // those of one pipeline are in their order already, which a clock that was put back does not change
    std::sort(order.begin(), order.end(), [](const JobRecord* a, const JobRecord* b) { return is_listed_before(*a, *b); });
  }
  if (order.size() > limit) order.resize(limit);
  std::vector<JobInfo> infos;
  infos.reserve(order.size());
  for (const JobRecord* record : order) infos.push_back(info(*record));
  return infos;
}

Result<JobInfo> PipelineService::job(const JobId& id) const {
  PFS_TRY_ASSIGN(const auto found, ledger_.job(id));
  if (!found) return no_such_job(id);
  JobInfo job = info(found->record);
  PFS_TRY_ASSIGN(const auto version, ledger_.version(job.pipeline, job.pipeline_version));
  if (version) job.spec_json = version->spec_json;
  PFS_TRY_ASSIGN(const auto parent, ledger_.parent(found->record));
  if (parent) job.parent = parent->id;
  return job;
}

Result<JobInfo> PipelineService::wait(const JobId& id, const std::function<bool()>& keep_waiting) const {
  while (true) {
    PFS_TRY_ASSIGN(const auto found, ledger_.job(id));
    if (!found) return no_such_job(id);
    if (found->record.ended()) return found->record.info();
    if (!keep_waiting()) return Error{Code::kCancelled, fmt::format("job {}: it goes on without us", id.hex())};
    // an end between the look and the wait costs one turn
    Lock lock(mutex_);
    changed_.wait_for(mutex_, kAskEvery);
  }
}

}  // namespace pfs::trigger
