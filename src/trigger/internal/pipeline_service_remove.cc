// Pipelines that are stopped, started, run by hand or deleted.

#include <algorithm>

#include <fmt/format.h>

#include "trigger/internal/again.h"
#include "trigger/internal/datum_table.h"
#include "trigger/internal/pipeline_service.h"

namespace pfs::trigger {

/// Nothing of it runs when this returns.
void PipelineService::halt(const RepoName& name) {
  if (const DriverPtr driver = take_driver(name)) driver->stop();
}

Result<void> PipelineService::set_stopped(const RepoName& name, bool stopped) {
  Result<void> done = Error{Code::kConflict, fmt::format("pipeline {}: others change it; try again", name.str())};
  for (int attempt = 0; attempt < kTries; ++attempt) {
    PFS_TRY_ASSIGN(auto found, ledger_.pipeline(name));
    if (!found) return no_such_pipeline(name);
    if (found->record.stopped == stopped) return {};
    Ledger::Change change{found->record, found, clock_.now()};
    change.record.stopped = stopped;
    const store::RefStep step =
        store::AddRecords{[&](store::RefTxn& txn) { return ledger_.add_put_pipelines({&change, 1}, txn); }};
    done = carry_out({&step, 1});
    if (!done && done.error().code == Code::kConflict) continue;
    PFS_TRY(done);
    // a job that ran is not ended: it begins again, with what it had done, when the pipeline is started
    if (stopped) halt(name);
    if (!stopped) PFS_TRY(causes_.cause_due({&name, 1}));
    drive(name);
    if (const auto spec = spec_of(change.record); stopped && spec) release(spec->output());
    return {};
  }
  return std::move(done).error();
}

Result<JobId> PipelineService::run(const RepoName& name, const std::map<BranchRef, CommitRef>& commits) {
  std::map<BranchRef, CommitId> resolved;
  for (const auto& [branch, ref] : commits) {
    PFS_TRY_ASSIGN(const store::Commit commit, store_.catalog().resolve(ref));
    if (commit.repo != branch.repo) {
      return Error{Code::kInvalid, fmt::format("pipeline {}: commit {} is not of repo {}", name.str(), commit.id.hex(),
                                               branch.repo.str())};
    }
    resolved[branch] = commit.id;
  }
  PFS_TRY_ASSIGN(const JobId job, causes_.cause_by_hand(name, resolved));
  drive(name);
  return job;
}

/// Halts pipelines and erases them; after an error they may be halted. Shape: what they were.
Result<std::vector<Versioned<PipelineRecord>>> PipelineService::erase(std::span<const RepoName> names, const RemoveOptions& options) {
  Result<void> done = Error{Code::kConflict, "pipelines: others change them; try again"};
  for (int attempt = 0; attempt < kTries; ++attempt) {
    std::vector<Versioned<PipelineRecord>> gone;
    for (const RepoName& name : names) {
      PFS_TRY_ASSIGN(auto found, ledger_.pipeline(name));
      if (!found) return no_such_pipeline(name);
      gone.push_back(std::move(*found));
    }
    PFS_TRY_ASSIGN(const auto steps, removal_of(gone, options));
    for (const RepoName& name : names) halt(name);
    done = carry_out(steps);
    if (done) return gone;
    if (done.error().code != Code::kConflict) break;
  }
  return std::move(done).error();
}

Result<void> PipelineService::remove(std::span<const RepoName> names, const RemoveOptions& options) {
  const auto gone = erase(names, options);
  if (!gone) {
    for (const RepoName& name : names) {
      const auto stays = ledger_.pipeline(name);
      if (!stays || *stays) drive(name);  // one that is not there is nobody's to drive
    }
    return gone.error();
  }
  for (const auto& [record, version] : *gone) {
    // a HEAD that moved meanwhile may have called for another driver
    halt(record.name);
    PFS_TRY(DatumTable(store_.local(), clock_, record.name, record.salt).erase_all());
    logs_.remove(record.name);
    if (const auto spec = spec_of(record)) release(spec->output());
  }
  job_ended();  // who waits for a job of them learns that it is gone; a job that does has failed with it
  return {};
}

Result<std::vector<store::RefStep>> PipelineService::removal_of(std::span<const Versioned<PipelineRecord>> pipelines,
                                                                const RemoveOptions& options) const {
  std::vector<store::RefStep> steps;
  const auto goes_too = [&](const RepoName& name) {
    return std::any_of(pipelines.begin(), pipelines.end(), [&](const auto& one) { return one.record.name == name; });
  };
  for (const auto& [record, version] : pipelines) {
    PFS_TRY_ASSIGN(const auto outputs, outputs_of(record.name));
    for (const BranchRef& output : outputs) steps.emplace_back(store::SetOutput{output, ""});
    const bool repo_there = store_.catalog().repo(record.name).has_value();
    if (options.keep_repo || !repo_there) continue;
    PFS_TRY_ASSIGN(const auto branches, store_.catalog().branches(record.name));
    for (const store::Branch& branch : branches) {
      PFS_TRY_ASSIGN(const auto readers, ledger_.readers(branch.ref));
      const auto other = std::find_if_not(readers.begin(), readers.end(), goes_too);
      if (options.force || other == readers.end()) continue;
      return Error{Code::kBusy, fmt::format("pipeline {}: its output {} is read by pipeline {}; delete that first, keep the "
                                            "repo (--keep-repo), or use --force",
                                            record.name.str(), branch.ref.str(), other->str())};
    }
    steps.emplace_back(store::DeleteRepo{record.name, options.force});
  }
  steps.emplace_back(store::AddRecords{
      [this, pipelines](store::RefTxn& txn) { return ledger_.add_erase_pipelines(pipelines, txn); }});
  return steps;
}

}  // namespace pfs::trigger
