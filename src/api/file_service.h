#pragma once

#include "api/internal/callers.h"
#include "api/internal/file_changes.h"
#include "api/internal/file_get.h"
#include "api/internal/refs.h"
#include "api/internal/staged_change.h"
#include "api/internal/transactions.h"
#include "base/result.h"
#include "base/sync.h"
#include "pfs/v1/file.grpc.pb.h"
#include "store/store.h"

namespace pfs::api {

/// Files, over the wire: the mount's live content by other means. Thread-safe.
class FileService final : public v1::FileService::Service {
 public:
  FileService(store::Store& store, const Callers& callers)
      : store_(store), callers_(callers), transactions_(store, callers) {
    serve_get_files();
  }

  grpc::Status PutFiles(grpc::ServerContext* context,
                        grpc::ServerReader<v1::PutFilesRequest>* reader,
                        v1::PutFilesResponse* response) override;
  grpc::Status InspectFile(grpc::ServerContext* context, const v1::InspectFileRequest* request,
                           v1::FileInfo* response) override;
  grpc::Status ListFiles(grpc::ServerContext* context, const v1::ListFilesRequest* request,
                         grpc::ServerWriter<v1::FileInfo>* writer) override;
  grpc::Status GlobFiles(grpc::ServerContext* context, const v1::GlobFilesRequest* request,
                         grpc::ServerWriter<v1::FileInfo>* writer) override;
  grpc::Status DiffFiles(grpc::ServerContext* context, const v1::DiffFilesRequest* request,
                         grpc::ServerWriter<v1::FileDifference>* writer) override;
  grpc::Status ListVersions(grpc::ServerContext* context, const v1::ListVersionsRequest* request,
                            grpc::ServerWriter<v1::FileVersion>* writer) override;
  grpc::Status CopyFile(grpc::ServerContext* context, const v1::CopyFileRequest* request,
                        v1::CopyFileResponse* response) override;
  grpc::Status DeleteFile(grpc::ServerContext* context, const v1::DeleteFileRequest* request,
                          v1::DeleteFileResponse* response) override;

 private:
  /// A ref's node, with the tree that keeps it readable. Errors: kNotFound, in the words of the
  /// ref.
  struct Found {
    FileRef ref;
    store::TreePtr tree;
    store::NodePtr node;
  };
  Result<Found> find(const v1::FileRef& ref);
  Result<store::NodePtr> find_in(const store::TreePtr& tree, const FileRef& ref);

  Result<FileChanges> changes_of(const grpc::ServerContext& context);
  Result<void> put(const grpc::ServerContext& context,
                   grpc::ServerReader<v1::PutFilesRequest>& reader, v1::PutFilesResponse& response);
  /// GetFiles is answered with messages that we encode, for which the generated class has no method to override.
  void serve_get_files();
  Result<void> get(FileStream& stream);
  Result<void> inspect(const v1::FileRef& ref, v1::FileInfo& info);
  Result<void> get_one(const Found& found, std::uint64_t offset, FileSender& sender);
  Result<void> list(const v1::ListFilesRequest& request, grpc::ServerWriter<v1::FileInfo>& writer);
  Result<void> diff(const v1::DiffFilesRequest& request,
                    grpc::ServerWriter<v1::FileDifference>& writer);
  Result<void> copy(const grpc::ServerContext& context, const v1::CopyFileRequest& request,
                    v1::CopyFileResponse& response);
  Result<void> stage_copy(StagedChange& change, const store::NodePtr& source,
                          const RepoPath& target, bool overwrite);
  Result<void> stage_root_copy(StagedChange& change, const Found& source, bool overwrite);
  Result<void> remove(const grpc::ServerContext& context, const v1::DeleteFileRequest& request,
                      v1::DeleteFileResponse& response);
  Result<void> stage_removal(StagedChange& change, const FileRef& file);

  store::Store& store_;
  const Callers& callers_;
  Transactions transactions_;
  Mutex append_mutex_{
      LockRank::kPublish};  // held over store calls, and never over finishing a commit
};

}  // namespace pfs::api
