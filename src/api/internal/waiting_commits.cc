#include "api/internal/waiting_commits.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "api/internal/commit_info.h"
#include "api/internal/downstream.h"
#include "api/internal/refs.h"

namespace pfs::api {
namespace {

constexpr auto kLook = std::chrono::milliseconds(250);  // whether the client is still there
constexpr std::size_t kEvents = 4096;
constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();

bool has_ended(trigger::JobState state) {
  switch (state) {
    case trigger::JobState::kStarting:
    case trigger::JobState::kRunning:
    case trigger::JobState::kMerging: return false;
    case trigger::JobState::kSuccess:
    case trigger::JobState::kFailure:
    case trigger::JobState::kKilled: return true;
  }
  return true;
}

Error failure_of(const trigger::JobInfo& job) {
  return {Code::kInvalid, fmt::format("job {} of pipeline {}: {}{}{}; see: pfs logs --job {}",
                                      job.id.hex(), job.pipeline.str(), trigger::name_of(job.state),
                                      job.reason.empty() ? "" : ": ", job.reason, job.id.hex())};
}

bool reads(const trigger::PipelineInfo& pipeline, const std::string& repo) {
  return std::any_of(pipeline.reads.begin(), pipeline.reads.end(),
                     [&repo](const BranchRef& branch) { return branch.repo.str() == repo; });
}

/// The first of the jobs that failed.
std::optional<trigger::JobInfo> failed_of(const std::vector<trigger::JobInfo>& jobs) {
  for (const auto& job : jobs) {
    if (has_ended(job.state) && job.state != trigger::JobState::kSuccess) return job;
  }
  return std::nullopt;
}

/// The jobs that a flush waits for: of each pipeline those that there are when the first of them is
/// seen. What is committed to other inputs meanwhile makes more jobs over the same commits, and
/// might do so for ever.
class Awaited {
 public:
  /// Of `pipelines` alone; empty: of all.
  explicit Awaited(std::set<std::string> pipelines) : pipelines_(std::move(pipelines)) {}

  void look(const Downstream& downstream, const std::vector<CommitId>& commits) {
    std::set<std::string> first_seen;
    for (const auto& commit : commits) {
      for (const auto& job : downstream.jobs(commit)) {
        const auto& pipeline = job.pipeline.str();
        if (!pipelines_.empty() && !pipelines_.contains(pipeline)) continue;
        if (seen_.contains(pipeline)) continue;
        jobs_.insert(job.id);
        first_seen.insert(pipeline);
      }
    }
    seen_.merge(first_seen);
  }
  bool contains(const trigger::JobInfo& job) const { return jobs_.contains(job.id); }

 private:
  const std::set<std::string> pipelines_;
  std::set<std::string> seen_;
  std::set<JobId> jobs_;
};

/// Sends each commit once.
class Sender {
 public:
  Sender(const store::Catalog& catalog, grpc::ServerWriter<v1::CommitInfo>& writer)
      : catalog_(catalog), writer_(writer) {}

  /// False: the client has hung up. A commit that is deleted meanwhile is passed over.
  Result<bool> send(const CommitId& id, const Downstream& downstream) {
    if (!sent_.insert(id).second) return true;
    const auto commit = catalog_.commit(id);
    if (!commit && commit.error().code == Code::kNotFound) return true;
    PFS_TRY(commit);
    auto info = info_of(*commit);
    set_progress(downstream.progress(id), info);
    return writer_.Write(info);
  }

 private:
  const store::Catalog& catalog_;
  grpc::ServerWriter<v1::CommitInfo>& writer_;
  std::set<CommitId> sent_;
};

/// Where the store's events are to be heard from on, so that none about the branch is missed. The
/// repo's record is written again when a branch is made in it.
Result<store::Seq> now_of(store::RefDb& refs, const BranchRef& ref) {
  PFS_TRY_ASSIGN(const auto branch, refs.get(branch_record(ref)));
  if (branch) return branch->version;
  PFS_TRY_ASSIGN(const auto repo, refs.get("repo/" + ref.repo.str()));
  return repo ? repo->version : store::Seq();
}

/// The repos whose commits come to be in `wanted`, or before it: its pipelines' inputs, and what
/// those are made from. Empty: all.
Result<std::set<std::string>> leading_to(const trigger::Pipelines& pipelines,
                                         const std::set<std::string>& wanted) {
  std::set<std::string> leading = wanted;
  if (wanted.empty()) return leading;
  PFS_TRY_ASSIGN(const auto all, pipelines.list());
  for (bool grew = true; grew;) {
    grew = false;
    for (const auto& reader : all) {
      if (!leading.contains(reader.output.repo.str())) continue;
      for (const auto& maker : all) {
        const auto& made = maker.output.repo.str();
        if (reads(reader, made) && leading.insert(made).second) grew = true;
      }
    }
  }
  return leading;
}

Error hung_up() { return {Code::kCancelled, "the client has hung up"}; }

}  // namespace

Result<void> flush_commits(const store::Catalog& catalog, const trigger::Pipelines* pipelines,
                           const v1::FlushCommitsRequest& request,
                           const grpc::ServerContext& context,
                           grpc::ServerWriter<v1::CommitInfo>& writer) {
  std::vector<CommitId> commits;
  for (const auto& name : request.commits()) {
    PFS_TRY_ASSIGN(const auto ref, commit_ref(name.repo(), name.ref()));
    PFS_TRY_ASSIGN(const auto commit, catalog.resolve(ref));
    commits.push_back(commit.id);
  }
  std::set<std::string> repos;
  for (const auto& name : request.repos()) {
    PFS_TRY_ASSIGN(const auto repo, RepoName::parse(name));
    PFS_TRY(catalog.repo(repo));
    repos.insert(name);
  }
  if (pipelines == nullptr) return {};

  Sender sender(catalog, writer);
  PFS_TRY_ASSIGN(auto leading, leading_to(*pipelines, repos));
  Awaited awaited(std::move(leading));
  for (;;) {
    // the jobs that a commit causes are recorded with it, also those of what the first ones put out:
    // whoever knows the commit sees all of them
    PFS_TRY_ASSIGN(const auto downstream, Downstream::of_all(pipelines));
    awaited.look(downstream, commits);
    const auto regards = [&awaited](const auto& job) { return awaited.contains(job); };
    std::optional<trigger::JobInfo> pending;
    std::optional<trigger::JobInfo> failed;
    for (const auto& commit : commits) {
      for (const auto& job : downstream.jobs(commit)) {
        if (!awaited.contains(job)) continue;
        if (!has_ended(job.state)) {
          if (!pending) pending = job;
          continue;
        }
        if (!job.output_commit || (!repos.empty() && !repos.contains(job.pipeline.str()))) continue;
        PFS_TRY_ASSIGN(const bool sent, sender.send(*job.output_commit, downstream));
        if (!sent) return hung_up();
      }
      if (!failed) failed = failed_of(downstream.newest_jobs(commit, regards));
    }
    if (!pending && failed) return failure_of(*failed);
    if (!pending) return {};
    const auto waited = pipelines->wait(pending->id, [&context] { return !context.IsCancelled(); });
    // not found: its pipeline was deleted, and it with it
    if (!waited && waited.error().code != Code::kNotFound) return waited.error();
  }
}

Result<void> subscribe_commits(store::Store& store, const trigger::Pipelines* pipelines,
                               const v1::SubscribeCommitsRequest& request,
                               const grpc::ServerContext& context,
                               grpc::ServerWriter<v1::CommitInfo>& writer) {
  const auto& catalog = store.catalog();
  PFS_TRY_ASSIGN(const auto ref, branch_ref(request.repo(), request.branch()));
  PFS_TRY(catalog.repo(ref.repo));
  if (request.new_only() && !request.from().empty()) {
    return Error{
        Code::kInvalid,
        fmt::format("branch {}: from a commit on, or new ones: say one of the two", ref.str())};
  }
  std::optional<CommitId> from;
  if (!request.from().empty()) {
    PFS_TRY_ASSIGN(const auto from_ref, CommitRef::parse_in(ref.repo, request.from()));
    PFS_TRY_ASSIGN(const auto commit, catalog.resolve(from_ref));
    PFS_TRY(check_in_history(catalog, ref, commit));
    from = commit.id;
  }

  // the log's place and that of the events first: what comes between is told by both, and sent once
  PFS_TRY_ASSIGN(auto heard, now_of(store.refs(), ref));
  PFS_TRY_ASSIGN(const auto newest, catalog.log(ref, 1));
  std::uint64_t seen = newest.empty() ? 0 : newest.front().number;
  Sender sender(catalog, writer);
  auto existing = catalog.commits(ref.repo, ref.branch, kAll);
  if (!existing && existing.error().code != Code::kNotFound) return existing.error();
  if (existing) {
    PFS_TRY_ASSIGN(const auto downstream, Downstream::of(pipelines));
    const auto end = std::find_if(existing->begin(), existing->end(),
                                  [&](const store::Commit& commit) { return commit.id == from; });
    for (auto it = std::make_reverse_iterator(end); !request.new_only() && it != existing->rend();
         ++it) {
      PFS_TRY_ASSIGN(const bool sent, sender.send(it->id, downstream));
      if (!sent) return hung_up();
    }
  }
  while (!context.IsCancelled()) {
    PFS_TRY_ASSIGN(auto log, catalog.log(ref, 1));
    if (log.empty() || log.front().number <= seen) {
      PFS_TRY_ASSIGN(const auto events, store.refs().events(heard, kEvents, kLook));
      if (!events.empty()) heard = events.back().seq;
      continue;
    }
    PFS_TRY_ASSIGN(log, catalog.log(ref, log.front().number - seen));
    PFS_TRY_ASSIGN(const auto downstream, Downstream::of(pipelines));
    for (auto it = log.rbegin(); it != log.rend(); ++it) {
      if (it->number <= seen) continue;
      PFS_TRY_ASSIGN(const bool sent, sender.send(it->new_head, downstream));
      if (!sent) return hung_up();
      seen = it->number;
    }
  }
  return hung_up();
}

}  // namespace pfs::api
