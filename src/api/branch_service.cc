#include "api/branch_service.h"

#include <fmt/format.h>

#include "api/internal/answer.h"
#include "api/internal/refs.h"
#include "api/wire/time.h"

namespace pfs::api {
namespace {

v1::BranchInfo info_of(const store::Branch& branch) {
  v1::BranchInfo info;
  info.set_repo(branch.ref.repo.str());
  info.set_name(branch.ref.branch.str());
  if (branch.head) info.set_head(branch.head->hex());
  info.set_open_commit(branch.open.hex());
  info.set_opened_by_hand(branch.opened_by_hand);
  info.set_output_of(branch.output_of);
  set_time(info.mutable_created(), branch.created);
  return info;
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
    *response = info_of(branch);
    return {};
  }());
}

grpc::Status BranchService::ListBranches(grpc::ServerContext* context,
                                         const v1::ListBranchesRequest* request,
                                         grpc::ServerWriter<v1::BranchInfo>* writer) {
  return answer(*context, list(*request, *writer));
}

grpc::Status BranchService::DeleteBranch(grpc::ServerContext* context,
                                         const v1::DeleteBranchRequest* request,
                                         v1::DeleteBranchResponse*) {
  return answer(*context, remove(*context, *request));
}

Result<void> BranchService::create(const grpc::ServerContext& context,
                                   const v1::CreateBranchRequest& request,
                                   v1::CreateBranchResponse& response) {
  auto& catalog = store_.catalog();
  PFS_TRY_ASSIGN(const auto ref, branch_ref(request.repo(), request.name()));
  PFS_TRY(catalog.repo(ref.repo));
  const auto existing = catalog.branch(ref);
  if (!existing && existing.error().code != Code::kNotFound) return existing.error();

  if (request.head().empty()) {
    if (!existing) PFS_TRY(catalog.create_branch(ref, std::nullopt, false));
    return {};
  }
  PFS_TRY_ASSIGN(const auto head, CommitRef::parse_in(ref.repo, request.head()));
  if (existing) {
    PFS_TRY_ASSIGN(const bool moved, catalog.retarget(ref, head));
    response.set_head_moved(moved);
    return {};
  }
  PFS_TRY_ASSIGN(const auto caller, callers_.of(context));
  PFS_TRY(create_at(ref, head, caller.name()));
  response.set_head_moved(true);
  return {};
}

Result<void> BranchService::create_at(const BranchRef& ref, const CommitRef& head,
                                      const std::string& author) {
  auto& catalog = store_.catalog();
  if (head.branch) {
    // as retargeting does (docs/semantics.md S46): what was written to the source a moment ago is
    // meant, too
    store::FinishOptions options;
    options.author = author;
    options.automatic = true;
    PFS_TRY(catalog.finish(BranchRef{ref.repo, *head.branch}, options));
  }
  PFS_TRY_ASSIGN(const auto commit, catalog.resolve(head));
  if (commit.repo != ref.repo) {
    return Error{Code::kNotPermitted,
                 fmt::format("branch {}: commit {} is of repo {}; a HEAD stays in its repo",
                             ref.str(), commit.id.hex(), commit.repo.str())};
  }
  PFS_TRY(catalog.create_branch(ref, commit.id, false));
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
  for (const auto& branch : branches) {
    if (!writer.Write(info_of(branch))) break;
  }
  return {};
}

Result<void> BranchService::remove(const grpc::ServerContext& context,
                                   const v1::DeleteBranchRequest& request) {
  auto& catalog = store_.catalog();
  PFS_TRY_ASSIGN(const auto ref, branch_ref(request.repo(), request.name()));
  PFS_TRY_ASSIGN(const auto branch, catalog.branch(ref));
  if (branch.opened_by_hand && !request.force()) {
    return Error{
        Code::kBusy,
        fmt::format(
            "branch {}: commit {} is open; finish it first, or force and lose what is in it",
            ref.str(), branch.open.hex())};
  }
  if (!branch.opened_by_hand && branch.output_of.empty()) {
    // so that nothing is lost: the commit stays, by its id
    PFS_TRY_ASSIGN(const auto caller, callers_.of(context));
    store::FinishOptions options;
    options.author = caller.name();
    options.automatic = true;
    PFS_TRY(catalog.finish(ref, options));
  }
  return catalog.delete_branch(ref, true);
}

}  // namespace pfs::api
