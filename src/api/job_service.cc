#include "api/job_service.h"

#include <algorithm>
#include <limits>

#include "api/internal/answer.h"
#include "api/internal/jobs.h"
#include "api/wire/time.h"

namespace pfs::api {
namespace {

constexpr int kJobsAtOnce = 256;  // of a list: some 50 KiB

void set_info(v1::JobInfo& info, const trigger::JobInfo& job) {
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
  info.set_recovered(job.recovered);
  info.set_total(job.total);
  info.set_restarts(job.restarts);
  info.set_downloaded_bytes(job.stats.downloaded_bytes);
  info.set_uploaded_bytes(job.stats.uploaded_bytes);
  set_duration(info.mutable_download_time(), job.stats.download_time);
  set_duration(info.mutable_process_time(), job.stats.process_time);
  set_duration(info.mutable_upload_time(), job.stats.upload_time);
  for (const auto& input : job.inputs) {
    auto* out = info.add_inputs();
    out->set_repo(input.branch.repo.str());
    out->set_branch(input.branch.branch.str());
    if (input.commit) out->set_commit(input.commit->hex());
    if (input.from) out->set_from_job(input.from->hex());
  }
  if (job.output_commit) info.set_output_commit(job.output_commit->hex());
  info.set_spec_json(job.spec_json);
  if (job.parent) info.set_parent(job.parent->hex());
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
                                  grpc::ServerWriter<v1::ListJobsResponse>* writer) {
  return answer(*context, list(*request, *writer));
}

grpc::Status JobService::StopJob(grpc::ServerContext* context, const v1::StopJobRequest* request,
                                 v1::StopJobResponse*) {
  return answer(*context, stop(*request));
}

grpc::Status JobService::DeleteJob(grpc::ServerContext* context,
                                   const v1::DeleteJobRequest* request, v1::DeleteJobResponse*) {
  return answer(*context, remove(*request));
}

grpc::Status JobService::RestartDatums(grpc::ServerContext* context,
                                       const v1::RestartDatumsRequest* request,
                                       v1::RestartDatumsResponse* response) {
  return answer(*context, restart(*request, *response));
}

grpc::Status JobService::DebugDatum(grpc::ServerContext* context,
                                    const v1::DebugDatumRequest* request,
                                    grpc::ServerWriter<v1::DebugDatumResponse>* writer) {
  return answer(*context, debug(*context, *request, *writer));
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
    PFS_TRY(pipelines_->wait(id, [&context] { return !context.IsCancelled(); }));
    PFS_TRY_ASSIGN(job, pipelines_->job(id));
  }
  set_info(info, job);
  if (job.finished) return {};
  PFS_TRY_ASSIGN(const auto workers, pipelines_->workers(job.pipeline));
  for (const trigger::WorkerInfo& worker : workers) {
    v1::WorkerInfo& out = *info.add_workers();
    out.set_runs(worker.runs);
    out.set_datum(worker.datum);
    out.set_path(worker.path);
    if (!worker.datum.empty()) set_time(out.mutable_since(), worker.since);
  }
  return {};
}

Result<void> JobService::stop(const v1::StopJobRequest& request) {
  PFS_TRY(require(pipelines_));
  PFS_TRY_ASSIGN(const auto id, JobId::from_hex(request.id()));
  return pipelines_->stop_job(id);
}

Result<void> JobService::remove(const v1::DeleteJobRequest& request) {
  PFS_TRY(require(pipelines_));
  PFS_TRY_ASSIGN(const auto id, JobId::from_hex(request.id()));
  return pipelines_->delete_job(id);
}

Result<void> JobService::restart(const v1::RestartDatumsRequest& request,
                                 v1::RestartDatumsResponse& response) {
  PFS_TRY(require(pipelines_));
  PFS_TRY_ASSIGN(const auto id, JobId::from_hex(request.id()));
  if (request.datums().empty()) return Error{Code::kInvalid, "restart datum: which? name paths or hashes"};
  PFS_TRY_ASSIGN(const auto restarted,
                 pipelines_->restart_datums(id, {request.datums().begin(), request.datums().end()}));
  response.set_restarted(restarted);
  return {};
}

Result<void> JobService::list(const v1::ListJobsRequest& request,
                              grpc::ServerWriter<v1::ListJobsResponse>& writer) {
  PFS_TRY(require(pipelines_));
  std::optional<RepoName> pipeline;
  if (!request.pipeline().empty()) {
    PFS_TRY_ASSIGN(pipeline, RepoName::parse(request.pipeline()));
  }
  const auto limit =
      request.limit() == 0 ? std::numeric_limits<std::size_t>::max() : request.limit();
  const auto& states = request.states();
  const auto read = states.empty() ? limit : std::numeric_limits<std::size_t>::max();
  PFS_TRY_ASSIGN(const auto jobs, pipelines_->jobs(pipeline, read));
  std::size_t written = 0;
  v1::ListJobsResponse response;
  for (const auto& job : jobs) {
    const v1::JobState state = wire_state(job.state);
    if (!states.empty() && std::find(states.begin(), states.end(), state) == states.end()) continue;
    if (written++ == limit) break;
    set_info(*response.add_jobs(), job);
    if (response.jobs_size() < kJobsAtOnce) continue;
    if (!writer.Write(response)) return {};  // nobody reads any more
    response.Clear();
  }
  if (response.jobs_size() > 0) writer.Write(response);
  return {};
}

Result<void> JobService::debug(const grpc::ServerContext& context,
                               const v1::DebugDatumRequest& request,
                               grpc::ServerWriter<v1::DebugDatumResponse>& writer) {
  PFS_TRY(require(pipelines_));
  PFS_TRY_ASSIGN(const auto id, JobId::from_hex(request.id()));
  return pipelines_->debug_datum(
      id, request.datum(),
      [&writer](const std::vector<std::string>& words) {
        v1::DebugDatumResponse response;
        for (const std::string& word : words) response.add_words(word);
        return writer.Write(response);
      },
      [&context] { return !context.IsCancelled(); });
}

Result<void> JobService::logs(const grpc::ServerContext& context, const v1::GetLogsRequest& request,
                              grpc::ServerWriter<v1::LogLine>& writer) {
  PFS_TRY(require(pipelines_));
  PFS_TRY_ASSIGN(auto filter, filter_of(request));
  if (request.follow()) filter.follow_while = [&context] { return !context.IsCancelled(); };
  return pipelines_->logs(
      filter, [&writer](const trigger::LogLine& line) { return writer.Write(wire_line(line)); });
}

Result<trigger::LogFilter> JobService::filter_of(const v1::GetLogsRequest& request) const {
  trigger::LogFilter filter;
  if (!request.pipeline().empty()) {
    PFS_TRY_ASSIGN(filter.pipeline, RepoName::parse(request.pipeline()));
  }
  if (!request.job().empty()) {
    PFS_TRY_ASSIGN(filter.job, JobId::from_hex(request.job()));
  }
  filter.datum = request.datum();
  filter.inputs.assign(request.inputs().begin(), request.inputs().end());
  filter.system_only = request.system_only();
  filter.user_only = request.user_only();
  if (request.has_since()) filter.since = time_of(request.since());
  if (request.has_tail()) filter.tail = request.tail();
  return filter;
}

}  // namespace pfs::api
