// What is asked of pipelines and jobs, without changing them.

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "trigger/internal/again.h"
#include "trigger/internal/pipeline_service.h"

namespace pfs::trigger {

Result<PipelineInfo> PipelineService::info(const PipelineRecord& record) const {
  PipelineInfo info;
  info.name = record.name;
  info.version = record.version;
  info.spec_json = record.spec_json;
  info.created = record.created;
  const auto spec = spec_of(record);
  if (spec) {
    info.description = spec->description;
    info.input = shorthand(spec->input);
    info.reads = spec->inputs();
    info.output = spec->output();
    info.workers_wanted = spec->pods.workers();
  } else {
    PFS_TRY_ASSIGN(const auto outputs, outputs_of(record.name));
    info.output.repo = record.name;
    if (!outputs.empty()) info.output = outputs.front();
  }
  if (const DriverPtr found = driver(record.name)) {
    PipelineDriver::Health health = found->health();
    info.state = health.state;
    info.reason = std::move(health.reason);
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

JobInfo PipelineService::info(const JobRecord& record) const {
  if (!record.ended()) {
    const DriverPtr found = driver(record.pipeline);
    const auto running = found ? found->running_job() : std::nullopt;
    // what only the driver knows yet; an end is not the job's before it is in the ledger
    if (running && running->id == record.id && !running->ended()) return running->info();
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
  std::vector<RepoName> names;
  if (pipeline) {
    PFS_TRY_ASSIGN(const auto found, ledger_.pipeline(*pipeline));
    if (!found) return no_such_pipeline(*pipeline);
    names.push_back(*pipeline);
  } else {
    PFS_TRY_ASSIGN(const auto records, ledger_.pipelines());
    for (const PipelineRecord& record : records) names.push_back(record.name);
  }
  std::vector<JobInfo> infos;
  if (!pipeline && limit == std::numeric_limits<std::size_t>::max()) {
    PFS_TRY_ASSIGN(const auto records, ledger_.all_jobs());
    infos.reserve(records.size());
    for (const JobRecord& record : records) infos.push_back(info(record));
  } else {
    for (const RepoName& name : names) {
      PFS_TRY_ASSIGN(const auto records, ledger_.jobs(name, limit));
      for (const JobRecord& record : records) infos.push_back(info(record));
    }
  }
  if (names.size() > 1) {
    std::stable_sort(infos.begin(), infos.end(), [](const auto& a, const auto& b) { return a.started > b.started; });
  }
  if (infos.size() > limit) infos.resize(limit);
  return infos;
}

Result<JobInfo> PipelineService::job(const JobId& id) const {
  PFS_TRY_ASSIGN(const auto found, ledger_.job(id));
  if (!found) return no_such_job(id);
  return info(found->record);
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
