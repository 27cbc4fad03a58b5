// What is asked of the datums of jobs, and of specs that are none's yet.

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "trigger/internal/job_datums.h"
#include "trigger/internal/job_inputs.h"
#include "trigger/internal/job_plan.h"

namespace pfs::trigger {

namespace {

DatumInfo info_of(const Datum& datum, const std::vector<JobInput>& inputs) {
  DatumInfo info;
  info.id = datum.id;
  info.input_bytes = datum.size();
  for (const auto& file : datum.files) {
    DatumInfo::File one{file->input->ref(), {}, file->input->name, file->path, file->entry.size()};
    for (const JobInput& input : inputs) {
      if (input.branch == one.branch) one.commit = input.commit;
    }
    info.files.push_back(std::move(one));
  }
  return info;
}

/// The HEADs of branches as they are, as a job would read them now.
Result<std::vector<JobInput>> heads_of(const store::Catalog& catalog, const std::vector<BranchRef>& branches) {
  std::vector<JobInput> inputs;
  for (const BranchRef& ref : branches) {
    auto branch = catalog.branch(ref);
    if (!branch && branch.error().code != Code::kNotFound) return std::move(branch).error();
    if (!branch) PFS_TRY(catalog.repo(ref.repo));
    inputs.push_back({ref, branch ? branch->head : std::nullopt, std::nullopt});
  }
  return inputs;
}

DatumState state_of(Miss miss, bool job_has_ended) {
  switch (miss) {
    case Miss::kFailed: return DatumState::kFailed;
    case Miss::kRecovered: return DatumState::kRecovered;
    case Miss::kCutOff: break;
  }
  return job_has_ended ? DatumState::kKilled : DatumState::kStarting;  // a job that has not ended begins it anew
}

}  // namespace

/// A pipeline as it was when a job ran, where that is known and what datums have put out is still kept by the same salt.
Result<PipelineRecord> PipelineService::as_it_ran(const JobRecord& job, PipelineRecord now) const {
  if (!job.shape || job.pipeline_version == now.version) return now;
  PFS_TRY_ASSIGN(const auto then, ledger_.version(job.pipeline, job.pipeline_version));
  if (!then || then->salt != now.salt) return now;
  now.version = then->version;
  now.spec_json = then->spec_json;
  now.damage.clear();
  return now;
}

/// Errors: kNotFound (the job), kBusy (its inputs are not there yet), kInvalid (the pipeline has another salt now).
Result<std::unique_ptr<PipelineService::JobDatums>> PipelineService::datums_of(const JobId& id) const {
  PFS_TRY_ASSIGN(const auto found, ledger_.job(id));
  if (!found) return no_such_job(id);
  JobRecord job = found->record;
  PFS_TRY_ASSIGN(const auto pipeline, ledger_.pipeline(job.pipeline));
  if (!pipeline) return Error{Code::kNotFound, fmt::format("job {}: its pipeline was deleted", id.hex())};
  PFS_TRY_ASSIGN(const PipelineRecord record, as_it_ran(job, pipeline->record));
  PFS_TRY_ASSIGN(PipelineSpec spec, spec_of(record));
  PFS_TRY_ASSIGN(const InputsState inputs, settle_inputs(ledger_, job));
  if (inputs.what != InputsState::What::kReady) {
    return Error{Code::kBusy, fmt::format("job {}: has no datums: {}", id.hex(), inputs.why)};
  }
  auto datums = std::make_unique<JobDatums>(
      JobDatums{job, record, std::move(spec), {}, DatumTable(store_.local(), clock_, record.name, record.salt), {}});
  const JobPlanner planner(store_, ledger_, datums->table, datums->pipeline, datums->spec);
  if (job.shape && job.shape != planner.shape()) {
    return Error{Code::kInvalid, fmt::format("job {}: pipeline {} has had another salt since (--reprocess); its datums cannot be told any more",
                                             id.hex(), job.pipeline.str())};
  }
  PFS_TRY_ASSIGN(const LoadedInputs loaded, load_inputs(store_.catalog(), job.inputs));
  PFS_TRY_ASSIGN(JobPlan plan, planner.plan_whole(loaded.roots));
  datums->datums = std::move(plan.datums);
  return datums;
}

/// Whether a job that has made a datum's output came before the one whose datums are told; one that is gone did.
Result<bool> PipelineService::is_earlier(const JobId& maker, JobDatums& of) const {
  if (const auto known = of.is_earlier.find(maker); known != of.is_earlier.end()) return known->second;
  PFS_TRY_ASSIGN(const auto found, ledger_.job(maker));
  const auto place = [](const JobRecord& job) { return std::pair(job.caused_by_version, job.number); };
  return of.is_earlier[maker] = !found || place(found->record) < place(of.job);
}

Result<DatumInfo> PipelineService::datum_info(JobDatums& of, const Datum& datum) const {
  DatumInfo info = info_of(datum, of.job.inputs);
  info.job = of.job.id;
  PFS_TRY_ASSIGN(const auto record, of.table.find(datum.id));
  PFS_TRY_ASSIGN(const auto miss, of.table.find_miss(of.job.id, datum.id));
  const bool ours = record && record->job == of.job.id;
  bool by_an_earlier = false;
  if (record && !ours) {
    PFS_TRY_ASSIGN(by_an_earlier, is_earlier(record->job, of));
  }
  if (ours) {
    info.state = DatumState::kSuccess;
    info.output_bytes = record->output.totals.bytes;
    info.stats = record->stats;
  } else if (miss) {
    // also where a later job has done it since
    info.state = state_of(miss->what, of.job.ended());
    info.stats = miss->stats;
  } else if (by_an_earlier && !of.spec.reprocess_every_job) {
    info.state = DatumState::kSkipped;
  } else if (record && of.job.state == JobState::kSuccess) {
    info.state = DatumState::kSuccess;  // and done again by a later job
  } else {
    info.state = of.job.ended() ? DatumState::kNotBegun : DatumState::kStarting;
  }
  return info;
}

Result<void> PipelineService::datums(const JobId& id, const std::function<bool(const DatumInfo&)>& visit) const {
  PFS_TRY_ASSIGN(const auto all, datums_of(id));
  for (const Datum& datum : all->datums) {
    PFS_TRY_ASSIGN(const DatumInfo info, datum_info(*all, datum));
    if (!visit(info)) break;
  }
  return {};
}

Result<std::set<std::string>> PipelineService::datums_with_inputs(const std::string& job,
                                                                  const std::vector<std::string>& inputs) const {
  PFS_TRY_ASSIGN(const JobId id, JobId::from_hex(job));
  PFS_TRY_ASSIGN(const auto all, datums_of(id));
  std::set<std::string> with;
  for (const Datum& datum : all->datums) {
    const bool has_all = std::all_of(inputs.begin(), inputs.end(), [&](const std::string& input) { return datum.has(input); });
    if (has_all) with.insert(datum.id.hex());
  }
  return with;
}

Result<DatumInfo> PipelineService::datum(const JobId& job, const Digest& id) const {
  PFS_TRY_ASSIGN(const auto all, datums_of(job));
  for (const Datum& datum : all->datums) {
    if (datum.id == id) return datum_info(*all, datum);
  }
  return Error{Code::kNotFound, fmt::format("datum {}: job {} has no such datum", id.hex(), job.hex())};
}

Result<void> PipelineService::planned_datums(const std::string& spec_json,
                                             const std::function<bool(const DatumInfo&)>& visit) const {
  PFS_TRY_ASSIGN(const PipelineSpec spec, parse_spec(spec_json));
  PFS_TRY_ASSIGN(const auto inputs, heads_of(store_.catalog(), branches_of(spec.input)));
  PFS_TRY_ASSIGN(const LoadedInputs loaded, load_inputs(store_.catalog(), inputs));
  PFS_TRY_ASSIGN(const auto datums,
                 list_datums(store_.tree_reader(), spec.input, loaded.roots, DatumMaker(spec.name, spec.salt.value_or(""))));
  for (const Datum& datum : datums) {
    DatumInfo info = info_of(datum, inputs);
    if (!spec.salt) info.id.reset();
    if (!visit(info)) break;
  }
  return {};
}

}  // namespace pfs::trigger
