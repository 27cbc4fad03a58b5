#include "trigger/pipelines.h"

#include "trigger/internal/pipeline_service.h"
#include "trigger/podman_runner.h"

namespace pfs::trigger {

std::string_view name_of(PipelineState state) {
  switch (state) {
    case PipelineState::kStarting: return "starting";
    case PipelineState::kRunning: return "running";
    case PipelineState::kFailure: return "failure";
    case PipelineState::kStandby: return "standby";
    case PipelineState::kPaused: return "paused";
  }
  return "unknown";
}

std::string_view name_of(JobState state) {
  switch (state) {
    case JobState::kStarting: return "starting";
    case JobState::kRunning: return "running";
    case JobState::kMerging: return "merging";
    case JobState::kSuccess: return "success";
    case JobState::kFailure: return "failure";
    case JobState::kKilled: return "killed";
  }
  return "unknown";
}

ProcessStats& ProcessStats::operator+=(const ProcessStats& more) {
  downloaded_bytes += more.downloaded_bytes;
  uploaded_bytes += more.uploaded_bytes;
  download_time += more.download_time;
  process_time += more.process_time;
  upload_time += more.upload_time;
  return *this;
}

Result<PipelineInfo> Pipelines::create(const std::string& spec_json, bool update, bool reprocess) {
  const SpecText spec{"", spec_json};
  PFS_TRY_ASSIGN(const auto plans, apply({&spec, 1}, {update, reprocess}));
  return get(plans.front().name);
}

Result<std::unique_ptr<Pipelines>> Pipelines::open(const PipelinesOptions& options) {
  PFS_TRY_ASSIGN(ContainerEngine engine, ContainerEngine::parse(options.container_engine));
  auto runner = std::make_unique<PodmanRunner>(
      PodmanRunner::Options{options.worker_path, options.state_path, std::move(engine)});
  auto service = std::make_unique<PipelineService>(options, std::move(runner));
  PFS_TRY(service->make_directories());
  return std::unique_ptr<Pipelines>(std::move(service));
}

}  // namespace pfs::trigger
