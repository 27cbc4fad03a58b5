#pragma once

#include "api/internal/callers.h"
#include "api/part_mounter.h"
#include "pfs/v1/mount.grpc.pb.h"

namespace pfs::api {

/// Mounts of parts, over the wire. Thread-safe.
class MountService final : public v1::MountService::Service {
 public:
  /// `mounter` may be null.
  MountService(PartMounter* mounter, const Callers& callers) : mounter_(mounter), callers_(callers) {}

  grpc::Status MountPart(grpc::ServerContext* context, const v1::MountPartRequest* request,
                         v1::MountPartResponse* response) override;
  grpc::Status UnmountPart(grpc::ServerContext* context, const v1::UnmountPartRequest* request,
                           v1::UnmountPartResponse* response) override;
  grpc::Status ListParts(grpc::ServerContext* context, const v1::ListPartsRequest* request,
                         grpc::ServerWriter<v1::PartInfo>* writer) override;

 private:
  /// Errors: kUnavailable, kDenied (a caller whose paths are not ours).
  Result<void> check_caller(const grpc::ServerContext& context) const;
  Result<void> mount(const grpc::ServerContext& context, const v1::MountPartRequest& request);
  Result<void> unmount(const grpc::ServerContext& context, const std::string& directory);
  Result<void> list(grpc::ServerWriter<v1::PartInfo>& writer) const;

  PartMounter* mounter_;
  const Callers& callers_;
};

}  // namespace pfs::api
