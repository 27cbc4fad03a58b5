#include "api/pipeline_service.h"

#include <map>

#include <fmt/format.h>

#include "api/internal/answer.h"
#include "api/internal/jobs.h"
#include "api/internal/spec_stream.h"
#include "api/internal/transactions.h"
#include "api/wire/time.h"

namespace pfs::api {
namespace {

/// How often all pipelines are listed to be deleted, when others delete some meanwhile.
constexpr int kTries = 8;

v1::PipelineState wire_pipeline_state(trigger::PipelineState state) {
  switch (state) {
    case trigger::PipelineState::kStarting: return v1::PIPELINE_STATE_STARTING;
    case trigger::PipelineState::kRunning: return v1::PIPELINE_STATE_RUNNING;
    case trigger::PipelineState::kFailure: return v1::PIPELINE_STATE_FAILURE;
    case trigger::PipelineState::kStandby: return v1::PIPELINE_STATE_STANDBY;
    case trigger::PipelineState::kPaused: return v1::PIPELINE_STATE_PAUSED;
  }
  return v1::PIPELINE_STATE_UNSPECIFIED;
}

v1::PipelineInfo info_of(const trigger::PipelineInfo& pipeline) {
  v1::PipelineInfo info;
  info.set_name(pipeline.name.str());
  info.set_version(pipeline.version);
  info.set_spec_json(pipeline.spec_json);
  info.set_description(pipeline.description);
  info.set_input(pipeline.input);
  info.set_output_repo(pipeline.output.repo.str());
  info.set_output_branch(pipeline.output.branch.str());
  set_time(info.mutable_created(), pipeline.created);
  if (pipeline.state) info.set_state(wire_pipeline_state(*pipeline.state));
  info.set_reason(pipeline.reason);
  if (pipeline.last_job) info.set_last_job(wire_state(*pipeline.last_job));
  info.set_stopped(pipeline.stopped);
  info.set_workers_available(pipeline.workers_available);
  info.set_workers_wanted(pipeline.workers_wanted);
  for (const auto& [state, count] : pipeline.job_counts) {
    auto* job_count = info.add_job_counts();
    job_count->set_state(wire_state(state));
    job_count->set_count(count);
  }
  return info;
}

v1::SpecOutcome wire_outcome(trigger::SpecOutcome outcome) {
  switch (outcome) {
    case trigger::SpecOutcome::kCreated: return v1::SPEC_OUTCOME_CREATED;
    case trigger::SpecOutcome::kUpdated: return v1::SPEC_OUTCOME_UPDATED;
    case trigger::SpecOutcome::kUnchanged: return v1::SPEC_OUTCOME_UNCHANGED;
  }
  return v1::SPEC_OUTCOME_UNSPECIFIED;
}

v1::SpecPlan plan_of(const trigger::SpecPlan& plan) {
  v1::SpecPlan wire;
  wire.set_name(plan.name.str());
  wire.set_outcome(wire_outcome(plan.outcome));
  wire.set_version(plan.version);
  wire.set_reprocess(plan.reprocess);
  for (const auto& change : plan.changes) wire.add_changes(change);
  for (const auto& note : plan.notes) wire.add_notes(note);
  wire.set_spec_json(plan.spec_json);
  if (plan.datums) {
    wire.mutable_datums()->set_total(plan.datums->total);
    wire.mutable_datums()->set_done(plan.datums->done);
    for (const auto& datum : plan.datums->first) wire.mutable_datums()->add_first(datum);
  }
  return wire;
}

/// Each spec by itself, with its number where a text holds several.
Result<void> add_specs(const std::string& text, const std::string& origin,
                       std::vector<trigger::SpecText>& specs) {
  auto split = split_specs(text);
  if (!split) {
    return origin.empty() ? std::move(split).error() : std::move(split).error().within(origin);
  }
  for (std::size_t i = 0; i < split->size(); ++i) {
    const auto document = split->size() > 1 ? fmt::format("document {}", i + 1) : std::string();
    const auto between = origin.empty() || document.empty() ? "" : ", ";
    specs.push_back({fmt::format("{}{}{}", origin, between, document), std::move((*split)[i])});
  }
  return {};
}

}  // namespace

grpc::Status PipelineService::CreatePipelines(grpc::ServerContext* context,
                                              const v1::CreatePipelinesRequest* request,
                                              v1::CreatePipelinesResponse* response) {
  return answer(*context, create(*context, *request, *response));
}

grpc::Status PipelineService::InspectPipeline(grpc::ServerContext* context,
                                              const v1::InspectPipelineRequest* request,
                                              v1::PipelineInfo* response) {
  return answer(*context, inspect(*request, *response));
}

grpc::Status PipelineService::ListPipelines(grpc::ServerContext* context,
                                            const v1::ListPipelinesRequest* request,
                                            grpc::ServerWriter<v1::PipelineInfo>* writer) {
  return answer(*context, list(*request, *writer));
}

grpc::Status PipelineService::DeletePipeline(grpc::ServerContext* context,
                                             const v1::DeletePipelineRequest* request,
                                             v1::DeletePipelineResponse*) {
  return answer(*context, remove(*context, *request));
}

grpc::Status PipelineService::StopPipeline(grpc::ServerContext* context,
                                           const v1::StopPipelineRequest* request,
                                           v1::StopPipelineResponse*) {
  return answer(*context, set_stopped(*context, request->name(), true));
}

grpc::Status PipelineService::StartPipeline(grpc::ServerContext* context,
                                            const v1::StartPipelineRequest* request,
                                            v1::StartPipelineResponse*) {
  return answer(*context, set_stopped(*context, request->name(), false));
}

grpc::Status PipelineService::RunPipeline(grpc::ServerContext* context,
                                          const v1::RunPipelineRequest* request,
                                          v1::RunPipelineResponse* response) {
  return answer(*context, run(*context, *request, *response));
}

Result<void> PipelineService::create(const grpc::ServerContext& context,
                                     const v1::CreatePipelinesRequest& request,
                                     v1::CreatePipelinesResponse& response) {
  PFS_TRY(require(pipelines_));
  if (!request.dry_run()) PFS_TRY(Transactions::refuse_part(context, "pipelines"));
  std::vector<trigger::SpecText> specs;
  if (!request.specs().empty() || request.texts().empty()) {
    PFS_TRY(add_specs(request.specs(), "", specs));
  }
  for (const auto& text : request.texts()) PFS_TRY(add_specs(text.json(), text.origin(), specs));
  PFS_TRY_ASSIGN(const auto caller, callers_.of(context));
  trigger::ApplyOptions options{request.update(), request.reprocess(), request.dry_run(), {}};
  options.owner = store::DirectoryOwner{caller.uid, caller.gid};  // docs/semantics.md S51
  PFS_TRY_ASSIGN(const auto plans, pipelines_->apply(specs, options));
  for (const auto& plan : plans) {
    *response.add_plans() = plan_of(plan);
    if (request.dry_run()) continue;
    const auto made = pipelines_->get(plan.name);
    if (made) *response.add_pipelines() = info_of(*made);  // else somebody has deleted it since
  }
  return {};
}

Result<void> PipelineService::inspect(const v1::InspectPipelineRequest& request,
                                      v1::PipelineInfo& info) {
  PFS_TRY(require(pipelines_));
  PFS_TRY_ASSIGN(const auto name, RepoName::parse(request.name()));
  PFS_TRY_ASSIGN(const auto pipeline, pipelines_->get(name));
  info = info_of(pipeline);
  return {};
}

Result<void> PipelineService::list(const v1::ListPipelinesRequest& request,
                                   grpc::ServerWriter<v1::PipelineInfo>& writer) {
  PFS_TRY(require(pipelines_));
  std::vector<trigger::PipelineInfo> pipelines;
  if (request.name().empty()) {
    PFS_TRY_ASSIGN(pipelines, pipelines_->list());
  } else {
    PFS_TRY_ASSIGN(const auto name, RepoName::parse(request.name()));
    PFS_TRY_ASSIGN(auto one, pipelines_->get(name));
    pipelines.push_back(std::move(one));
  }
  for (const auto& pipeline : pipelines) {
    if (!writer.Write(info_of(pipeline))) break;
    if (request.history() == 0) continue;
    PFS_TRY_ASSIGN(const auto earlier, pipelines_->earlier_versions(pipeline.name, request.history()));
    for (const auto& version : earlier) {
      if (!writer.Write(info_of(version))) return {};
    }
  }
  return {};
}

Result<void> PipelineService::remove(const grpc::ServerContext& context,
                                     const v1::DeletePipelineRequest& request) {
  PFS_TRY(require(pipelines_));
  PFS_TRY(Transactions::refuse_part(context, "pipelines"));
  const trigger::RemoveOptions options{request.force(), !request.delete_repo()};
  if (!request.all()) {
    PFS_TRY_ASSIGN(const auto name, RepoName::parse(request.name()));
    return pipelines_->remove({&name, 1}, options);
  }
  if (!request.name().empty()) return Error{Code::kInvalid, "delete pipeline: a name, or all; not both"};
  for (int attempt = 1;; ++attempt) {
    PFS_TRY_ASSIGN(const auto pipelines, pipelines_->list());
    std::vector<RepoName> names;
    for (const auto& pipeline : pipelines) names.push_back(pipeline.name);
    if (names.empty()) return {};
    auto removed = pipelines_->remove(names, options);
    // one that somebody else has deleted meanwhile keeps none of the others
    if (removed || removed.error().code != Code::kNotFound || attempt == kTries) return removed;
  }
}

Result<void> PipelineService::set_stopped(const grpc::ServerContext& context,
                                          const std::string& name, bool stopped) {
  PFS_TRY(require(pipelines_));
  PFS_TRY(Transactions::refuse_part(context, "pipelines"));
  PFS_TRY_ASSIGN(const auto parsed, RepoName::parse(name));
  return pipelines_->set_stopped(parsed, stopped);
}

Result<void> PipelineService::run(const grpc::ServerContext& context,
                                  const v1::RunPipelineRequest& request,
                                  v1::RunPipelineResponse& response) {
  PFS_TRY(require(pipelines_));
  PFS_TRY(Transactions::refuse_part(context, "pipelines"));
  PFS_TRY_ASSIGN(const auto name, RepoName::parse(request.name()));
  std::map<BranchRef, CommitRef> commits;
  for (const auto& input : request.inputs()) {
    PFS_TRY_ASSIGN(const auto branch, BranchRef::parse(input.branch()));
    PFS_TRY_ASSIGN(const auto commit, CommitRef::parse(input.commit()));
    commits.emplace(branch, commit);
  }
  PFS_TRY_ASSIGN(const JobId job, pipelines_->run(name, commits));
  response.set_job(job.hex());
  return {};
}

}  // namespace pfs::api
