#include "trigger/internal/job_plan.h"

#include <nlohmann/json.hpp>

#include "base/codec.h"
#include "trigger/internal/datum_change.h"
#include "trigger/internal/hash.h"

namespace pfs::trigger {

namespace {

constexpr std::size_t kLookBack = 64;  // jobs, past those that failed

}  // namespace

JobPlanner::JobPlanner(store::Store& store, const Ledger& ledger, const DatumTable& table, const PipelineRecord& pipeline,
                       const PipelineSpec& spec)
    : store_(store), ledger_(ledger), table_(table), spec_(spec), salt_(pipeline.salt), maker_(pipeline.name, pipeline.salt) {}

Digest JobPlanner::shape() const {
  Encoder in;
  in.bytes("pfs.shape.1").bytes(input_json(spec_.input).dump()).bytes(salt_).u8(spec_.reprocess_every_job ? 1 : 0);
  return sha256(in.str());
}

Result<JobPlan> JobPlanner::plan(const JobRecord& job, const InputRoots& roots) const {
  if (!spec_.reprocess_every_job) {
    PFS_TRY_ASSIGN(const auto base, base_of(job));
    if (base) {
      PFS_TRY_ASSIGN(auto plan, plan_change(*base, roots));
      if (plan) return std::move(*plan);
    }
  }
  return plan_whole(roots);
}

Result<JobPlan> JobPlanner::plan_whole(const InputRoots& roots) const {
  JobPlan plan;
  PFS_TRY_ASSIGN(plan.datums, list_datums(store_.tree_reader(), spec_.input, roots, maker_));
  return plan;
}

/// The newest job before this one that ended well, if this one can build on it. Jobs between the two have failed, and were of
/// the same shape: what is recorded of a datum is what the base has of it.
Result<std::optional<JobRecord>> JobPlanner::base_of(const JobRecord& job) const {
  PFS_TRY_ASSIGN(auto before, ledger_.jobs_before(job, kLookBack));
  for (JobRecord& earlier : before) {
    if (earlier.state != JobState::kSuccess && !earlier.shape) continue;  // it did not come to its datums
    if (earlier.shape != shape()) break;
    if (earlier.state != JobState::kSuccess) continue;
    if (!earlier.separable || !earlier.output_commit) break;
    return std::optional(std::move(earlier));
  }
  return std::optional<JobRecord>();
}

Result<std::optional<JobPlan>> JobPlanner::plan_change(const JobRecord& base, const InputRoots& roots) const {
  const std::optional<JobPlan> cannot;
  const auto inputs = load_inputs(store_.catalog(), base.inputs);
  if (!inputs && inputs.error().code == Code::kNotFound) return cannot;  // deleted
  PFS_TRY(inputs);
  const auto output = store_.catalog().commit(*base.output_commit);
  if (!output && output.error().code == Code::kNotFound) return cannot;
  PFS_TRY(output);
  PFS_TRY_ASSIGN(auto change, find_change(store_.tree_reader(), spec_.input, inputs->roots, roots));
  if (!change || change->removed.size() > base.total) return cannot;

  JobPlan plan;
  plan.kept = base.total - change->removed.size();
  plan.base = JobPlan::Base{output->root, {}};
  for (auto& files : change->removed) {
    PFS_TRY_ASSIGN(const auto done, table_.find(maker_.make(std::move(files)).id));
    if (!done) return cannot;
    plan.base->removed.push_back(done->output);
  }
  if (plan.kept + change->added.size() > kMaxDatums) return cannot;  // listing them says what is too much
  for (auto& files : change->added) plan.datums.push_back(maker_.make(std::move(files)));
  return std::optional(std::move(plan));
}

}  // namespace pfs::trigger
