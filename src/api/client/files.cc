#include "api/client/files.h"

#include "api/client/internal/wire.h"
#include "api/wire/time.h"
#include "pfs/v1/file.grpc.pb.h"

namespace pfs::client {
namespace {

FileInfo file_of(const v1::FileInfo& info) {
  FileInfo file;
  file.path = info.path();
  file.size = info.size();
  file.mode = info.mode();
  file.modified = api::time_of(info.modified());
  file.link_target = info.link_target();
  switch (info.kind()) {
    case v1::FILE_KIND_FILE: file.kind = FileKind::kFile; break;
    case v1::FILE_KIND_DIRECTORY: file.kind = FileKind::kDirectory; break;
    case v1::FILE_KIND_SYMLINK: file.kind = FileKind::kSymlink; break;
    default: file.kind = FileKind::kOther; break;  // a wire enumeration is open
  }
  return file;
}

v1::FileRef wire_ref(const CommitRef& ref, const RepoPath& path) {
  v1::FileRef out;
  out.set_repo(ref.repo.str());
  out.set_ref(ref.name());
  out.set_path(path.str());
  return out;
}

v1::FileRef wire_ref(const BranchRef& ref, const RepoPath& path) {
  v1::FileRef out;
  out.set_repo(ref.repo.str());
  out.set_ref(ref.branch.str());
  out.set_path(path.str());
  return out;
}

Result<void> get_into(const Connection& connection, const v1::GetFilesRequest& request,
                      FileSink& sink) {
  grpc::ClientContext context;
  const auto stub = v1::FileService::NewStub(connection.wire().channel);
  const auto reader = stub->GetFiles(&context, request);
  return read_all<v1::GetFilesResponse>(
      *reader, context, connection, [&sink](const v1::GetFilesResponse& message) -> Result<void> {
        if (message.has_file()) PFS_TRY(sink.begin(file_of(message.file())));
        if (message.data().empty()) return {};
        return sink.data(message.data());
      });
}

}  // namespace

Result<FileInfo> Files::inspect(const CommitRef& ref, const RepoPath& path) const {
  v1::InspectFileRequest request;
  *request.mutable_file() = wire_ref(ref, path);
  v1::FileInfo response;
  grpc::ClientContext context;
  const auto stub = v1::FileService::NewStub(connection_.wire().channel);
  PFS_TRY(outcome_of(stub->InspectFile(&context, request, &response), context, connection_));
  return file_of(response);
}

Result<void> Files::list(const CommitRef& ref, const RepoPath& path,
                         const std::function<Result<void>(const FileInfo&)>& visit) const {
  v1::ListFilesRequest request;
  *request.mutable_directory() = wire_ref(ref, path);
  grpc::ClientContext context;
  const auto stub = v1::FileService::NewStub(connection_.wire().channel);
  const auto reader = stub->ListFiles(&context, request);
  return read_all<v1::FileInfo>(*reader, context, connection_, [&visit](const v1::FileInfo& info) {
    return visit(file_of(info));
  });
}

Result<void> Files::get(const CommitRef& ref, const RepoPath& path, std::uint64_t offset,
                        FileSink& sink) const {
  v1::GetFilesRequest request;
  *request.mutable_file() = wire_ref(ref, path);
  request.set_offset(offset);
  return get_into(connection_, request, sink);
}

Result<void> Files::get_all(const CommitRef& ref, const RepoPath& path, FileSink& sink) const {
  v1::GetFilesRequest request;
  *request.mutable_file() = wire_ref(ref, path);
  request.set_recursive(true);
  return get_into(connection_, request, sink);
}

Result<std::string> Files::copy(const CommitRef& source, const RepoPath& source_path,
                                const BranchRef& target, const RepoPath& target_path) const {
  v1::CopyFileRequest request;
  *request.mutable_source() = wire_ref(source, source_path);
  *request.mutable_target() = wire_ref(target, target_path);
  v1::CopyFileResponse response;
  grpc::ClientContext context;
  const auto stub = v1::FileService::NewStub(connection_.wire().channel);
  PFS_TRY(outcome_of(stub->CopyFile(&context, request, &response), context, connection_));
  return response.commit();
}

Result<std::string> Files::remove(const BranchRef& ref, const RepoPath& path) const {
  v1::DeleteFileRequest request;
  *request.mutable_file() = wire_ref(ref, path);
  v1::DeleteFileResponse response;
  grpc::ClientContext context;
  const auto stub = v1::FileService::NewStub(connection_.wire().channel);
  PFS_TRY(outcome_of(stub->DeleteFile(&context, request, &response), context, connection_));
  return response.commit();
}

}  // namespace pfs::client
