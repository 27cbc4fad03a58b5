#include "api/client/pipelines.h"

#include <fmt/format.h>

#include "api/client/internal/states.h"
#include "api/client/internal/wire.h"
#include "api/wire/flow.h"
#include "api/wire/time.h"
#include "pfs/v1/pipeline.grpc.pb.h"

namespace pfs::client {
namespace {

std::string pipeline_word_of(v1::PipelineState state) {
  switch (state) {
    case v1::PIPELINE_STATE_UNSPECIFIED: return "";
    case v1::PIPELINE_STATE_STARTING: return "starting";
    case v1::PIPELINE_STATE_RUNNING: return "running";
    case v1::PIPELINE_STATE_FAILURE: return "failure";
    case v1::PIPELINE_STATE_STANDBY: return "standby";
    case v1::PIPELINE_STATE_PAUSED: return "paused";
    default: return "unknown";  // of a newer daemon
  }
}

Pipeline pipeline_of(const v1::PipelineInfo& info) {
  Pipeline pipeline;
  pipeline.name = info.name();
  pipeline.version = info.version();
  pipeline.spec_json = info.spec_json();
  pipeline.description = info.description();
  pipeline.input = info.input();
  pipeline.output_repo = info.output_repo();
  pipeline.output_branch = info.output_branch();
  pipeline.created = api::time_of(info.created());
  pipeline.state = pipeline_word_of(info.state());
  pipeline.reason = info.reason();
  pipeline.last_job = word_of(info.last_job());
  pipeline.stopped = info.stopped();
  pipeline.workers_available = info.workers_available();
  pipeline.workers_wanted = info.workers_wanted();
  for (const auto& jobs : info.job_counts()) {
    pipeline.job_counts.emplace_back(word_of(jobs.state()), jobs.count());
  }
  return pipeline;
}

std::string outcome_word(v1::SpecOutcome outcome) {
  switch (outcome) {
    case v1::SPEC_OUTCOME_CREATED: return "created";
    case v1::SPEC_OUTCOME_UPDATED: return "updated";
    case v1::SPEC_OUTCOME_UNCHANGED: return "unchanged";
    default: return "unknown";  // of a newer daemon
  }
}

SpecPlan plan_of(const v1::SpecPlan& wire) {
  SpecPlan plan{wire.name(), outcome_word(wire.outcome()), wire.version(), wire.reprocess(),
                {},          {},                           wire.spec_json()};
  if (wire.has_datums()) {
    plan.datums = {wire.datums().total(), wire.datums().done(), {}};
    plan.datums->first.assign(wire.datums().first().begin(), wire.datums().first().end());
  }
  plan.changes.assign(wire.changes().begin(), wire.changes().end());
  plan.notes.assign(wire.notes().begin(), wire.notes().end());
  return plan;
}

}  // namespace

Result<std::vector<SpecPlan>> Pipelines::create(const std::vector<SpecText>& specs,
                                                const CreateOptions& options) const {
  v1::CreatePipelinesRequest request;
  for (const auto& spec : specs) {
    auto* text = request.add_texts();
    text->set_origin(spec.origin);
    text->set_json(spec.json);
  }
  request.set_update(options.update);
  request.set_reprocess(options.reprocess);
  request.set_dry_run(options.dry_run);
  if (request.ByteSizeLong() > api::kMaxMessageBytes) {
    return Error{Code::kTooLarge, fmt::format("specs: {} MiB in all, and one call takes {}; give them to several, those that read one "
                                              "another to the same", (request.ByteSizeLong() >> 20) + 1, api::kMaxMessageBytes >> 20)};
  }
  v1::CreatePipelinesResponse response;
  grpc::ClientContext context;
  const auto stub = v1::PipelineService::NewStub(connection_.wire().channel);
  PFS_TRY(outcome_of(stub->CreatePipelines(&context, request, &response), context, connection_));
  std::vector<SpecPlan> plans;
  for (const auto& plan : response.plans()) plans.push_back(plan_of(plan));
  return plans;
}

Result<Pipeline> Pipelines::inspect(const RepoName& name) const {
  v1::InspectPipelineRequest request;
  request.set_name(name.str());
  v1::PipelineInfo response;
  grpc::ClientContext context;
  const auto stub = v1::PipelineService::NewStub(connection_.wire().channel);
  PFS_TRY(outcome_of(stub->InspectPipeline(&context, request, &response), context, connection_));
  return pipeline_of(response);
}

Result<std::vector<Pipeline>> Pipelines::list(const std::optional<RepoName>& only, std::uint64_t history) const {
  v1::ListPipelinesRequest request;
  if (only) request.set_name(only->str());
  request.set_history(history);
  std::vector<Pipeline> pipelines;
  grpc::ClientContext context;
  const auto stub = v1::PipelineService::NewStub(connection_.wire().channel);
  const auto reader = stub->ListPipelines(&context, request);
  PFS_TRY(read_all<v1::PipelineInfo>(*reader, context, connection_,
                                     [&pipelines](const v1::PipelineInfo& info) {
                                       pipelines.push_back(pipeline_of(info));
                                       return Result<void>();
                                     }));
  return pipelines;
}

Result<void> Pipelines::remove(const DeletePipeline& what) const {
  v1::DeletePipelineRequest request;
  request.set_name(what.name);
  request.set_all(what.name.empty());
  request.set_delete_repo(what.delete_repo);
  request.set_force(what.force);
  v1::DeletePipelineResponse response;
  grpc::ClientContext context;
  const auto stub = v1::PipelineService::NewStub(connection_.wire().channel);
  return outcome_of(stub->DeletePipeline(&context, request, &response), context, connection_);
}

Result<void> Pipelines::stop(const RepoName& name) const {
  v1::StopPipelineRequest request;
  request.set_name(name.str());
  v1::StopPipelineResponse response;
  grpc::ClientContext context;
  const auto stub = v1::PipelineService::NewStub(connection_.wire().channel);
  return outcome_of(stub->StopPipeline(&context, request, &response), context, connection_);
}

Result<void> Pipelines::start(const RepoName& name) const {
  v1::StartPipelineRequest request;
  request.set_name(name.str());
  v1::StartPipelineResponse response;
  grpc::ClientContext context;
  const auto stub = v1::PipelineService::NewStub(connection_.wire().channel);
  return outcome_of(stub->StartPipeline(&context, request, &response), context, connection_);
}

Result<std::string> Pipelines::run(const RepoName& name,
                                   const std::vector<std::pair<std::string, std::string>>& commits) const {
  v1::RunPipelineRequest request;
  request.set_name(name.str());
  for (const auto& [branch, commit] : commits) {
    auto* input = request.add_inputs();
    input->set_branch(branch);
    input->set_commit(commit);
  }
  v1::RunPipelineResponse response;
  grpc::ClientContext context;
  const auto stub = v1::PipelineService::NewStub(connection_.wire().channel);
  PFS_TRY(outcome_of(stub->RunPipeline(&context, request, &response), context, connection_));
  return response.job();
}

}  // namespace pfs::client
