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
  job.recovered = info.recovered();
  for (const v1::WorkerInfo& worker : info.workers()) {
    job.workers.push_back(
        {worker.runs(), worker.datum(), worker.path(), api::time_of(worker.since())});
  }
  job.total = info.total();
  job.restarts = info.restarts();
  job.downloaded_bytes = info.downloaded_bytes();
  job.uploaded_bytes = info.uploaded_bytes();
  job.download_time = api::duration_of(info.download_time());
  job.process_time = api::duration_of(info.process_time());
  job.upload_time = api::duration_of(info.upload_time());
  job.spec_json = info.spec_json();
  job.parent = info.parent();
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

Result<void> Jobs::list(const JobsRequest& wanted, const std::function<Result<void>(const Job&)>& visit) const {
  v1::ListJobsRequest request;
  if (wanted.pipeline) request.set_pipeline(wanted.pipeline->str());
  request.set_limit(wanted.limit);
  for (const std::string& word : wanted.states) {
    PFS_TRY_ASSIGN(const v1::JobState state, job_state_of(word));
    request.add_states(state);
  }
  grpc::ClientContext context;
  const auto stub = v1::JobService::NewStub(connection_.wire().channel);
  const auto reader = stub->ListJobs(&context, request);
  return read_all<v1::ListJobsResponse>(*reader, context, connection_, [&visit](const v1::ListJobsResponse& some) -> Result<void> {
    for (const v1::JobInfo& info : some.jobs()) PFS_TRY(visit(job_of(info)));
    return {};
  });
}

Result<void> Jobs::stop(const JobId& id) const {
  v1::StopJobRequest request;
  request.set_id(id.hex());
  v1::StopJobResponse response;
  grpc::ClientContext context;
  const auto stub = v1::JobService::NewStub(connection_.wire().channel);
  return outcome_of(stub->StopJob(&context, request, &response), context, connection_);
}

Result<void> Jobs::remove(const JobId& id) const {
  v1::DeleteJobRequest request;
  request.set_id(id.hex());
  v1::DeleteJobResponse response;
  grpc::ClientContext context;
  const auto stub = v1::JobService::NewStub(connection_.wire().channel);
  return outcome_of(stub->DeleteJob(&context, request, &response), context, connection_);
}

Result<std::uint64_t> Jobs::restart_datums(const JobId& id,
                                           const std::vector<std::string>& datums) const {
  v1::RestartDatumsRequest request;
  request.set_id(id.hex());
  for (const std::string& datum : datums) request.add_datums(datum);
  v1::RestartDatumsResponse response;
  grpc::ClientContext context;
  const auto stub = v1::JobService::NewStub(connection_.wire().channel);
  PFS_TRY(outcome_of(stub->RestartDatums(&context, request, &response), context, connection_));
  return response.restarted();
}

Result<void> Jobs::debug_datum(
    const JobId& id, const std::string& datum,
    const std::function<Result<void>(const std::vector<std::string>& words)>& use) const {
  v1::DebugDatumRequest request;
  request.set_id(id.hex());
  request.set_datum(datum);
  grpc::ClientContext context;
  const auto stub = v1::JobService::NewStub(connection_.wire().channel);
  const auto reader = stub->DebugDatum(&context, request);
  v1::DebugDatumResponse response;
  if (!reader->Read(&response)) return outcome_of(reader->Finish(), context, connection_);
  auto used = use({response.words().begin(), response.words().end()});
  context.TryCancel();  // the container goes
  reader->Finish().ok();
  return used;
}

Result<void> Jobs::logs(const LogsRequest& wanted,
                        const std::function<Result<void>(const LogLine&)>& visit) const {
  v1::GetLogsRequest request;
  if (wanted.pipeline) request.set_pipeline(wanted.pipeline->str());
  if (wanted.job) request.set_job(wanted.job->hex());
  request.set_datum(wanted.datum);
  request.set_follow(wanted.follow);
  for (const auto& input : wanted.inputs) request.add_inputs(input);
  request.set_system_only(wanted.system_only);
  request.set_user_only(wanted.user_only);
  if (wanted.since) api::set_time(request.mutable_since(), *wanted.since);
  if (wanted.tail) request.set_tail(*wanted.tail);
  grpc::ClientContext context;
  const auto stub = v1::JobService::NewStub(connection_.wire().channel);
  const auto reader = stub->GetLogs(&context, request);
  return read_all<v1::LogLine>(*reader, context, connection_,
                               [&visit](const v1::LogLine& line) { return visit(line_of(line)); });
}

}  // namespace pfs::client
