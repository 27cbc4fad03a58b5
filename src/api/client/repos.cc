#include "api/client/repos.h"

#include "api/client/internal/wire.h"
#include "api/wire/time.h"
#include "pfs/v1/repo.grpc.pb.h"

namespace pfs::client {
namespace {

Repo repo_of(const v1::RepoInfo& info) {
  return {info.name(), info.description(), api::time_of(info.created()), info.master_size()};
}

}  // namespace

Result<void> Repos::create(const RepoName& name, const std::string& description) const {
  v1::CreateRepoRequest request;
  request.set_name(name.str());
  request.set_description(description);
  v1::CreateRepoResponse response;
  grpc::ClientContext context;
  join_transaction(context, connection_);
  const auto status = v1::RepoService::NewStub(connection_.wire().channel)
                          ->CreateRepo(&context, request, &response);
  return outcome_of(status, context, connection_);
}

Result<void> Repos::update(const RepoName& name, const std::string& description) const {
  v1::UpdateRepoRequest request;
  request.set_name(name.str());
  request.set_description(description);
  v1::UpdateRepoResponse response;
  grpc::ClientContext context;
  join_transaction(context, connection_);
  const auto stub = v1::RepoService::NewStub(connection_.wire().channel);
  return outcome_of(stub->UpdateRepo(&context, request, &response), context, connection_);
}

Result<void> Repos::remove(const RepoName& name, bool force) const {
  return remove(name.str(), false, force);
}

Result<void> Repos::remove_all(bool force) const { return remove("", true, force); }

Result<void> Repos::remove(const std::string& name, bool all, bool force) const {
  v1::DeleteRepoRequest request;
  request.set_name(name);
  request.set_all(all);
  request.set_force(force);
  v1::DeleteRepoResponse response;
  grpc::ClientContext context;
  join_transaction(context, connection_);
  const auto stub = v1::RepoService::NewStub(connection_.wire().channel);
  return outcome_of(stub->DeleteRepo(&context, request, &response), context, connection_);
}

Result<Repo> Repos::inspect(const RepoName& name) const {
  v1::InspectRepoRequest request;
  request.set_name(name.str());
  v1::RepoInfo response;
  grpc::ClientContext context;
  const auto status = v1::RepoService::NewStub(connection_.wire().channel)
                          ->InspectRepo(&context, request, &response);
  PFS_TRY(outcome_of(status, context, connection_));
  return repo_of(response);
}

Result<std::vector<Repo>> Repos::list() const {
  std::vector<Repo> repos;
  grpc::ClientContext context;
  const auto stub = v1::RepoService::NewStub(connection_.wire().channel);
  const auto reader = stub->ListRepos(&context, v1::ListReposRequest());
  PFS_TRY(read_all<v1::RepoInfo>(*reader, context, connection_, [&repos](const v1::RepoInfo& info) {
    repos.push_back(repo_of(info));
    return Result<void>();
  }));
  return repos;
}

}  // namespace pfs::client
