#include "api/commit_service.h"

#include <limits>

#include <fmt/format.h>

#include "api/internal/answer.h"
#include "api/internal/downstream.h"
#include "api/internal/live_branch.h"
#include "api/internal/refs.h"
#include "api/wire/time.h"

namespace pfs::api {
namespace {

v1::CommitInfo info_of(const store::Commit& commit, const Downstream& downstream) {
  v1::CommitInfo info;
  info.set_id(commit.id.hex());
  info.set_repo(commit.repo.str());
  info.set_branch(commit.branch.str());
  if (commit.parent) info.set_parent(commit.parent->hex());
  set_time(info.mutable_started(), commit.started);
  set_time(info.mutable_finished(), commit.finished);
  info.set_size(commit.root.totals.bytes);
  info.set_files(commit.root.totals.files);
  info.set_author(commit.author);
  info.set_description(commit.description);
  for (const auto& cause : commit.provenance) {
    auto* out = info.add_provenance();
    out->set_repo(cause.branch.repo.str());
    out->set_branch(cause.branch.branch.str());
    out->set_commit(cause.commit.hex());
  }
  const auto progress = downstream.progress(commit.id);
  info.mutable_progress()->set_succeeded(progress.succeeded);
  info.mutable_progress()->set_pending(progress.pending);
  info.mutable_progress()->set_failed(progress.failed);
  return info;
}

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
  PFS_TRY_ASSIGN(const auto ref, branch_ref(request.repo(), request.branch()));
  PFS_TRY_ASSIGN(const auto caller, callers_.of(context));
  PFS_TRY(make_branch_if_missing(store_, ref, caller));
  PFS_TRY_ASSIGN(const auto id, store_.catalog().start_commit(ref, request.description()));
  response.set_id(id.hex());
  return {};
}

Result<void> CommitService::finish(const grpc::ServerContext& context,
                                   const v1::FinishCommitRequest& request,
                                   v1::FinishCommitResponse& response) {
  auto& catalog = store_.catalog();
  PFS_TRY_ASSIGN(const auto ref, commit_ref(request.repo(), request.ref()));
  std::optional<BranchRef> branch;
  if (ref.ancestry.direction == Ancestry::Direction::kNone) {
    if (ref.branch) {
      branch = BranchRef{ref.repo, *ref.branch};
    } else {
      PFS_TRY_ASSIGN(branch, branch_with_open(catalog, ref.repo, *ref.id));
    }
  }
  if (!branch)
    return Error{Code::kInvalid, fmt::format("commit {}: is not open; name its branch", ref.str())};

  PFS_TRY_ASSIGN(const auto open, catalog.open_commit(*branch));
  PFS_TRY_ASSIGN(const auto caller, callers_.of(context));
  store::FinishOptions options;
  options.author = caller.name();
  options.description = request.description().empty() ? open.description : request.description();
  options.keep_unchanged = open.by_hand;
  PFS_TRY_ASSIGN(const auto finished, catalog.finish(*branch, options));
  if (finished.commit) response.set_id(finished.commit.hex());
  response.set_made(finished.made);
  return {};
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
  info = info_of(commit, downstream);
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

  std::uint64_t left =
      request.limit() == 0 ? std::numeric_limits<std::uint64_t>::max() : request.limit();
  PFS_TRY_ASSIGN(const auto open, open_commits(repo, branch));
  for (const auto& info : open) {
    if (left == 0 || !writer.Write(info)) return {};
    --left;
  }
  PFS_TRY_ASSIGN(const auto commits, catalog.commits(repo, branch, left));
  PFS_TRY_ASSIGN(const auto downstream, Downstream::of(pipelines_));
  for (const auto& commit : commits) {
    if (!writer.Write(info_of(commit, downstream))) break;
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
