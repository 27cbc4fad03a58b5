#include "api/repo_service.h"

#include "api/internal/answer.h"
#include "api/wire/time.h"

namespace pfs::api {

grpc::Status RepoService::CreateRepo(grpc::ServerContext* context,
                                     const v1::CreateRepoRequest* request,
                                     v1::CreateRepoResponse*) {
  v1::RefRequest change;
  *change.mutable_create_repo() = *request;
  return carry_out(*context, change);
}

grpc::Status RepoService::UpdateRepo(grpc::ServerContext* context,
                                     const v1::UpdateRepoRequest* request,
                                     v1::UpdateRepoResponse*) {
  v1::RefRequest change;
  *change.mutable_update_repo() = *request;
  return carry_out(*context, change);
}

grpc::Status RepoService::DeleteRepo(grpc::ServerContext* context,
                                     const v1::DeleteRepoRequest* request,
                                     v1::DeleteRepoResponse*) {
  v1::RefRequest change;
  *change.mutable_delete_repo() = *request;
  return carry_out(*context, change);
}

grpc::Status RepoService::InspectRepo(grpc::ServerContext* context,
                                      const v1::InspectRepoRequest* request,
                                      v1::RepoInfo* response) {
  return answer(*context, inspect(request->name(), *response));
}

grpc::Status RepoService::ListRepos(grpc::ServerContext* context, const v1::ListReposRequest*,
                                    grpc::ServerWriter<v1::RepoInfo>* writer) {
  return answer(*context, list(*writer));
}

grpc::Status RepoService::carry_out(grpc::ServerContext& context, const v1::RefRequest& request) {
  const auto done = changes_.carry_out(context, request);
  return answer(context, done ? Result<void>() : done.error());
}

Result<void> RepoService::inspect(const std::string& name, v1::RepoInfo& info) {
  PFS_TRY_ASSIGN(const auto checked, RepoName::parse(name));
  PFS_TRY_ASSIGN(const auto repo, store_.catalog().repo(checked));
  return describe(repo, info);
}

Result<void> RepoService::list(grpc::ServerWriter<v1::RepoInfo>& writer) {
  PFS_TRY_ASSIGN(const auto repos, store_.catalog().repos());
  for (const auto& repo : repos) {
    v1::RepoInfo info;
    PFS_TRY(describe(repo, info));
    if (!writer.Write(info)) break;  // the client has hung up
  }
  return {};
}

Result<void> RepoService::describe(const store::Repo& repo, v1::RepoInfo& info) {
  info.set_name(repo.name.str());
  info.set_description(repo.description);
  set_time(info.mutable_created(), repo.created);
  PFS_TRY_ASSIGN(const auto master, BranchName::parse("master"));
  const auto branch = store_.catalog().branch(BranchRef{repo.name, master});
  if (!branch && branch.error().code != Code::kNotFound) return branch.error();
  if (branch && branch->head) {
    PFS_TRY_ASSIGN(const auto commit, store_.catalog().commit(*branch->head));
    info.set_master_size(commit.root.totals.bytes);
  }
  return {};
}

}  // namespace pfs::api
