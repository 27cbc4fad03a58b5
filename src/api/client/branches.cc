#include "api/client/branches.h"

#include "api/client/internal/wire.h"
#include "api/wire/time.h"
#include "pfs/v1/branch.grpc.pb.h"

namespace pfs::client {
namespace {

CommitPolicy policy_of(const v1::CommitPolicy& info) {
  return {info.commit(), info.commit_after(), info.commit_max()};
}

Branch branch_of(const v1::BranchInfo& info) {
  Branch branch;
  branch.repo = info.repo();
  branch.name = info.name();
  branch.head = info.head();
  branch.open_commit = info.open_commit();
  branch.opened_by_hand = info.opened_by_hand();
  branch.output_of = info.output_of();
  branch.policy = policy_of(info.policy());
  branch.own_policy = policy_of(info.own_policy());
  for (const auto& name : info.provenance()) branch.provenance.push_back(name.repo() + "@" + name.name());
  if (info.has_trigger()) {
    const auto& trigger = info.trigger();
    branch.trigger = BranchTrigger{trigger.branch(), trigger.cron(), trigger.size(), trigger.commits(), trigger.all(), trigger.text()};
  }
  branch.created = api::time_of(info.created());
  return branch;
}

}  // namespace

Result<bool> Branches::create(const BranchRef& ref, const BranchSettings& settings) const {
  v1::CreateBranchRequest request;
  request.set_repo(ref.repo.str());
  request.set_name(ref.branch.str());
  if (settings.head) request.set_head(settings.head->name());
  for (const auto& upstream : settings.provenance) {
    auto* name = request.add_provenance();
    name->set_repo(upstream.repo.str());
    name->set_name(upstream.branch.str());
  }
  if (settings.trigger) {
    auto& trigger = *request.mutable_trigger();
    trigger.set_branch(settings.trigger->branch);
    trigger.set_cron(settings.trigger->cron);
    trigger.set_size(settings.trigger->size);
    trigger.set_commits(settings.trigger->commits);
    trigger.set_all(settings.trigger->all);
  }
  v1::CreateBranchResponse response;
  grpc::ClientContext context;
  join_transaction(context, connection_);
  const auto stub = v1::BranchService::NewStub(connection_.wire().channel);
  PFS_TRY(outcome_of(stub->CreateBranch(&context, request, &response), context, connection_));
  return response.head_moved();
}

Result<Branch> Branches::inspect(const BranchRef& ref) const {
  v1::InspectBranchRequest request;
  request.set_repo(ref.repo.str());
  request.set_name(ref.branch.str());
  v1::BranchInfo response;
  grpc::ClientContext context;
  const auto stub = v1::BranchService::NewStub(connection_.wire().channel);
  PFS_TRY(outcome_of(stub->InspectBranch(&context, request, &response), context, connection_));
  return branch_of(response);
}

Result<std::vector<Branch>> Branches::list(const std::optional<RepoName>& repo) const {
  v1::ListBranchesRequest request;
  if (repo) request.set_repo(repo->str());
  std::vector<Branch> branches;
  grpc::ClientContext context;
  const auto stub = v1::BranchService::NewStub(connection_.wire().channel);
  const auto reader = stub->ListBranches(&context, request);
  PFS_TRY(read_all<v1::BranchInfo>(*reader, context, connection_,
                                   [&branches](const v1::BranchInfo& info) {
                                     branches.push_back(branch_of(info));
                                     return Result<void>();
                                   }));
  return branches;
}

Result<Branch> Branches::update(const BranchRef& ref, const CommitPolicy& policy) const {
  v1::UpdateBranchRequest request;
  request.set_repo(ref.repo.str());
  request.set_name(ref.branch.str());
  request.mutable_policy()->set_commit(policy.commit);
  request.mutable_policy()->set_commit_after(policy.commit_after);
  request.mutable_policy()->set_commit_max(policy.commit_max);
  v1::BranchInfo response;
  grpc::ClientContext context;
  const auto stub = v1::BranchService::NewStub(connection_.wire().channel);
  PFS_TRY(outcome_of(stub->UpdateBranch(&context, request, &response), context, connection_));
  return branch_of(response);
}

Result<void> Branches::remove(const BranchRef& ref, bool force) const {
  v1::DeleteBranchRequest request;
  request.set_repo(ref.repo.str());
  request.set_name(ref.branch.str());
  request.set_force(force);
  v1::DeleteBranchResponse response;
  grpc::ClientContext context;
  join_transaction(context, connection_);
  const auto stub = v1::BranchService::NewStub(connection_.wire().channel);
  return outcome_of(stub->DeleteBranch(&context, request, &response), context, connection_);
}

}  // namespace pfs::client
