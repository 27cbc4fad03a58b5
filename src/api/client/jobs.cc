#include "api/client/jobs.h"

#include "api/client/internal/states.h"
#include "api/client/internal/wire.h"
#include "api/wire/time.h"
#include "pfs/v1/job.grpc.pb.h"

namespace pfs::client {
namespace {

Job job_of(const v1::JobInfo& info) {
  Job job;
  job.id = info.id();
  job.pipeline = info.pipeline();
  job.pipeline_version = info.pipeline_version();
  job.state = word_of(info.state());
  job.reason = info.reason();
  job.started = api::time_of(info.started());
  if (info.has_finished()) job.finished = api::time_of(info.finished());
  job.processed = info.processed();
  job.skipped = info.skipped();
  job.failed = info.failed();
  job.total = info.total();
  job.restarts = info.restarts();
  job.downloaded_bytes = info.downloaded_bytes();
  job.uploaded_bytes = info.uploaded_bytes();
  for (const auto& input : info.inputs())
    job.inputs.push_back({input.repo(), input.branch(), input.commit(), input.from_job()});
  job.output_commit = info.output_commit();
  return job;
}

LogLine line_of(const v1::LogLine& line) {
  return {api::time_of(line.time()),
          line.pipeline(),
          line.job(),
          line.datum(),
          line.text(),
          line.user()};
}

}  // namespace

Result<Job> Jobs::inspect(const JobId& id, bool wait) const {
  v1::InspectJobRequest request;
  request.set_id(id.hex());
  request.set_wait(wait);
  v1::JobInfo response;
  grpc::ClientContext context;
  const auto stub = v1::JobService::NewStub(connection_.wire().channel);
  PFS_TRY(outcome_of(stub->InspectJob(&context, request, &response), context, connection_));
  return job_of(response);
}

Result<std::vector<Job>> Jobs::list(const std::optional<RepoName>& pipeline,
                                    std::uint64_t limit) const {
  v1::ListJobsRequest request;
  if (pipeline) request.set_pipeline(pipeline->str());
  request.set_limit(limit);
  std::vector<Job> jobs;
  grpc::ClientContext context;
  const auto stub = v1::JobService::NewStub(connection_.wire().channel);
  const auto reader = stub->ListJobs(&context, request);
  PFS_TRY(read_all<v1::JobInfo>(*reader, context, connection_, [&jobs](const v1::JobInfo& info) {
    jobs.push_back(job_of(info));
    return Result<void>();
  }));
  return jobs;
}

Result<void> Jobs::logs(const LogsRequest& wanted,
                        const std::function<Result<void>(const LogLine&)>& visit) const {
  v1::GetLogsRequest request;
  if (wanted.pipeline) request.set_pipeline(wanted.pipeline->str());
  if (wanted.job) request.set_job(wanted.job->hex());
  request.set_datum(wanted.datum);
  request.set_follow(wanted.follow);
  grpc::ClientContext context;
  const auto stub = v1::JobService::NewStub(connection_.wire().channel);
  const auto reader = stub->GetLogs(&context, request);
  return read_all<v1::LogLine>(*reader, context, connection_,
                               [&visit](const v1::LogLine& line) { return visit(line_of(line)); });
}

}  // namespace pfs::client
