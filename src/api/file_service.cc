#include "api/file_service.h"

#include <fmt/format.h>
#include <grpcpp/support/method_handler.h>

#include "api/internal/answer.h"
#include "api/internal/file_find.h"
#include "api/internal/file_put.h"
#include "api/internal/live_branch.h"

namespace pfs::api {
namespace {

Error missing(const FileRef& ref) {
  return {Code::kNotFound, fmt::format("{}: no such file or directory", printable(ref.str()))};
}

/// Sends messages of a stream; `call` is for the error that the client is gone.
template <class Message>
std::function<Result<void>(const Message&)> sender_of(grpc::ServerWriter<Message>& writer,
                                                      const char* call) {
  return [&writer, call](const Message& message) -> Result<void> {
    if (writer.Write(message)) return {};
    return Error{Code::kCancelled, fmt::format("{}: the client hung up", call)};
  };
}

}  // namespace

grpc::Status FileService::PutFiles(grpc::ServerContext* context,
                                   grpc::ServerReader<v1::PutFilesRequest>* reader,
                                   v1::PutFilesResponse* response) {
  return answer(*context, put(*context, *reader, *response));
}

void FileService::serve_get_files() {
  const auto* method = v1::GetFilesRequest::descriptor()->file()->service(0)->FindMethodByName("GetFiles");
  MarkMethodStreamed(method->index(),
                     new grpc::internal::SplitServerStreamingHandler<v1::GetFilesRequest, grpc::ByteBuffer>(
                         [this](grpc::ServerContext* context, FileStream* stream) {
                           return answer(*context, get(*stream));
                         }));
}

grpc::Status FileService::InspectFile(grpc::ServerContext* context,
                                      const v1::InspectFileRequest* request,
                                      v1::FileInfo* response) {
  return answer(*context, inspect(request->file(), *response));
}

grpc::Status FileService::ListFiles(grpc::ServerContext* context,
                                    const v1::ListFilesRequest* request,
                                    grpc::ServerWriter<v1::FileInfo>* writer) {
  return answer(*context, list(*request, *writer));
}

grpc::Status FileService::GlobFiles(grpc::ServerContext* context,
                                    const v1::GlobFilesRequest* request,
                                    grpc::ServerWriter<v1::FileInfo>* writer) {
  auto ref = commit_ref(request->repo(), request->ref());
  if (!ref) return answer(*context, std::move(ref).error());
  return answer(*context,
                FileFinder(store_).glob(*ref, request->pattern(), sender_of(*writer, "glob file")));
}

grpc::Status FileService::DiffFiles(grpc::ServerContext* context,
                                    const v1::DiffFilesRequest* request,
                                    grpc::ServerWriter<v1::FileDifference>* writer) {
  return answer(*context, diff(*request, *writer));
}

grpc::Status FileService::ListVersions(grpc::ServerContext* context,
                                       const v1::ListVersionsRequest* request,
                                       grpc::ServerWriter<v1::FileVersion>* writer) {
  auto file = file_ref(request->file());
  if (!file) return answer(*context, std::move(file).error());
  return answer(*context, FileFinder(store_).versions(*file, request->limit(),
                                                      sender_of(*writer, "list file")));
}

grpc::Status FileService::CopyFile(grpc::ServerContext* context, const v1::CopyFileRequest* request,
                                   v1::CopyFileResponse* response) {
  return answer(*context, copy(*context, *request, *response));
}

grpc::Status FileService::DeleteFile(grpc::ServerContext* context,
                                     const v1::DeleteFileRequest* request,
                                     v1::DeleteFileResponse* response) {
  return answer(*context, remove(*context, *request, *response));
}

Result<FileService::Found> FileService::find(const v1::FileRef& ref) {
  Found found;
  PFS_TRY_ASSIGN(found.ref, file_ref(ref));
  PFS_TRY_ASSIGN(found.tree, tree_of(store_, found.ref.commit));
  PFS_TRY_ASSIGN(found.node, find_in(found.tree, found.ref));
  return found;
}

Result<store::NodePtr> FileService::find_in(const store::TreePtr& tree, const FileRef& ref) {
  auto node = store_.trees().walk(store_.trees().root(tree), ref.path);
  if (!node && node.error().code == Code::kNotFound) return missing(ref);
  if (!node) return std::move(node).error().within(printable(ref.str()));
  return node;
}

Result<FileChanges> FileService::changes_of(const grpc::ServerContext& context) {
  PFS_TRY_ASSIGN(const auto caller, callers_.of(context));
  return FileChanges(store_, caller, append_mutex_, transactions_.part_of(context));
}

Result<void> FileService::put(const grpc::ServerContext& context,
                              grpc::ServerReader<v1::PutFilesRequest>& reader,
                              v1::PutFilesResponse& response) {
  PFS_TRY_ASSIGN(auto changes, changes_of(context));
  FilePut put(store_, changes);
  v1::PutFilesRequest message;
  while (reader.Read(&message)) PFS_TRY(put.take(message));
  if (!put.complete())
    return Error{Code::kCancelled,
                 "put file: the client hung up before the end; nothing was changed"};
  return put.finish(response);
}

Result<void> FileService::get(FileStream& stream) {
  v1::GetFilesRequest request;
  if (!stream.Read(&request)) return Error{Code::kInvalid, "get file: the request cannot be read"};
  PFS_TRY_ASSIGN(auto found, find(request.file()));
  FileSender sender(store_.trees(), stream);
  const auto send = [&] {
    if (request.recursive()) return sender.send_all(found.node, found.ref.path);
    return get_one(found, request.offset(), sender);
  };
  PFS_TRY(send());
  for (const auto& path : request.more()) {
    PFS_TRY_ASSIGN(found.ref.path, RepoPath::parse(path));
    PFS_TRY_ASSIGN(found.node, find_in(found.tree, found.ref));
    PFS_TRY(send());
  }
  return {};
}

Result<void> FileService::get_one(const Found& found, std::uint64_t offset, FileSender& sender) {
  switch (store_.trees().kind(found.node)) {
    case store::Kind::kFile: return sender.send(found.node, found.ref.path, offset);
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
  auto& trees = store_.trees();
  PFS_TRY_ASSIGN(const auto stat, trees.stat(found.node));
  info = file_info(found.ref.path, stat);
  if (stat.attributes.kind == store::Kind::kSymlink) {
    PFS_TRY_ASSIGN(*info.mutable_link_target(), trees.read_link(found.node));
  }
  if (stat.attributes.kind == store::Kind::kDirectory) {
    std::uint64_t names = 0;
    PFS_TRY(trees.list(found.node, "", [&names](const store::ListedEntry&) {
      ++names;
      return true;
    }));
    info.set_children(names);
  }
  return {};
}

Result<void> FileService::list(const v1::ListFilesRequest& request,
                               grpc::ServerWriter<v1::FileInfo>& writer) {
  PFS_TRY_ASSIGN(const auto found, find(request.directory()));
  auto& trees = store_.trees();
  FileFinder finder(store_);
  const auto send = sender_of(writer, "list file");
  if (trees.kind(found.node) != store::Kind::kDirectory) {
    v1::FileInfo info;
    PFS_TRY(inspect(request.directory(), info));
    if (request.checksum()) PFS_TRY(finder.add_checksum(found.node, info));
    return send(info);
  }
  if (request.recursive())
    return finder.list_below(found.node, found.ref.path, request.checksum(), send);
  return for_each_entry(trees, found.node, [&](const store::ListedEntry& entry) {
    return send(file_info(found.ref.path.joined(entry.name), entry.stat));
  });
}

Result<void> FileService::diff(const v1::DiffFilesRequest& request,
                               grpc::ServerWriter<v1::FileDifference>& writer) {
  PFS_TRY_ASSIGN(const auto new_file, file_ref(request.new_file()));
  std::optional<FileRef> old_file;
  if (request.has_old_file()) {
    PFS_TRY_ASSIGN(old_file, file_ref(request.old_file()));
  }
  return FileFinder(store_).diff(new_file, old_file, request.shallow(),
                                 sender_of(writer, "diff file"));
}

Result<void> FileService::copy(const grpc::ServerContext& context,
                               const v1::CopyFileRequest& request, v1::CopyFileResponse& response) {
  PFS_TRY_ASSIGN(auto changes, changes_of(context));
  PFS_TRY_ASSIGN(const auto source, find(request.source()));
  PFS_TRY_ASSIGN(const auto target, file_ref(request.target()));
  PFS_TRY_ASSIGN(const auto ref, changes.target(target.commit));
  PFS_TRY_ASSIGN(auto change, changes.begin(ref, {}));
  if (target.path.is_root()) {
    PFS_TRY(stage_root_copy(change, source, request.overwrite()));
  } else {
    PFS_TRY(stage_copy(change, source.node, target.path, request.overwrite()));
  }
  PFS_TRY_ASSIGN(const auto commit,
                 changes.finish(change, fmt::format("copy file {} {}", printable(source.ref.str()),
                                                    printable(target.str()))));
  response.set_commit(commit.hex());
  return {};
}

Result<void> FileService::stage_copy(StagedChange& change, const store::NodePtr& source,
                                     const RepoPath& target, bool overwrite) {
  auto& trees = store_.trees();
  const bool is_directory = trees.kind(source) == store::Kind::kDirectory;
  const auto there = change.live(target);
  if (is_directory && there && trees.kind(*there) == store::Kind::kDirectory) {
    if (!overwrite) {
      return Error{
          Code::kExists,
          fmt::format("{}:{}: is a directory; replace it with --overwrite, or name a path in it",
                      change.ref().str(), printable(target.str()))};
    }
    PFS_TRY(change.remove(target));
  }
  PFS_TRY(change.copy(source, target));
  return {};
}

// Onto a branch's root: each name of the source comes to that of the root.
Result<void> FileService::stage_root_copy(StagedChange& change, const Found& source,
                                          bool overwrite) {
  auto& trees = store_.trees();
  if (trees.kind(source.node) != store::Kind::kDirectory) {
    return Error{Code::kIsDirectory,
                 fmt::format("{}:/: is the branch's root, and {} no directory; name a path in it",
                             change.ref().str(), printable(source.ref.str()))};
  }
  return for_each_entry(trees, source.node, [&](const store::ListedEntry& entry) -> Result<void> {
    PFS_TRY_ASSIGN(const auto node, trees.lookup(source.node, entry.name));
    return stage_copy(change, node, RepoPath().joined(entry.name), overwrite);
  });
}

Result<void> FileService::remove(const grpc::ServerContext& context,
                                 const v1::DeleteFileRequest& request,
                                 v1::DeleteFileResponse& response) {
  PFS_TRY_ASSIGN(auto changes, changes_of(context));
  PFS_TRY_ASSIGN(auto file, file_ref(request.file()));
  PFS_TRY_ASSIGN(const auto ref, changes.target(file.commit));
  StagedChange::Options options;
  options.if_missing = LiveBranch::IfMissing::kFail;
  PFS_TRY_ASSIGN(auto change, changes.begin(ref, options));
  PFS_TRY(stage_removal(change, file));
  auto line = "delete file " + printable(file.str());
  for (const auto& path : request.more()) {
    PFS_TRY_ASSIGN(file.path, RepoPath::parse(path));
    PFS_TRY(stage_removal(change, file));
    line += " " + printable(file.str());
  }
  PFS_TRY_ASSIGN(const auto commit, changes.finish(change, std::move(line)));
  response.set_commit(commit.hex());
  return {};
}

Result<void> FileService::stage_removal(StagedChange& change, const FileRef& file) {
  auto there = change.live(file.path);
  if (!there && there.error().code == Code::kNotFound) return missing(file);
  if (!there) return std::move(there).error().within(printable(file.str()));
  if (!file.path.is_root()) return change.remove(file.path);
  return for_each_entry(store_.trees(), *there, [&](const store::ListedEntry& entry) {
    return change.remove(RepoPath().joined(entry.name));
  });
}

}  // namespace pfs::api
