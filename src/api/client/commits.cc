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

}  // namespace

Result<std::string> Commits::start(const BranchRef& ref, const std::string& description) const {
  v1::StartCommitRequest request;
  request.set_repo(ref.repo.str());
  request.set_branch(ref.branch.str());
  request.set_description(description);
  v1::StartCommitResponse response;
  grpc::ClientContext context;
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
                                          std::uint64_t limit) const {
  v1::ListCommitsRequest request;
  request.set_repo(repo.str());
  if (branch) request.set_branch(branch->str());
  request.set_limit(limit);
  std::vector<Commit> commits;
  grpc::ClientContext context;
  const auto stub = v1::CommitService::NewStub(connection_.wire().channel);
  const auto reader = stub->ListCommits(&context, request);
  PFS_TRY(read_all<v1::CommitInfo>(*reader, context, connection_,
                                   [&commits](const v1::CommitInfo& info) {
                                     commits.push_back(commit_of(info));
                                     return Result<void>();
                                   }));
  return commits;
}

}  // namespace pfs::client
