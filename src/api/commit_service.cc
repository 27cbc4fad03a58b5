#include "api/commit_service.h"

#include <limits>

#include <fmt/format.h>

#include "api/internal/answer.h"
#include "api/internal/commit_info.h"
#include "api/internal/downstream.h"
#include "api/internal/refs.h"
#include "api/internal/waiting_commits.h"
#include "api/wire/time.h"

namespace pfs::api {
namespace {

v1::CommitInfo info_of_open(const store::Branch& branch, const store::OpenCommit& open) {
  v1::CommitInfo info;
  info.set_id(open.id.hex());
  info.set_repo(branch.ref.repo.str());
  info.set_branch(branch.ref.branch.str());
  if (branch.head) info.set_parent(branch.head->hex());
  set_time(info.mutable_started(), open.since);
  info.set_by_hand(open.by_hand);
  info.set_description(open.description);
  return info;
}

}  // namespace

grpc::Status CommitService::StartCommit(grpc::ServerContext* context,
                                        const v1::StartCommitRequest* request,
                                        v1::StartCommitResponse* response) {
  return answer(*context, start(*context, *request, *response));
}

grpc::Status CommitService::FinishCommit(grpc::ServerContext* context,
                                         const v1::FinishCommitRequest* request,
                                         v1::FinishCommitResponse* response) {
  return answer(*context, finish(*context, *request, *response));
}

grpc::Status CommitService::InspectCommit(grpc::ServerContext* context,
                                          const v1::InspectCommitRequest* request,
                                          v1::CommitInfo* response) {
  return answer(*context, inspect(*request, *response));
}

grpc::Status CommitService::ListCommits(grpc::ServerContext* context,
                                        const v1::ListCommitsRequest* request,
                                        grpc::ServerWriter<v1::CommitInfo>* writer) {
  return answer(*context, list(*request, *writer));
}

Result<void> CommitService::start(const grpc::ServerContext& context,
                                  const v1::StartCommitRequest& request,
                                  v1::StartCommitResponse& response) {
  v1::RefRequest change;
  *change.mutable_start_commit() = request;
  PFS_TRY_ASSIGN(const auto done, changes_.carry_out(context, change));
  response.set_id(done.commit.hex());
  return {};
}

Result<void> CommitService::finish(const grpc::ServerContext& context,
                                   const v1::FinishCommitRequest& request,
                                   v1::FinishCommitResponse& response) {
  PFS_TRY_ASSIGN(const auto caller, callers_.of(context));
  v1::RefRequest change;
  *change.mutable_finish_commit() = request;
  change.set_author(caller.name());
  PFS_TRY_ASSIGN(const auto done, changes_.carry_out(context, change));
  if (!done.changed && !Transactions::named_by(context))
    PFS_TRY(refuse_second_finish(request, done.commit));
  if (done.commit) response.set_id(done.commit.hex());
  response.set_made(done.changed);
  return {};
}

grpc::Status CommitService::DeleteCommit(grpc::ServerContext* context,
                                         const v1::DeleteCommitRequest* request,
                                         v1::DeleteCommitResponse* response) {
  v1::RefRequest change;
  *change.mutable_delete_commit() = *request;
  const auto done = changes_.carry_out(*context, change);
  if (done) response->set_id(done->commit.hex());
  return answer(*context, done ? Result<void>() : done.error());
}

grpc::Status CommitService::FlushCommits(grpc::ServerContext* context,
                                         const v1::FlushCommitsRequest* request,
                                         grpc::ServerWriter<v1::CommitInfo>* writer) {
  return answer(*context, flush_commits(store_.catalog(), pipelines_, *request, *context, *writer));
}

grpc::Status CommitService::SubscribeCommits(grpc::ServerContext* context,
                                             const v1::SubscribeCommitsRequest* request,
                                             grpc::ServerWriter<v1::CommitInfo>* writer) {
  return answer(*context, subscribe_commits(store_, pipelines_, *request, *context, *writer));
}

// A branch without changes has been committed by itself, which whoever asks for it wants to hear
// nothing of; but who has finished a commit that was started by hand and finishes it again is
// mistaken. Only such a commit was started before it was finished.
Result<void> CommitService::refuse_second_finish(const v1::FinishCommitRequest& request,
                                                 const CommitId& head) {
  PFS_TRY_ASSIGN(const auto ref, commit_ref(request.repo(), request.ref()));
  if (!head || !ref.branch) return {};
  PFS_TRY_ASSIGN(const auto commit, store_.catalog().commit(head));
  if (commit.branch != *ref.branch || commit.started == commit.finished) return {};
  return Error{Code::kInvalid,
               fmt::format("commit {}@{}: is finished already, and nothing has changed in {} since",
                           ref.repo.str(), head.hex(), ref.str())};
}

Result<void> CommitService::inspect(const v1::InspectCommitRequest& request, v1::CommitInfo& info) {
  auto& catalog = store_.catalog();
  PFS_TRY_ASSIGN(const auto ref, commit_ref(request.repo(), request.ref()));
  if (ref.id && ref.ancestry.direction == Ancestry::Direction::kNone) {
    PFS_TRY_ASSIGN(const auto branch, branch_with_open(catalog, ref.repo, *ref.id));
    if (branch) {
      PFS_TRY_ASSIGN(const auto described, catalog.branch(*branch));
      PFS_TRY_ASSIGN(const auto open, catalog.open_commit(*branch));
      info = info_of_open(described, open);
      return {};
    }
  }
  PFS_TRY_ASSIGN(const auto commit, catalog.resolve(ref));
  PFS_TRY_ASSIGN(const auto downstream, Downstream::of(pipelines_));
  info = info_of(commit);
  set_progress(downstream.progress(commit.id), info);
  return {};
}

Result<void> CommitService::list(const v1::ListCommitsRequest& request,
                                 grpc::ServerWriter<v1::CommitInfo>& writer) {
  auto& catalog = store_.catalog();
  PFS_TRY_ASSIGN(const auto repo, RepoName::parse(request.repo()));
  PFS_TRY(catalog.repo(repo));
  std::optional<BranchName> branch;
  if (!request.branch().empty()) {
    PFS_TRY_ASSIGN(branch, BranchName::parse(request.branch()));
    PFS_TRY(catalog.branch(BranchRef{repo, *branch}));
  }

  std::optional<CommitId> from;
  if (!request.from().empty()) {
    if (!branch) return Error{Code::kInvalid, "commits from one on: name a branch, repo@branch"};
    PFS_TRY_ASSIGN(const auto from_ref, CommitRef::parse_in(repo, request.from()));
    PFS_TRY_ASSIGN(const auto commit, catalog.resolve(from_ref));
    PFS_TRY(check_in_history(catalog, BranchRef{repo, *branch}, commit));
    from = commit.id;
  }

  std::uint64_t left =
      request.limit() == 0 ? std::numeric_limits<std::uint64_t>::max() : request.limit();
  if (!request.of().empty()) {
    if (branch) return Error{Code::kInvalid, "commits of a branch and of a commit: name one of them"};
    return list_history(repo, request.of(), left, writer);
  }
  PFS_TRY_ASSIGN(const auto open, open_commits(repo, branch));
  for (const auto& info : open) {
    if (left == 0 || !writer.Write(info)) return {};
    --left;
  }
  PFS_TRY_ASSIGN(const auto commits, catalog.commits(repo, branch, left));
  PFS_TRY_ASSIGN(const auto downstream, Downstream::of(pipelines_));
  for (const auto& commit : commits) {
    if (from && commit.id == *from) break;
    auto info = info_of(commit);
    set_progress(downstream.progress(commit.id), info);
    if (!writer.Write(info)) break;
  }
  return {};
}

Result<void> CommitService::list_history(const RepoName& repo, const std::string& of,
                                         std::uint64_t limit,
                                         grpc::ServerWriter<v1::CommitInfo>& writer) {
  auto& catalog = store_.catalog();
  PFS_TRY_ASSIGN(const auto ref, CommitRef::parse_in(repo, of));
  PFS_TRY_ASSIGN(const auto downstream, Downstream::of(pipelines_));
  PFS_TRY_ASSIGN(auto commit, catalog.resolve(ref));
  for (std::uint64_t count = 0; count < limit; ++count) {
    auto info = info_of(commit);
    set_progress(downstream.progress(commit.id), info);
    if (!writer.Write(info) || !commit.parent) break;
    PFS_TRY_ASSIGN(commit, catalog.commit(*commit.parent));
  }
  return {};
}

Result<std::vector<v1::CommitInfo>> CommitService::open_commits(
    const RepoName& repo, const std::optional<BranchName>& branch) {
  std::vector<v1::CommitInfo> infos;
  PFS_TRY_ASSIGN(const auto branches, store_.catalog().branches(repo));
  for (const auto& candidate : branches) {
    if (branch && candidate.ref.branch != *branch) continue;
    PFS_TRY_ASSIGN(const auto open, store_.catalog().open_commit(candidate.ref));
    if (open.by_hand || open.changed) infos.push_back(info_of_open(candidate, open));
  }
  return infos;
}

}  // namespace pfs::api
