#pragma once

#include "base/result.h"
#include "pfs/v1/datum.grpc.pb.h"
#include "trigger/pipelines.h"

namespace pfs::api {

/// The datums of jobs, over the wire. Thread-safe.
class DatumService final : public v1::DatumService::Service {
 public:
  /// nullptr: this daemon runs no jobs, which every call says (kUnavailable).
  explicit DatumService(const trigger::Pipelines* pipelines) : pipelines_(pipelines) {}

  grpc::Status ListDatums(grpc::ServerContext* context, const v1::ListDatumsRequest* request,
                          grpc::ServerWriter<v1::DatumInfo>* writer) override;
  grpc::Status InspectDatum(grpc::ServerContext* context, const v1::InspectDatumRequest* request,
                            v1::DatumInfo* response) override;

 private:
  Result<void> list(const v1::ListDatumsRequest& request, grpc::ServerWriter<v1::DatumInfo>& writer) const;
  Result<void> inspect(const v1::InspectDatumRequest& request, v1::DatumInfo& info) const;

  const trigger::Pipelines* pipelines_;
};

}  // namespace pfs::api
