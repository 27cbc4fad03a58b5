#include "api/pipeline_service.h"

#include <fmt/format.h>

#include "api/internal/answer.h"
#include "api/internal/jobs.h"
#include "api/internal/spec_stream.h"
#include "api/wire/time.h"

namespace pfs::api {
namespace {

v1::PipelineState wire_pipeline_state(trigger::PipelineState state) {
  switch (state) {
    case trigger::PipelineState::kStarting: return v1::PIPELINE_STATE_STARTING;
    case trigger::PipelineState::kRunning: return v1::PIPELINE_STATE_RUNNING;
    case trigger::PipelineState::kFailure: return v1::PIPELINE_STATE_FAILURE;
    case trigger::PipelineState::kStandby: return v1::PIPELINE_STATE_STANDBY;
  }
  return v1::PIPELINE_STATE_UNSPECIFIED;
}

v1::PipelineInfo info_of(const trigger::PipelineInfo& pipeline) {
  v1::PipelineInfo info;
  info.set_name(pipeline.name.str());
  info.set_version(pipeline.version);
  info.set_spec_json(pipeline.spec_json);
  info.set_description(pipeline.description);
  info.set_input(pipeline.input);
  info.set_output_repo(pipeline.output.repo.str());
  info.set_output_branch(pipeline.output.branch.str());
  set_time(info.mutable_created(), pipeline.created);
  info.set_state(wire_pipeline_state(pipeline.state));
  info.set_reason(pipeline.reason);
  if (pipeline.last_job) info.set_last_job(wire_state(*pipeline.last_job));
  return info;
}

}  // namespace

grpc::Status PipelineService::CreatePipelines(grpc::ServerContext* context,
                                              const v1::CreatePipelinesRequest* request,
                                              v1::CreatePipelinesResponse* response) {
  return answer(*context, create(*context, *request, *response));
}

grpc::Status PipelineService::InspectPipeline(grpc::ServerContext* context,
                                              const v1::InspectPipelineRequest* request,
                                              v1::PipelineInfo* response) {
  return answer(*context, inspect(*request, *response));
}

grpc::Status PipelineService::ListPipelines(grpc::ServerContext* context,
                                            const v1::ListPipelinesRequest*,
                                            grpc::ServerWriter<v1::PipelineInfo>* writer) {
  return answer(*context, list(*writer));
}

grpc::Status PipelineService::DeletePipeline(grpc::ServerContext* context,
                                             const v1::DeletePipelineRequest* request,
                                             v1::DeletePipelineResponse*) {
  return answer(*context, remove(*request));
}

Result<void> PipelineService::create(const grpc::ServerContext& context,
                                     const v1::CreatePipelinesRequest& request,
                                     v1::CreatePipelinesResponse& response) {
  PFS_TRY(require(pipelines_));
  PFS_TRY_ASSIGN(const auto caller, callers_.of(context));
  const store::DirectoryOwner owner{caller.uid, caller.gid};  // docs/semantics.md S51
  PFS_TRY_ASSIGN(const auto specs, split_specs(request.specs()));
  for (std::size_t i = 0; i < specs.size(); ++i) {
    auto made = pipelines_->create(specs[i], request.update(), request.reprocess(), owner);
    if (!made && specs.size() > 1) {
      return std::move(made).error().within(
          fmt::format("spec {} of {} (those before it were accepted)", i + 1, specs.size()));
    }
    if (!made) return std::move(made).error();
    *response.add_pipelines() = info_of(*made);
  }
  return {};
}

Result<void> PipelineService::inspect(const v1::InspectPipelineRequest& request,
                                      v1::PipelineInfo& info) {
  PFS_TRY(require(pipelines_));
  PFS_TRY_ASSIGN(const auto name, RepoName::parse(request.name()));
  PFS_TRY_ASSIGN(const auto pipeline, pipelines_->get(name));
  info = info_of(pipeline);
  return {};
}

Result<void> PipelineService::list(grpc::ServerWriter<v1::PipelineInfo>& writer) {
  PFS_TRY(require(pipelines_));
  PFS_TRY_ASSIGN(const auto pipelines, pipelines_->list());
  for (const auto& pipeline : pipelines) {
    if (!writer.Write(info_of(pipeline))) break;
  }
  return {};
}

Result<void> PipelineService::remove(const v1::DeletePipelineRequest& request) {
  PFS_TRY(require(pipelines_));
  PFS_TRY_ASSIGN(const auto name, RepoName::parse(request.name()));
  return pipelines_->remove(name);
}

}  // namespace pfs::api
