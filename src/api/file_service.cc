#include "api/file_service.h"

#include <fmt/format.h>

#include "api/internal/answer.h"
#include "api/internal/file_get.h"
#include "api/internal/file_put.h"
#include "api/internal/live_branch.h"

namespace pfs::api {

grpc::Status FileService::PutFiles(grpc::ServerContext* context,
                                   grpc::ServerReader<v1::PutFilesRequest>* reader,
                                   v1::PutFilesResponse* response) {
  return answer(*context, put(*context, *reader, *response));
}

grpc::Status FileService::GetFiles(grpc::ServerContext* context, const v1::GetFilesRequest* request,
                                   grpc::ServerWriter<v1::GetFilesResponse>* writer) {
  return answer(*context, get(*request, *writer));
}

grpc::Status FileService::InspectFile(grpc::ServerContext* context,
                                      const v1::InspectFileRequest* request,
                                      v1::FileInfo* response) {
  return answer(*context, inspect(request->file(), *response));
}

grpc::Status FileService::ListFiles(grpc::ServerContext* context,
                                    const v1::ListFilesRequest* request,
                                    grpc::ServerWriter<v1::FileInfo>* writer) {
  return answer(*context, list(request->directory(), *writer));
}

grpc::Status FileService::CopyFile(grpc::ServerContext* context, const v1::CopyFileRequest* request,
                                   v1::CopyFileResponse* response) {
  return answer(*context, copy(*context, *request, *response));
}

grpc::Status FileService::DeleteFile(grpc::ServerContext* context,
                                     const v1::DeleteFileRequest* request,
                                     v1::DeleteFileResponse* response) {
  return answer(*context, remove(*context, request->file(), *response));
}

Result<FileService::Found> FileService::find(const v1::FileRef& ref) {
  Found found;
  PFS_TRY_ASSIGN(found.ref, file_ref(ref));
  PFS_TRY_ASSIGN(found.tree, tree_of(store_, found.ref.commit));
  auto node = store_.trees().walk(store_.trees().root(found.tree), found.ref.path);
  if (!node && node.error().code == Code::kNotFound) {
    return Error{Code::kNotFound,
                 fmt::format("{}: no such file or directory", printable(found.ref.str()))};
  }
  if (!node) return std::move(node).error().within(printable(found.ref.str()));
  found.node = *std::move(node);
  return found;
}

Result<void> FileService::put(const grpc::ServerContext& context,
                              grpc::ServerReader<v1::PutFilesRequest>& reader,
                              v1::PutFilesResponse& response) {
  PFS_TRY_ASSIGN(const auto caller, callers_.of(context));
  FilePut put(store_, caller, append_mutex_);
  v1::PutFilesRequest message;
  while (reader.Read(&message)) PFS_TRY(put.take(message));
  if (!put.complete())
    return Error{Code::kCancelled,
                 "put file: the client hung up before the end; nothing was changed"};
  return put.finish(response);
}

Result<void> FileService::get(const v1::GetFilesRequest& request,
                              grpc::ServerWriter<v1::GetFilesResponse>& writer) {
  PFS_TRY_ASSIGN(const auto found, find(request.file()));
  FileSender sender(store_.trees(), writer);
  if (request.recursive()) return sender.send_all(found.node, found.ref.path);
  switch (store_.trees().kind(found.node)) {
    case store::Kind::kFile: return sender.send(found.node, found.ref.path, request.offset());
    case store::Kind::kDirectory:
      return Error{Code::kIsDirectory, fmt::format("{}: is a directory; get it recursively",
                                                   printable(found.ref.str()))};
    case store::Kind::kSymlink: {
      PFS_TRY_ASSIGN(const auto target, store_.trees().read_link(found.node));
      return Error{Code::kInvalid,
                   fmt::format("{}: is a symbolic link to '{}'; get that, or get it recursively",
                               printable(found.ref.str()), printable(target))};
    }
    case store::Kind::kFifo:
    case store::Kind::kSocket:
    case store::Kind::kBlockDevice:
    case store::Kind::kCharacterDevice: break;
  }
  return Error{Code::kInvalid, fmt::format("{}: is no regular file", printable(found.ref.str()))};
}

Result<void> FileService::inspect(const v1::FileRef& ref, v1::FileInfo& info) {
  PFS_TRY_ASSIGN(const auto found, find(ref));
  PFS_TRY_ASSIGN(const auto stat, store_.trees().stat(found.node));
  info = file_info(found.ref.path, stat);
  if (stat.attributes.kind == store::Kind::kSymlink) {
    PFS_TRY_ASSIGN(*info.mutable_link_target(), store_.trees().read_link(found.node));
  }
  return {};
}

Result<void> FileService::list(const v1::FileRef& ref, grpc::ServerWriter<v1::FileInfo>& writer) {
  PFS_TRY_ASSIGN(const auto found, find(ref));
  auto& trees = store_.trees();
  if (trees.kind(found.node) != store::Kind::kDirectory) {
    PFS_TRY_ASSIGN(const auto stat, trees.stat(found.node));
    writer.Write(file_info(found.ref.path, stat));
    return {};
  }
  return for_each_entry(trees, found.node, [&](const store::ListedEntry& entry) -> Result<void> {
    if (writer.Write(file_info(found.ref.path.joined(entry.name), entry.stat))) return {};
    return Error{Code::kCancelled, "list file: the client hung up"};
  });
}

Result<void> FileService::copy(const grpc::ServerContext& context,
                               const v1::CopyFileRequest& request, v1::CopyFileResponse& response) {
  PFS_TRY_ASSIGN(const auto caller, callers_.of(context));
  PFS_TRY_ASSIGN(const auto source, find(request.source()));
  PFS_TRY_ASSIGN(const auto target, file_ref(request.target()));
  PFS_TRY_ASSIGN(const auto ref, target.branch());
  PFS_TRY_ASSIGN(auto branch,
                 LiveBranch::open(store_, ref, caller, LiveBranch::IfMissing::kCreate));
  PFS_TRY(branch.check_target(target.path));
  PFS_TRY_ASSIGN(const auto directory, branch.make_directories(target.path.parent()));
  auto placed = branch.place(source.node, directory, target.path.name());
  if (!placed && placed.error().code == Code::kExists) {
    return Error{Code::kExists,
                 fmt::format("{}: is a directory; delete it first, or name a path in it",
                             printable(target.str()))};
  }
  PFS_TRY(std::move(placed));
  PFS_TRY_ASSIGN(const auto commit, branch.commit());
  response.set_commit(commit.hex());
  return {};
}

Result<void> FileService::remove(const grpc::ServerContext& context, const v1::FileRef& ref,
                                 v1::DeleteFileResponse& response) {
  PFS_TRY_ASSIGN(const auto caller, callers_.of(context));
  PFS_TRY_ASSIGN(const auto file, file_ref(ref));
  PFS_TRY_ASSIGN(const auto branch_name, file.branch());
  PFS_TRY_ASSIGN(auto branch,
                 LiveBranch::open(store_, branch_name, caller, LiveBranch::IfMissing::kFail));
  auto removed = branch.remove(file.path);
  if (!removed && removed.error().code == Code::kNotFound) {
    return Error{Code::kNotFound,
                 fmt::format("{}: no such file or directory", printable(file.str()))};
  }
  PFS_TRY(std::move(removed));
  PFS_TRY_ASSIGN(const auto commit, branch.commit());
  response.set_commit(commit.hex());
  return {};
}

}  // namespace pfs::api
