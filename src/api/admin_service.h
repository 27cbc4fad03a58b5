#pragma once

#include <string>

#include "base/result.h"
#include "pfs/v1/admin.grpc.pb.h"
#include "store/store.h"
#include "trigger/pipelines.h"

namespace pfs::api {

/// The daemon itself, over the wire. Thread-safe.
class AdminService final : public v1::AdminService::Service {
 public:
  /// `pipelines` may be null.
  AdminService(store::Store& store, trigger::Pipelines* pipelines, std::string version)
      : store_(store), pipelines_(pipelines), version_(std::move(version)) {}

  grpc::Status GetVersion(grpc::ServerContext* context, const v1::GetVersionRequest* request,
                          v1::GetVersionResponse* response) override;
  grpc::Status GetStatus(grpc::ServerContext* context, const v1::GetStatusRequest* request,
                         v1::GetStatusResponse* response) override;
  grpc::Status ProbeContainers(grpc::ServerContext* context, const v1::ProbeContainersRequest* request,
                               v1::ProbeContainersResponse* response) override;

 private:
  Result<void> status(v1::GetStatusResponse& response);

  store::Store& store_;
  trigger::Pipelines* pipelines_;
  const std::string version_;
};

}  // namespace pfs::api
