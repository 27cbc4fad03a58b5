#include "api/client/commits.h"

#include "api/client/internal/wire.h"
#include "api/wire/time.h"
#include "pfs/v1/commit.grpc.pb.h"

namespace pfs::client {
namespace {

Commit commit_of(const v1::CommitInfo& info) {
  Commit commit;
  commit.id = info.id();
  commit.repo = info.repo();
  commit.branch = info.branch();
  commit.parent = info.parent();
  commit.started = api::time_of(info.started());
  if (info.has_finished()) commit.finished = api::time_of(info.finished());
  commit.by_hand = info.by_hand();
  commit.size = info.size();
  commit.files = info.files();
  commit.author = info.author();
  commit.description = info.description();
  for (const auto& cause : info.provenance())
    commit.provenance.push_back({cause.repo(), cause.branch(), cause.commit()});
  commit.jobs_succeeded = info.progress().succeeded();
  commit.jobs_pending = info.progress().pending();
  commit.jobs_failed = info.progress().failed();
  return commit;
}

Result<std::vector<Commit>> listed(const Connection& connection,
                                   const v1::ListCommitsRequest& request) {
  std::vector<Commit> commits;
  grpc::ClientContext context;
  const auto stub = v1::CommitService::NewStub(connection.wire().channel);
  const auto reader = stub->ListCommits(&context, request);
  PFS_TRY(read_all<v1::CommitInfo>(*reader, context, connection,
                                   [&commits](const v1::CommitInfo& info) {
                                     commits.push_back(commit_of(info));
                                     return Result<void>();
                                   }));
  return commits;
}

}  // namespace

Result<std::string> Commits::start(const BranchRef& ref, const std::optional<CommitRef>& parent,
                                   const std::string& description) const {
  v1::StartCommitRequest request;
  request.set_repo(ref.repo.str());
  request.set_branch(ref.branch.str());
  request.set_description(description);
  if (parent) request.set_parent(parent->name());
  v1::StartCommitResponse response;
  grpc::ClientContext context;
  join_transaction(context, connection_);
  const auto stub = v1::CommitService::NewStub(connection_.wire().channel);
  PFS_TRY(outcome_of(stub->StartCommit(&context, request, &response), context, connection_));
  return response.id();
}

Result<FinishedCommit> Commits::finish(const CommitRef& ref, const std::string& description) const {
  v1::FinishCommitRequest request;
  request.set_repo(ref.repo.str());
  request.set_ref(ref.name());
  request.set_description(description);
  v1::FinishCommitResponse response;
  grpc::ClientContext context;
  join_transaction(context, connection_);
  const auto stub = v1::CommitService::NewStub(connection_.wire().channel);
  PFS_TRY(outcome_of(stub->FinishCommit(&context, request, &response), context, connection_));
  return FinishedCommit{response.id(), response.made()};
}

Result<Commit> Commits::inspect(const CommitRef& ref) const {
  v1::InspectCommitRequest request;
  request.set_repo(ref.repo.str());
  request.set_ref(ref.name());
  v1::CommitInfo response;
  grpc::ClientContext context;
  const auto stub = v1::CommitService::NewStub(connection_.wire().channel);
  PFS_TRY(outcome_of(stub->InspectCommit(&context, request, &response), context, connection_));
  return commit_of(response);
}

Result<std::vector<Commit>> Commits::list(const RepoName& repo,
                                          const std::optional<BranchName>& branch,
                                          std::uint64_t limit,
                                          const std::optional<CommitRef>& from) const {
  v1::ListCommitsRequest request;
  request.set_repo(repo.str());
  if (branch) request.set_branch(branch->str());
  request.set_limit(limit);
  if (from) request.set_from(from->name());
  return listed(connection_, request);
}

Result<std::vector<Commit>> Commits::history(const CommitRef& of, std::uint64_t limit) const {
  v1::ListCommitsRequest request;
  request.set_repo(of.repo.str());
  request.set_of(of.name());
  request.set_limit(limit);
  return listed(connection_, request);
}

Result<std::string> Commits::remove(const CommitRef& ref, bool squash) const {
  return remove(ref.repo.str(), ref.name(), squash);
}

Result<std::string> Commits::remove(const CommitId& id, bool squash) const {
  return remove("", id.hex(), squash);
}

Result<std::string> Commits::remove(const std::string& repo, const std::string& ref,
                                    bool squash) const {
  v1::DeleteCommitRequest request;
  request.set_repo(repo);
  request.set_ref(ref);
  request.set_squash(squash);
  v1::DeleteCommitResponse response;
  grpc::ClientContext context;
  join_transaction(context, connection_);
  const auto stub = v1::CommitService::NewStub(connection_.wire().channel);
  PFS_TRY(outcome_of(stub->DeleteCommit(&context, request, &response), context, connection_));
  return response.id();
}

Result<void> Commits::flush(const std::vector<CommitRef>& commits,
                            const std::vector<RepoName>& repos, const Visit& visit) const {
  v1::FlushCommitsRequest request;
  for (const auto& ref : commits) {
    auto* name = request.add_commits();
    name->set_repo(ref.repo.str());
    name->set_ref(ref.name());
  }
  for (const auto& repo : repos) request.add_repos(repo.str());
  grpc::ClientContext context;
  const auto stub = v1::CommitService::NewStub(connection_.wire().channel);
  const auto reader = stub->FlushCommits(&context, request);
  return read_all<v1::CommitInfo>(
      *reader, context, connection_,
      [&visit](const v1::CommitInfo& info) { return visit(commit_of(info)); });
}

Result<void> Commits::subscribe(const BranchRef& branch, const std::optional<CommitRef>& from,
                                bool new_only, const Visit& visit) const {
  v1::SubscribeCommitsRequest request;
  request.set_repo(branch.repo.str());
  request.set_branch(branch.branch.str());
  if (from) request.set_from(from->name());
  request.set_new_only(new_only);
  grpc::ClientContext context;
  const auto stub = v1::CommitService::NewStub(connection_.wire().channel);
  const auto reader = stub->SubscribeCommits(&context, request);
  return read_all<v1::CommitInfo>(
      *reader, context, connection_,
      [&visit](const v1::CommitInfo& info) { return visit(commit_of(info)); });
}

}  // namespace pfs::client
