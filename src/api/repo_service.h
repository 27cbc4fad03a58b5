#pragma once

#include "api/internal/transactions.h"
#include "base/result.h"
#include "pfs/v1/repo.grpc.pb.h"
#include "store/store.h"

namespace pfs::api {

/// Repos, over the wire. Thread-safe, as every service here: gRPC calls it from its own threads.
class RepoService final : public v1::RepoService::Service {
 public:
  RepoService(store::Store& store, const Callers& callers)
      : store_(store), changes_(store, callers) {}

  grpc::Status CreateRepo(grpc::ServerContext* context, const v1::CreateRepoRequest* request,
                          v1::CreateRepoResponse* response) override;
  grpc::Status InspectRepo(grpc::ServerContext* context, const v1::InspectRepoRequest* request,
                           v1::RepoInfo* response) override;
  grpc::Status ListRepos(grpc::ServerContext* context, const v1::ListReposRequest* request,
                         grpc::ServerWriter<v1::RepoInfo>* writer) override;
  grpc::Status UpdateRepo(grpc::ServerContext* context, const v1::UpdateRepoRequest* request,
                          v1::UpdateRepoResponse* response) override;
  grpc::Status DeleteRepo(grpc::ServerContext* context, const v1::DeleteRepoRequest* request,
                          v1::DeleteRepoResponse* response) override;

 private:
  grpc::Status carry_out(grpc::ServerContext& context, const v1::RefRequest& request);
  Result<void> inspect(const std::string& name, v1::RepoInfo& info);
  Result<void> list(grpc::ServerWriter<v1::RepoInfo>& writer);
  Result<void> describe(const store::Repo& repo, v1::RepoInfo& info);

  store::Store& store_;
  Transactions changes_;
};

}  // namespace pfs::api
