#include "api/mount_service.h"

#include <sys/stat.h>
#include <unistd.h>

#include <vector>

#include <fmt/format.h>

#include "api/internal/answer.h"
#include "api/internal/refs.h"
#include "api/internal/transactions.h"

namespace pfs::api {
namespace {

/// Whether a process sees the same mounts as we do: the root of a container does not, and would have things mounted on the host.
/// Errors: kDenied.
Result<void> check_mount_namespace(pid_t pid) {
  struct stat ours {};
  struct stat its {};
  if (::stat("/proc/self/ns/mnt", &ours) != 0 || ::stat(fmt::format("/proc/{}/ns/mnt", pid).c_str(), &its) != 0)
    return Error{Code::kDenied, fmt::format("pfsd (of user {}) may not see which mounts process {} has; ask as that user", ::geteuid(), pid)};
  if (ours.st_dev == its.st_dev && ours.st_ino == its.st_ino) return {};
  return Error{Code::kDenied, fmt::format("process {} is in another mount namespace than pfsd (a container?), and its paths are others", pid)};
}

Error no_mounter() { return Error{Code::kUnavailable, "this daemon mounts no parts"}; }

Result<std::string> checked_directory(const std::string& directory) {
  if (!directory.starts_with('/') || directory.find('\0') != directory.npos)
    return Error{Code::kInvalid, fmt::format("{}: to mount on is a directory from / on", printable(directory))};
  return directory;
}

}  // namespace

grpc::Status MountService::MountPart(grpc::ServerContext* context, const v1::MountPartRequest* request,
                                     v1::MountPartResponse*) {
  return answer(*context, mount(*context, *request));
}

grpc::Status MountService::UnmountPart(grpc::ServerContext* context, const v1::UnmountPartRequest* request,
                                       v1::UnmountPartResponse*) {
  return answer(*context, unmount(*context, request->directory()));
}

grpc::Status MountService::ListParts(grpc::ServerContext* context, const v1::ListPartsRequest*,
                                     grpc::ServerWriter<v1::PartInfo>* writer) {
  return answer(*context, list(*writer));
}

Result<void> MountService::check_caller(const grpc::ServerContext& context) const {
  if (mounter_ == nullptr) return no_mounter();
  PFS_TRY(Transactions::refuse_part(context, "mounts"));
  PFS_TRY_ASSIGN(const auto caller, callers_.of(context));
  if (caller.pid == 0) return Error{Code::kDenied, "mounts are made by a call on pfsd's socket, on its machine"};
  return check_mount_namespace(caller.pid);
}

Result<void> MountService::mount(const grpc::ServerContext& context, const v1::MountPartRequest& request) {
  PFS_TRY(check_caller(context));
  Part part;
  PFS_TRY_ASSIGN(part.directory, checked_directory(request.directory()));
  if (request.has_part()) {
    PFS_TRY_ASSIGN(auto ref, file_ref(request.part()));
    part.ref = std::move(ref.commit);
    part.path = std::move(ref.path);
  }
  return mounter_->mount(part, {request.options().begin(), request.options().end()});
}

Result<void> MountService::unmount(const grpc::ServerContext& context, const std::string& directory) {
  PFS_TRY(check_caller(context));
  PFS_TRY_ASSIGN(const auto checked, checked_directory(directory));
  return mounter_->unmount(checked);
}

Result<void> MountService::list(grpc::ServerWriter<v1::PartInfo>& writer) const {
  if (mounter_ == nullptr) return no_mounter();
  for (const auto& part : mounter_->parts()) {
    v1::PartInfo info;
    if (part.ref) {
      info.mutable_part()->set_repo(part.ref->repo.str());
      info.mutable_part()->set_ref(part.ref->name());
      info.mutable_part()->set_path(part.path.str());
    }
    info.set_directory(part.directory);
    if (!writer.Write(info)) break;  // the client has hung up
  }
  return {};
}

}  // namespace pfs::api
