#pragma once

#include "base/result.h"
#include "pfs/v1/job.grpc.pb.h"
#include "trigger/pipelines.h"

namespace pfs::api {

/// Jobs and what they wrote, over the wire. Thread-safe.
class JobService final : public v1::JobService::Service {
 public:
  /// nullptr: this daemon runs none, which every call says (kUnavailable).
  explicit JobService(const trigger::Pipelines* pipelines) : pipelines_(pipelines) {}

  grpc::Status InspectJob(grpc::ServerContext* context, const v1::InspectJobRequest* request,
                          v1::JobInfo* response) override;
  grpc::Status ListJobs(grpc::ServerContext* context, const v1::ListJobsRequest* request,
                        grpc::ServerWriter<v1::JobInfo>* writer) override;
  grpc::Status GetLogs(grpc::ServerContext* context, const v1::GetLogsRequest* request,
                       grpc::ServerWriter<v1::LogLine>* writer) override;

 private:
  Result<void> inspect(const grpc::ServerContext& context, const v1::InspectJobRequest& request,
                       v1::JobInfo& info);
  Result<void> list(const v1::ListJobsRequest& request, grpc::ServerWriter<v1::JobInfo>& writer);
  Result<void> logs(const grpc::ServerContext& context, const v1::GetLogsRequest& request,
                    grpc::ServerWriter<v1::LogLine>& writer);
  /// A checked filter, whose pipeline and job exist.
  Result<trigger::LogFilter> filter_of(const v1::GetLogsRequest& request) const;

  const trigger::Pipelines* pipelines_;
};

}  // namespace pfs::api
