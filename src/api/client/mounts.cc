#include "api/client/mounts.h"

#include "api/client/internal/wire.h"
#include "pfs/v1/mount.grpc.pb.h"

namespace pfs::client {

Result<void> Mounts::add(const std::optional<CommitRef>& ref, const RepoPath& path, const std::string& directory,
                         const std::vector<std::string>& options) const {
  v1::MountPartRequest request;
  if (ref) {
    request.mutable_part()->set_repo(ref->repo.str());
    request.mutable_part()->set_ref(ref->name());
    request.mutable_part()->set_path(path.str());
  }
  request.set_directory(directory);
  for (const auto& option : options) request.add_options(option);
  v1::MountPartResponse response;
  grpc::ClientContext context;
  const auto stub = v1::MountService::NewStub(connection_.wire().channel);
  return outcome_of(stub->MountPart(&context, request, &response), context, connection_);
}

Result<void> Mounts::remove(const std::string& directory) const {
  v1::UnmountPartRequest request;
  request.set_directory(directory);
  v1::UnmountPartResponse response;
  grpc::ClientContext context;
  const auto stub = v1::MountService::NewStub(connection_.wire().channel);
  return outcome_of(stub->UnmountPart(&context, request, &response), context, connection_);
}

Result<std::vector<MountedPart>> Mounts::list() const {
  std::vector<MountedPart> parts;
  grpc::ClientContext context;
  const auto stub = v1::MountService::NewStub(connection_.wire().channel);
  const auto reader = stub->ListParts(&context, v1::ListPartsRequest());
  PFS_TRY(read_all<v1::PartInfo>(*reader, context, connection_, [&parts](const v1::PartInfo& info) {
    std::string part;
    if (info.has_part()) {
      part = info.part().repo() + "@" + info.part().ref();
      if (info.part().path() != "/") part += ":" + info.part().path();
    }
    parts.push_back({part, info.directory()});
    return Result<void>();
  }));
  return parts;
}

}  // namespace pfs::client
