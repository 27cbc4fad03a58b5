#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "api/internal/callers.h"
#include "api/internal/transactions.h"
#include "base/names.h"
#include "base/result.h"
#include "pfs/v1/branch.grpc.pb.h"
#include "store/store.h"
#include "trigger/pipelines.h"

namespace pfs::api {

/// Branches, over the wire. Thread-safe.
class BranchService final : public v1::BranchService::Service {
 public:
  /// `pipelines` may be null: then none writes a branch.
  BranchService(store::Store& store, const trigger::Pipelines* pipelines, const Callers& callers)
      : store_(store), pipelines_(pipelines), callers_(callers), changes_(store, callers) {}

  grpc::Status CreateBranch(grpc::ServerContext* context, const v1::CreateBranchRequest* request,
                            v1::CreateBranchResponse* response) override;
  grpc::Status InspectBranch(grpc::ServerContext* context, const v1::InspectBranchRequest* request,
                             v1::BranchInfo* response) override;
  grpc::Status ListBranches(grpc::ServerContext* context, const v1::ListBranchesRequest* request,
                            grpc::ServerWriter<v1::BranchInfo>* writer) override;
  grpc::Status UpdateBranch(grpc::ServerContext* context, const v1::UpdateBranchRequest* request,
                            v1::BranchInfo* response) override;
  grpc::Status DeleteBranch(grpc::ServerContext* context, const v1::DeleteBranchRequest* request,
                            v1::DeleteBranchResponse* response) override;

 private:
  Result<void> create(const grpc::ServerContext& context, const v1::CreateBranchRequest& request,
                      v1::CreateBranchResponse& response);
  /// What each pipeline reads, by its name.
  using PipelineInputs = std::map<std::string, std::vector<BranchRef>>;
  /// Empty where no pipeline writes one of `branches`.
  Result<PipelineInputs> inputs_of_writers(std::span<const store::Branch> branches) const;
  v1::BranchInfo info_of(const store::Branch& branch, const PipelineInputs& inputs) const;
  Result<v1::BranchInfo> info_of(const store::Branch& branch) const;
  Result<void> update(const v1::UpdateBranchRequest& request, v1::BranchInfo& response);
  Result<void> list(const v1::ListBranchesRequest& request,
                    grpc::ServerWriter<v1::BranchInfo>& writer);
  Result<void> remove(const grpc::ServerContext& context, const v1::DeleteBranchRequest& request);

  store::Store& store_;
  const trigger::Pipelines* pipelines_;
  const Callers& callers_;
  Transactions changes_;
};

}  // namespace pfs::api
