#pragma once

#include "api/internal/callers.h"
#include "api/internal/transactions.h"
#include "base/names.h"
#include "base/result.h"
#include "pfs/v1/commit.grpc.pb.h"
#include "store/store.h"
#include "trigger/pipelines.h"

namespace pfs::api {

/// Commits, over the wire. Thread-safe.
class CommitService final : public v1::CommitService::Service {
 public:
  /// `pipelines` tells of the jobs downstream; may be null.
  CommitService(store::Store& store, const trigger::Pipelines* pipelines, const Callers& callers)
      : store_(store), pipelines_(pipelines), callers_(callers), changes_(store, callers) {}

  grpc::Status StartCommit(grpc::ServerContext* context, const v1::StartCommitRequest* request,
                           v1::StartCommitResponse* response) override;
  grpc::Status FinishCommit(grpc::ServerContext* context, const v1::FinishCommitRequest* request,
                            v1::FinishCommitResponse* response) override;
  grpc::Status InspectCommit(grpc::ServerContext* context, const v1::InspectCommitRequest* request,
                             v1::CommitInfo* response) override;
  grpc::Status ListCommits(grpc::ServerContext* context, const v1::ListCommitsRequest* request,
                           grpc::ServerWriter<v1::CommitInfo>* writer) override;
  grpc::Status DeleteCommit(grpc::ServerContext* context, const v1::DeleteCommitRequest* request,
                            v1::DeleteCommitResponse* response) override;
  grpc::Status FlushCommits(grpc::ServerContext* context, const v1::FlushCommitsRequest* request,
                            grpc::ServerWriter<v1::CommitInfo>* writer) override;
  grpc::Status SubscribeCommits(grpc::ServerContext* context,
                                const v1::SubscribeCommitsRequest* request,
                                grpc::ServerWriter<v1::CommitInfo>* writer) override;

 private:
  Result<void> start(const grpc::ServerContext& context, const v1::StartCommitRequest& request,
                     v1::StartCommitResponse& response);
  Result<void> finish(const grpc::ServerContext& context, const v1::FinishCommitRequest& request,
                      v1::FinishCommitResponse& response);
  Result<void> refuse_second_finish(const v1::FinishCommitRequest& request, const CommitId& head);
  Result<void> inspect(const v1::InspectCommitRequest& request, v1::CommitInfo& info);
  Result<void> list(const v1::ListCommitsRequest& request,
                    grpc::ServerWriter<v1::CommitInfo>& writer);
  Result<void> list_history(const RepoName& repo, const std::string& of, std::uint64_t limit,
                            grpc::ServerWriter<v1::CommitInfo>& writer);
  /// The branches of `repo` (or the one that is named) with a commit open that is more than an id.
  Result<std::vector<v1::CommitInfo>> open_commits(const RepoName& repo,
                                                   const std::optional<BranchName>& branch);

  store::Store& store_;
  const trigger::Pipelines* pipelines_;
  const Callers& callers_;
  Transactions changes_;
};

}  // namespace pfs::api
