#include "api/client/pipelines.h"

#include "api/client/internal/states.h"
#include "api/client/internal/wire.h"
#include "api/wire/time.h"
#include "pfs/v1/pipeline.grpc.pb.h"

namespace pfs::client {
namespace {

std::string pipeline_word_of(v1::PipelineState state) {
  switch (state) {
    case v1::PIPELINE_STATE_STARTING: return "starting";
    case v1::PIPELINE_STATE_RUNNING: return "running";
    case v1::PIPELINE_STATE_FAILURE: return "failure";
    case v1::PIPELINE_STATE_STANDBY: return "standby";
    default: return "unknown";  // of a newer daemon
  }
}

Pipeline pipeline_of(const v1::PipelineInfo& info) {
  Pipeline pipeline;
  pipeline.name = info.name();
  pipeline.version = info.version();
  pipeline.spec_json = info.spec_json();
  pipeline.description = info.description();
  pipeline.input = info.input();
  pipeline.output_repo = info.output_repo();
  pipeline.output_branch = info.output_branch();
  pipeline.created = api::time_of(info.created());
  pipeline.state = pipeline_word_of(info.state());
  pipeline.reason = info.reason();
  pipeline.last_job = word_of(info.last_job());
  return pipeline;
}

}  // namespace

Result<std::vector<Pipeline>> Pipelines::create(const std::string& specs, bool update,
                                                bool reprocess) const {
  v1::CreatePipelinesRequest request;
  request.set_specs(specs);
  request.set_update(update);
  request.set_reprocess(reprocess);
  v1::CreatePipelinesResponse response;
  grpc::ClientContext context;
  const auto stub = v1::PipelineService::NewStub(connection_.wire().channel);
  PFS_TRY(outcome_of(stub->CreatePipelines(&context, request, &response), context, connection_));
  std::vector<Pipeline> pipelines;
  for (const auto& info : response.pipelines()) pipelines.push_back(pipeline_of(info));
  return pipelines;
}

Result<Pipeline> Pipelines::inspect(const RepoName& name) const {
  v1::InspectPipelineRequest request;
  request.set_name(name.str());
  v1::PipelineInfo response;
  grpc::ClientContext context;
  const auto stub = v1::PipelineService::NewStub(connection_.wire().channel);
  PFS_TRY(outcome_of(stub->InspectPipeline(&context, request, &response), context, connection_));
  return pipeline_of(response);
}

Result<std::vector<Pipeline>> Pipelines::list() const {
  std::vector<Pipeline> pipelines;
  grpc::ClientContext context;
  const auto stub = v1::PipelineService::NewStub(connection_.wire().channel);
  const auto reader = stub->ListPipelines(&context, v1::ListPipelinesRequest());
  PFS_TRY(read_all<v1::PipelineInfo>(*reader, context, connection_,
                                     [&pipelines](const v1::PipelineInfo& info) {
                                       pipelines.push_back(pipeline_of(info));
                                       return Result<void>();
                                     }));
  return pipelines;
}

Result<void> Pipelines::remove(const RepoName& name) const {
  v1::DeletePipelineRequest request;
  request.set_name(name.str());
  v1::DeletePipelineResponse response;
  grpc::ClientContext context;
  const auto stub = v1::PipelineService::NewStub(connection_.wire().channel);
  return outcome_of(stub->DeletePipeline(&context, request, &response), context, connection_);
}

}  // namespace pfs::client
