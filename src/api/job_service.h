#pragma once

#include "base/result.h"
#include "pfs/v1/job.grpc.pb.h"
#include "trigger/pipelines.h"

namespace pfs::api {

/// Jobs and what they wrote, over the wire. Thread-safe.
class JobService final : public v1::JobService::Service {
 public:
  /// nullptr: this daemon runs none, which every call says (kUnavailable).
  explicit JobService(trigger::Pipelines* pipelines) : pipelines_(pipelines) {}

  grpc::Status InspectJob(grpc::ServerContext* context, const v1::InspectJobRequest* request,
                          v1::JobInfo* response) override;
  grpc::Status ListJobs(grpc::ServerContext* context, const v1::ListJobsRequest* request,
                        grpc::ServerWriter<v1::ListJobsResponse>* writer) override;
  grpc::Status StopJob(grpc::ServerContext* context, const v1::StopJobRequest* request,
                       v1::StopJobResponse* response) override;
  grpc::Status DeleteJob(grpc::ServerContext* context, const v1::DeleteJobRequest* request,
                         v1::DeleteJobResponse* response) override;
  grpc::Status RestartDatums(grpc::ServerContext* context, const v1::RestartDatumsRequest* request,
                             v1::RestartDatumsResponse* response) override;
  grpc::Status DebugDatum(grpc::ServerContext* context, const v1::DebugDatumRequest* request,
                          grpc::ServerWriter<v1::DebugDatumResponse>* writer) override;
  grpc::Status GetLogs(grpc::ServerContext* context, const v1::GetLogsRequest* request,
                       grpc::ServerWriter<v1::LogLine>* writer) override;

 private:
  Result<void> inspect(const grpc::ServerContext& context, const v1::InspectJobRequest& request,
                       v1::JobInfo& info);
  Result<void> list(const v1::ListJobsRequest& request, grpc::ServerWriter<v1::ListJobsResponse>& writer);
  Result<void> stop(const v1::StopJobRequest& request);
  Result<void> remove(const v1::DeleteJobRequest& request);
  Result<void> restart(const v1::RestartDatumsRequest& request,
                       v1::RestartDatumsResponse& response);
  Result<void> debug(const grpc::ServerContext& context, const v1::DebugDatumRequest& request,
                     grpc::ServerWriter<v1::DebugDatumResponse>& writer);
  Result<void> logs(const grpc::ServerContext& context, const v1::GetLogsRequest& request,
                    grpc::ServerWriter<v1::LogLine>& writer);
  /// A checked filter, whose pipeline and job exist.
  Result<trigger::LogFilter> filter_of(const v1::GetLogsRequest& request) const;

  trigger::Pipelines* pipelines_;
};

}  // namespace pfs::api
