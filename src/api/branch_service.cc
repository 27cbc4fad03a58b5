#include "api/branch_service.h"

#include <algorithm>
#include <utility>

#include "api/internal/answer.h"
#include "api/internal/refs.h"
#include "api/wire/time.h"
#include "base/duration.h"

namespace pfs::api {
namespace {

constexpr std::string_view kDefault = "default";

v1::CommitPolicy policy_of(const store::PolicySettings& settings) {
  v1::CommitPolicy policy;
  if (settings.when) policy.set_commit(std::string(store::name_of(*settings.when)));
  if (settings.after) policy.set_commit_after(format_short_duration(*settings.after));
  if (settings.max) policy.set_commit_max(format_short_duration(*settings.max));
  return policy;
}

/// One setting as it was asked for: what is empty stays, `default` is none.
template <class T, class Parse>
Result<void> change(std::optional<T>& setting, const std::string& asked, std::string_view name,
                    Parse parse) {
  if (asked.empty()) return {};
  if (asked == kDefault) {
    setting.reset();
    return {};
  }
  auto parsed = parse(asked);
  if (!parsed) return std::move(parsed).error().within(std::string(name));
  setting = *parsed;
  return {};
}

void add_provenance(const BranchRef& upstream, v1::BranchInfo& info) {
  auto* name = info.add_provenance();
  name->set_repo(upstream.repo.str());
  name->set_name(upstream.branch.str());
}

}  // namespace

grpc::Status BranchService::CreateBranch(grpc::ServerContext* context,
                                         const v1::CreateBranchRequest* request,
                                         v1::CreateBranchResponse* response) {
  return answer(*context, create(*context, *request, *response));
}

grpc::Status BranchService::InspectBranch(grpc::ServerContext* context,
                                          const v1::InspectBranchRequest* request,
                                          v1::BranchInfo* response) {
  return answer(*context, [&]() -> Result<void> {
    PFS_TRY_ASSIGN(const auto ref, branch_ref(request->repo(), request->name()));
    PFS_TRY_ASSIGN(const auto branch, store_.catalog().branch(ref));
    PFS_TRY_ASSIGN(*response, info_of(branch));
    return {};
  }());
}

grpc::Status BranchService::ListBranches(grpc::ServerContext* context,
                                         const v1::ListBranchesRequest* request,
                                         grpc::ServerWriter<v1::BranchInfo>* writer) {
  return answer(*context, list(*request, *writer));
}

grpc::Status BranchService::UpdateBranch(grpc::ServerContext* context,
                                         const v1::UpdateBranchRequest* request,
                                         v1::BranchInfo* response) {
  return answer(*context, update(*request, *response));
}

grpc::Status BranchService::DeleteBranch(grpc::ServerContext* context,
                                         const v1::DeleteBranchRequest* request,
                                         v1::DeleteBranchResponse*) {
  return answer(*context, remove(*context, *request));
}

Result<void> BranchService::create(const grpc::ServerContext& context,
                                   const v1::CreateBranchRequest& request,
                                   v1::CreateBranchResponse& response) {
  v1::RefRequest change;
  *change.mutable_create_branch() = request;
  PFS_TRY_ASSIGN(const auto done, changes_.carry_out(context, change));
  response.set_head_moved(done.changed && !request.head().empty());
  return {};
}

Result<BranchService::PipelineInputs> BranchService::inputs_of_writers(
    std::span<const store::Branch> branches) const {
  PipelineInputs inputs;
  const bool any = std::any_of(branches.begin(), branches.end(),
                               [](const auto& branch) { return !branch.output_of.empty(); });
  if (pipelines_ == nullptr || !any) return inputs;
  PFS_TRY_ASSIGN(auto pipelines, pipelines_->list());
  for (auto& pipeline : pipelines) inputs[pipeline.name.str()] = std::move(pipeline.reads);
  return inputs;
}

Result<v1::BranchInfo> BranchService::info_of(const store::Branch& branch) const {
  PFS_TRY_ASSIGN(const auto inputs, inputs_of_writers({&branch, 1}));
  return info_of(branch, inputs);
}

v1::BranchInfo BranchService::info_of(const store::Branch& branch,
                                      const PipelineInputs& inputs) const {
  v1::BranchInfo info;
  info.set_repo(branch.ref.repo.str());
  info.set_name(branch.ref.branch.str());
  if (branch.head) info.set_head(branch.head->hex());
  info.set_open_commit(branch.open.hex());
  info.set_opened_by_hand(branch.opened_by_hand);
  info.set_output_of(branch.output_of);
  set_time(info.mutable_created(), branch.created);
  const auto policy = branch.policy.over(store_.catalog().default_policy());
  *info.mutable_policy() = policy_of({policy.when, policy.after, policy.max});
  *info.mutable_own_policy() = policy_of(branch.policy);
  const auto& said = branch.provenance;
  for (const auto& upstream : said) add_provenance(upstream, info);
  if (const auto read = inputs.find(branch.output_of); read != inputs.end()) {
    for (const auto& upstream : read->second) {
      if (std::find(said.begin(), said.end(), upstream) == said.end()) add_provenance(upstream, info);
    }
  }
  if (branch.trigger) {
    auto& trigger = *info.mutable_trigger();
    trigger.set_branch(branch.trigger->branch.str());
    trigger.set_cron(branch.trigger->cron);
    trigger.set_size(branch.trigger->size);
    trigger.set_commits(branch.trigger->commits);
    trigger.set_all(branch.trigger->all);
    trigger.set_text(branch.trigger->str());
  }
  return info;
}

Result<void> BranchService::update(const v1::UpdateBranchRequest& request,
                                   v1::BranchInfo& response) {
  PFS_TRY_ASSIGN(const auto ref, branch_ref(request.repo(), request.name()));
  const auto& asked = request.policy();
  const auto edit = [&asked](store::PolicySettings& policy) -> Result<void> {
    PFS_TRY(change(policy.when, asked.commit(), "commit", store::parse_commit_when));
    PFS_TRY(change(policy.after, asked.commit_after(), "commit-after", parse_duration));
    return change(policy.max, asked.commit_max(), "commit-max", parse_duration);
  };
  store::PolicySettings trial;
  PFS_TRY(edit(trial));  // so that nothing is changed by half
  PFS_TRY_ASSIGN(const auto branch,
                 store_.catalog().set_policy(ref, [&edit](auto& policy) { (void)edit(policy); }));
  PFS_TRY_ASSIGN(response, info_of(branch));
  return {};
}

Result<void> BranchService::list(const v1::ListBranchesRequest& request,
                                 grpc::ServerWriter<v1::BranchInfo>& writer) {
  std::optional<RepoName> repo;
  if (!request.repo().empty()) {
    PFS_TRY_ASSIGN(repo, RepoName::parse(request.repo()));
    PFS_TRY(store_.catalog().repo(*repo));
  }
  PFS_TRY_ASSIGN(const auto branches, store_.catalog().branches(repo));
  PFS_TRY_ASSIGN(const auto inputs, inputs_of_writers(branches));
  for (const auto& branch : branches) {
    if (!writer.Write(info_of(branch, inputs))) break;
  }
  return {};
}

Result<void> BranchService::remove(const grpc::ServerContext& context,
                                   const v1::DeleteBranchRequest& request) {
  PFS_TRY_ASSIGN(const auto caller, callers_.of(context));
  v1::RefRequest change;
  *change.mutable_delete_branch() = request;
  change.set_author(caller.name());
  PFS_TRY(changes_.carry_out(context, change));
  return {};
}

}  // namespace pfs::api
