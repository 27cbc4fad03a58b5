#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/sync.h"
#include "trigger/internal/datums.h"
#include "trigger/internal/job_causes.h"
#include "trigger/internal/ledger.h"
#include "trigger/internal/log_book.h"
#include "trigger/internal/pipeline_driver.h"
#include "trigger/internal/spec_plan.h"
#include "trigger/pipelines.h"
#include "trigger/runner.h"

namespace pfs::trigger {

class LogSieve;

/// Pipelines on this machine: requests change the ledger, drivers do what it says.
class PipelineService final : public Pipelines {
 public:
  PipelineService(const PipelinesOptions& options, std::unique_ptr<Runner> runner);
  ~PipelineService() override { stop(); }

  /// Makes the directories below `state_path`.
  Result<void> make_directories() const;

  Result<void> start() override;
  void stop() override;

  Result<std::vector<SpecPlan>> apply(std::span<const SpecText> specs, const ApplyOptions& options) override;
  Result<std::vector<PipelineInfo>> list() const override;
  Result<PipelineInfo> get(const RepoName& name) const override;
  Result<std::vector<PipelineInfo>> earlier_versions(const RepoName& name, std::size_t limit) const override;
  using Pipelines::remove;
  Result<void> remove(std::span<const RepoName> names, const RemoveOptions& options) override;
  Result<void> set_stopped(const RepoName& name, bool stopped) override;
  Result<JobId> run(const RepoName& name, const std::map<BranchRef, CommitRef>& commits) override;

  Result<std::vector<JobInfo>> jobs(const std::optional<RepoName>& pipeline, std::size_t limit) const override;
  Result<JobInfo> job(const JobId& id) const override;
  Result<JobInfo> wait(const JobId& id, const std::function<bool()>& keep_waiting) const override;
  Result<void> datums(const JobId& job, const std::function<bool(const DatumInfo&)>& visit) const override;
  Result<DatumInfo> datum(const JobId& job, const Digest& id) const override;
  Result<void> planned_datums(const std::string& spec_json,
                              const std::function<bool(const DatumInfo&)>& visit) const override;
  Result<void> stop_job(const JobId& id) override;
  Result<void> delete_job(const JobId& id) override;
  Result<std::size_t> restart_datums(const JobId& id, const std::vector<std::string>& filter) override;
  Result<void> debug_datum(const JobId& id, const std::string& datum,
                           const std::function<bool(const std::vector<std::string>& words)>& ready,
                           const std::function<bool()>& keep) override;
  Result<std::vector<WorkerInfo>> workers(const RepoName& pipeline) const override;
  Result<void> logs(const LogFilter& filter, const std::function<bool(const LogLine&)>& visit) const override;
  Result<std::string> probe_runtime() override;
  std::string runtime_report() const override { return runner_->report(); }

  Result<void> on_moves(std::span<const store::HeadMove> moves, const store::BranchAfter& branch, store::RefTxn& txn) override;
  void after_moves(std::span<const store::HeadMove> moves) override;
  void after_discard(const BranchRef& branch) override;
  Result<void> on_delete(const BranchRef& branch, store::DeletionOf what, store::RefTxn& txn) override;
  Result<void> on_commits_deleted(std::span<const CommitId> commits, store::RefTxn& txn) override;

 private:
  using DriverPtr = std::shared_ptr<PipelineDriver>;  // shared: a request may still ask one that remove() has taken out

  Result<void> remove_leftovers();
  Result<void> mend_branches(const std::vector<PipelineRecord>& pipelines);
  Result<void> make_branches(const PipelineSpec& spec);
  /// The branches that are marked as a pipeline's output: one, whatever its spec says.
  Result<std::vector<BranchRef>> outputs_of(const RepoName& pipeline) const;
  // pipeline_service_apply.cc
  Result<PlannedSpecs> plan(std::span<const SpecText> specs, const ApplyOptions& options) const;
  Result<void> refuse_missing_inputs(const PlannedSpec& planned, const std::set<RepoName>& made) const;
  Result<std::vector<store::RefStep>> steps_of(const PlannedSpecs& planned, std::optional<store::Seq> planned_at,
                                               const std::optional<store::DirectoryOwner>& owner) const;
  Result<DatumPreview> preview(const PlannedSpec& planned) const;
  Result<void> carry_out(std::span<const store::RefStep> steps);
  Result<void> follow(const PlannedSpecs& planned);
  // pipeline_service_remove.cc
  Result<std::vector<store::RefStep>> removal_of(std::span<const Versioned<PipelineRecord>> pipelines,
                                                 const RemoveOptions& options) const;
  Result<std::vector<Versioned<PipelineRecord>>> erase(std::span<const RepoName> names, const RemoveOptions& options);
  void halt(const RepoName& name) PFS_EXCLUDES(mutex_);
  void drive(const RepoName& name) PFS_EXCLUDES(mutex_);
  void drive_downstream(const BranchRef& branch) PFS_EXCLUDES(mutex_);
  void release(const BranchRef& branch) PFS_EXCLUDES(mutex_);
  void job_ended() PFS_EXCLUDES(mutex_);
  DriverPtr driver(const RepoName& name) const PFS_EXCLUDES(mutex_);
  DriverPtr take_driver(const RepoName& name) PFS_EXCLUDES(mutex_);

  struct JobDatums;
  Result<PipelineRecord> as_it_ran(const JobRecord& job, PipelineRecord now) const;
  Result<std::unique_ptr<JobDatums>> datums_of(const JobId& id) const;
  Result<DatumInfo> datum_info(JobDatums& of, const Datum& datum) const;
  Result<bool> is_earlier(const JobId& maker, JobDatums& of) const;
  /// Returns false when it had ended.
  Result<bool> kill_job(const JobId& id, const std::string& reason);
  Result<PipelineInfo> info(const PipelineRecord& record) const;
  JobInfo info(const JobRecord& record) const;
  /// The ids in hex of a job's datums that have all of some files: paths (or what lies below a datum's), or data digests.
  Result<std::set<std::string>> datums_with_inputs(const std::string& job, const std::vector<std::string>& inputs) const;
  Result<void> sifted_logs(const LogFilter& filter, LogSieve& sieve) const;
  Result<void> job_logs(const JobRecord& job, const LogFilter& filter, LogSieve& sieve) const;
  Result<void> pipeline_logs(const RepoName& pipeline, const LogFilter& filter, LogSieve& sieve) const;

  store::Store& store_;
  const std::unique_ptr<Runner> runner_;
  const std::string state_path_;
  mutable Ledger ledger_;
  JobCauses causes_;
  const LogBook logs_;
  const Clock& clock_;
  const WorkerHouse workers_;
  const DriverHouse house_;

  mutable Mutex mutex_{LockRank::kLeaf};
  mutable Condition changed_;  ///< a job has ended
  bool started_ PFS_GUARDED_BY(mutex_) = false;
  std::map<RepoName, DriverPtr> drivers_ PFS_GUARDED_BY(mutex_);
};

}  // namespace pfs::trigger
