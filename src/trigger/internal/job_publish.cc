#include "trigger/internal/job_publish.h"

#include <algorithm>

#include "base/fault.h"
#include "trigger/internal/output_update.h"

namespace pfs::trigger {

namespace {

constexpr int kPublishAgain = 8;

bool any_has_empty_directories(const std::vector<DatumResult>& outputs) {
  return std::any_of(outputs.begin(), outputs.end(), [](const DatumResult& one) { return one.has_empty_directories; });
}

}  // namespace

Result<std::optional<MergedOutput>> merge_outputs(store::Store& store, const JobPlan& plan,
                                                  const std::vector<DatumResult>& outputs, SamePath same_path,
                                                  const KeepGoing& keep_going) {
  MergedOutput merged;
  merged.separable = !any_has_empty_directories(outputs);
  if (plan.base) {
    std::vector<store::Subtree> added;
    for (const DatumResult& one : outputs) added.push_back(one.output);
    PFS_TRY_ASSIGN(const auto updated,
                   update_output(store.trees(), store.tree_reader(), plan.base->output, plan.base->removed, added));
    if (!updated) return std::optional<MergedOutput>();
    merged.tree = *updated;
    return std::optional(merged);
  }
  if (outputs.size() <= 1) {
    merged.tree = outputs.empty() ? store::empty_subtree() : outputs.front().output;
    return std::optional(merged);
  }
  PFS_TRY_ASSIGN(OutputMerge merge, OutputMerge::begin(store.trees(), store.tree_reader(), same_path));
  for (const DatumResult& one : outputs) {
    if (!keep_going()) return Error{Code::kCancelled, "asked to stop"};
    PFS_TRY(merge.add(one.output));
  }
  PFS_TRY_ASSIGN(merged.tree, merge.finish());
  merged.separable = merged.separable && !merge.overlapped();
  return std::optional(merged);
}

Result<void> publish_output(store::Store& store, const Ledger& ledger, const BranchRef& branch, Versioned<JobRecord>& job,
                            const store::Subtree& output, const std::vector<store::Commit::Cause>& provenance) {
  store::FinishOptions options;
  options.author = "pipeline " + job.record.pipeline.str();
  options.description = "job " + job.record.id.hex();
  options.keep_unchanged = true;
  PFS_FAULT_POINT("trigger.job.publish");
  const auto publish = [&] {
    return store.catalog().publish_tree(branch, job.record.pipeline.str(), output, provenance, options,
                                        [&](const store::Commit& commit, store::RefTxn& txn) -> Result<void> {
                                          job.record.output_commit = commit.id;
                                          ledger.add_put_job(job.record, job.version, txn);
                                          return {};
                                        });
  };
  auto published = publish();
  for (int again = 0; !published && published.error().code == Code::kConflict && again < kPublishAgain; ++again) {
    PFS_TRY_ASSIGN(const auto now, ledger.job(job.record.id));
    if (!now || now->version != job.version) break;  // the job itself is another's now; else it was a race of branches
    published = publish();
  }
  PFS_TRY(published);
  PFS_FAULT_POINT("trigger.job.published");
  return {};
}

}  // namespace pfs::trigger
