#include "api/job_service.h"

#include <chrono>
#include <limits>
#include <thread>

#include "api/internal/answer.h"
#include "api/internal/jobs.h"
#include "api/wire/time.h"

namespace pfs::api {
namespace {

/// How often a follower looks for new lines.
constexpr std::chrono::milliseconds kFollowPause{300};

v1::JobInfo info_of(const trigger::JobInfo& job) {
  v1::JobInfo info;
  info.set_id(job.id.hex());
  info.set_pipeline(job.pipeline.str());
  info.set_pipeline_version(job.pipeline_version);
  info.set_state(wire_state(job.state));
  info.set_reason(job.reason);
  set_time(info.mutable_started(), job.started);
  if (job.finished) set_time(info.mutable_finished(), *job.finished);
  info.set_processed(job.processed);
  info.set_skipped(job.skipped);
  info.set_failed(job.failed);
  info.set_total(job.total);
  info.set_restarts(job.restarts);
  info.set_downloaded_bytes(job.downloaded_bytes);
  info.set_uploaded_bytes(job.uploaded_bytes);
  for (const auto& input : job.inputs) {
    auto* out = info.add_inputs();
    out->set_repo(input.branch.repo.str());
    out->set_branch(input.branch.branch.str());
    if (input.commit) out->set_commit(input.commit->hex());
    if (input.from) out->set_from_job(input.from->hex());
  }
  if (job.output_commit) info.set_output_commit(job.output_commit->hex());
  return info;
}

v1::LogLine wire_line(const trigger::LogLine& line) {
  v1::LogLine out;
  set_time(out.mutable_time(), line.when);
  out.set_pipeline(line.pipeline);
  out.set_job(line.job);
  out.set_datum(line.datum);
  out.set_text(line.text);
  out.set_user(line.user);
  return out;
}

}  // namespace

grpc::Status JobService::InspectJob(grpc::ServerContext* context,
                                    const v1::InspectJobRequest* request, v1::JobInfo* response) {
  return answer(*context, inspect(*context, *request, *response));
}

grpc::Status JobService::ListJobs(grpc::ServerContext* context, const v1::ListJobsRequest* request,
                                  grpc::ServerWriter<v1::JobInfo>* writer) {
  return answer(*context, list(*request, *writer));
}

grpc::Status JobService::GetLogs(grpc::ServerContext* context, const v1::GetLogsRequest* request,
                                 grpc::ServerWriter<v1::LogLine>* writer) {
  return answer(*context, logs(*context, *request, *writer));
}

Result<void> JobService::inspect(const grpc::ServerContext& context,
                                 const v1::InspectJobRequest& request, v1::JobInfo& info) {
  PFS_TRY(require(pipelines_));
  PFS_TRY_ASSIGN(const auto id, JobId::from_hex(request.id()));
  PFS_TRY_ASSIGN(auto job, pipelines_->job(id));
  if (request.wait() && !job.finished) {
    PFS_TRY_ASSIGN(job, pipelines_->wait(id, [&context] { return !context.IsCancelled(); }));
  }
  info = info_of(job);
  return {};
}

Result<void> JobService::list(const v1::ListJobsRequest& request,
                              grpc::ServerWriter<v1::JobInfo>& writer) {
  PFS_TRY(require(pipelines_));
  std::optional<RepoName> pipeline;
  if (!request.pipeline().empty()) {
    PFS_TRY_ASSIGN(pipeline, RepoName::parse(request.pipeline()));
    PFS_TRY(pipelines_->get(*pipeline));
  }
  const auto limit =
      request.limit() == 0 ? std::numeric_limits<std::size_t>::max() : request.limit();
  PFS_TRY_ASSIGN(const auto jobs, pipelines_->jobs(pipeline, limit));
  for (const auto& job : jobs) {
    if (!writer.Write(info_of(job))) break;
  }
  return {};
}

Result<void> JobService::logs(const grpc::ServerContext& context, const v1::GetLogsRequest& request,
                              grpc::ServerWriter<v1::LogLine>& writer) {
  PFS_TRY(require(pipelines_));
  PFS_TRY_ASSIGN(const auto filter, filter_of(request));
  std::uint64_t sent = 0;
  bool listening = true;
  while (true) {
    bool ended = !request.follow();
    if (request.follow() && filter.job) {
      // asked before the lines are read, so that the last ones are among them
      PFS_TRY_ASSIGN(const auto job, pipelines_->job(*filter.job));
      ended = job.finished.has_value();
    }
    std::uint64_t seen = 0;
    PFS_TRY(pipelines_->logs(filter, [&](const trigger::LogLine& line) {
      if (seen++ < sent) return true;
      listening = writer.Write(wire_line(line));
      ++sent;
      return listening;
    }));
    if (ended || !listening || context.IsCancelled()) return {};
    std::this_thread::sleep_for(kFollowPause);
  }
}

Result<trigger::LogFilter> JobService::filter_of(const v1::GetLogsRequest& request) const {
  trigger::LogFilter filter;
  if (!request.pipeline().empty()) {
    PFS_TRY_ASSIGN(filter.pipeline, RepoName::parse(request.pipeline()));
    PFS_TRY(pipelines_->get(*filter.pipeline));
  }
  if (!request.job().empty()) {
    PFS_TRY_ASSIGN(filter.job, JobId::from_hex(request.job()));
    PFS_TRY(pipelines_->job(*filter.job));
  }
  filter.datum = request.datum();
  return filter;
}

}  // namespace pfs::api
