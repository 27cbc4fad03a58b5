#include "api/client/files.h"

#include <fmt/format.h>

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
  file.sha256 = info.sha256();
  file.children = info.children();
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

Result<void> check_whole(const std::string& name, std::uint64_t missing) {
  if (missing == 0) return {};
  return Error{Code::kConflict,
               fmt::format("{}: has been made shorter while it was read, the last {} bytes are "
                           "missing; get it again, or from a commit",
                           printable(name), missing)};
}

Result<FileInfo> Files::inspect(const CommitRef& ref, const RepoPath& path) const {
  v1::InspectFileRequest request;
  *request.mutable_file() = wire_ref(ref, path);
  v1::FileInfo response;
  grpc::ClientContext context;
  const auto stub = v1::FileService::NewStub(connection_.wire().channel);
  PFS_TRY(outcome_of(stub->InspectFile(&context, request, &response), context, connection_));
  return file_of(response);
}

Result<void> Files::list(const CommitRef& ref, const RepoPath& path, ListDepth depth,
                         const FileVisit& visit) const {
  v1::ListFilesRequest request;
  *request.mutable_directory() = wire_ref(ref, path);
  request.set_recursive(depth != ListDepth::kNames);
  request.set_checksum(depth == ListDepth::kAllWithChecksums);
  grpc::ClientContext context;
  const auto stub = v1::FileService::NewStub(connection_.wire().channel);
  const auto reader = stub->ListFiles(&context, request);
  return read_all<v1::FileInfo>(*reader, context, connection_, [&visit](const v1::FileInfo& info) {
    return visit(file_of(info));
  });
}

Result<void> Files::glob(const CommitRef& ref, const std::string& pattern,
                         const FileVisit& visit) const {
  v1::GlobFilesRequest request;
  request.set_repo(ref.repo.str());
  request.set_ref(ref.name());
  request.set_pattern(pattern);
  grpc::ClientContext context;
  const auto stub = v1::FileService::NewStub(connection_.wire().channel);
  const auto reader = stub->GlobFiles(&context, request);
  return read_all<v1::FileInfo>(*reader, context, connection_, [&visit](const v1::FileInfo& info) {
    return visit(file_of(info));
  });
}

Result<void> Files::diff(const Place& new_place, const std::optional<Place>& old_place,
                         bool shallow,
                         const std::function<Result<void>(const FileDifference&)>& visit) const {
  v1::DiffFilesRequest request;
  *request.mutable_new_file() = wire_ref(new_place.ref, new_place.path);
  if (old_place) *request.mutable_old_file() = wire_ref(old_place->ref, old_place->path);
  request.set_shallow(shallow);
  grpc::ClientContext context;
  const auto stub = v1::FileService::NewStub(connection_.wire().channel);
  const auto reader = stub->DiffFiles(&context, request);
  return read_all<v1::FileDifference>(*reader, context, connection_,
                                      [&visit](const v1::FileDifference& message) {
                                        FileDifference difference;
                                        if (message.has_old_file())
                                          difference.before = file_of(message.old_file());
                                        if (message.has_new_file())
                                          difference.after = file_of(message.new_file());
                                        difference.old_commit = message.old_commit();
                                        return visit(difference);
                                      });
}

Result<void> Files::versions(const CommitRef& ref, const RepoPath& path, std::uint64_t limit,
                             const std::function<Result<void>(const FileVersion&)>& visit) const {
  v1::ListVersionsRequest request;
  *request.mutable_file() = wire_ref(ref, path);
  request.set_limit(limit);
  grpc::ClientContext context;
  const auto stub = v1::FileService::NewStub(connection_.wire().channel);
  const auto reader = stub->ListVersions(&context, request);
  return read_all<v1::FileVersion>(*reader, context, connection_,
                                   [&visit](const v1::FileVersion& message) {
                                     FileVersion version;
                                     version.commit = message.commit();
                                     version.committed = api::time_of(message.committed());
                                     if (message.has_file()) version.file = file_of(message.file());
                                     return visit(version);
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

Result<void> Files::get_each(const CommitRef& ref, const std::vector<RepoPath>& paths,
                             FileSink& sink) const {
  v1::GetFilesRequest request;
  *request.mutable_file() = wire_ref(ref, paths.front());
  for (std::size_t i = 1; i < paths.size(); ++i) request.add_more(paths[i].str());
  return get_into(connection_, request, sink);
}

Result<std::string> Files::copy(const Place& source, const CommitRef& target,
                                const RepoPath& target_path, bool overwrite) const {
  v1::CopyFileRequest request;
  *request.mutable_source() = wire_ref(source.ref, source.path);
  *request.mutable_target() = wire_ref(target, target_path);
  request.set_overwrite(overwrite);
  v1::CopyFileResponse response;
  grpc::ClientContext context;
  join_transaction(context, connection_);
  const auto stub = v1::FileService::NewStub(connection_.wire().channel);
  PFS_TRY(outcome_of(stub->CopyFile(&context, request, &response), context, connection_));
  return response.commit();
}

Result<std::string> Files::remove(const CommitRef& ref, const std::vector<RepoPath>& paths) const {
  v1::DeleteFileRequest request;
  *request.mutable_file() = wire_ref(ref, paths.front());
  for (std::size_t i = 1; i < paths.size(); ++i) request.add_more(paths[i].str());
  v1::DeleteFileResponse response;
  grpc::ClientContext context;
  join_transaction(context, connection_);
  const auto stub = v1::FileService::NewStub(connection_.wire().channel);
  PFS_TRY(outcome_of(stub->DeleteFile(&context, request, &response), context, connection_));
  return response.commit();
}

}  // namespace pfs::client
