#pragma once

#include "api/internal/callers.h"
#include "base/result.h"
#include "pfs/v1/pipeline.grpc.pb.h"
#include "trigger/pipelines.h"

namespace pfs::api {

/// Pipelines, over the wire. Thread-safe.
class PipelineService final : public v1::PipelineService::Service {
 public:
  /// nullptr: this daemon runs none, which every call says (kUnavailable).
  PipelineService(trigger::Pipelines* pipelines, const Callers& callers)
      : pipelines_(pipelines), callers_(callers) {}

  grpc::Status CreatePipelines(grpc::ServerContext* context,
                               const v1::CreatePipelinesRequest* request,
                               v1::CreatePipelinesResponse* response) override;
  grpc::Status InspectPipeline(grpc::ServerContext* context,
                               const v1::InspectPipelineRequest* request,
                               v1::PipelineInfo* response) override;
  grpc::Status ListPipelines(grpc::ServerContext* context, const v1::ListPipelinesRequest* request,
                             grpc::ServerWriter<v1::PipelineInfo>* writer) override;
  grpc::Status DeletePipeline(grpc::ServerContext* context,
                              const v1::DeletePipelineRequest* request,
                              v1::DeletePipelineResponse* response) override;
  grpc::Status StopPipeline(grpc::ServerContext* context, const v1::StopPipelineRequest* request,
                            v1::StopPipelineResponse* response) override;
  grpc::Status StartPipeline(grpc::ServerContext* context, const v1::StartPipelineRequest* request,
                             v1::StartPipelineResponse* response) override;
  grpc::Status RunPipeline(grpc::ServerContext* context, const v1::RunPipelineRequest* request,
                           v1::RunPipelineResponse* response) override;

 private:
  Result<void> create(const grpc::ServerContext& context,
                      const v1::CreatePipelinesRequest& request, v1::CreatePipelinesResponse& response);
  Result<void> inspect(const v1::InspectPipelineRequest& request, v1::PipelineInfo& info);
  Result<void> list(const v1::ListPipelinesRequest& request, grpc::ServerWriter<v1::PipelineInfo>& writer);
  Result<void> remove(const grpc::ServerContext& context,
                      const v1::DeletePipelineRequest& request);
  Result<void> set_stopped(const grpc::ServerContext& context, const std::string& name,
                           bool stopped);
  Result<void> run(const grpc::ServerContext& context, const v1::RunPipelineRequest& request,
                   v1::RunPipelineResponse& response);

  trigger::Pipelines* pipelines_;
  const Callers& callers_;
};

}  // namespace pfs::api
