#include "trigger/internal/pipeline_service.h"

#include <algorithm>
#include <set>

#include <boost/filesystem.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "trigger/internal/datum_table.h"
#include "trigger/internal/worker_pod.h"

namespace pfs::trigger {

namespace {

std::string links_path(const std::string& state_path) { return state_path + "/links"; }

}  // namespace

PipelineService::PipelineService(const PipelinesOptions& options, std::unique_ptr<Runner> runner)
    : store_(*options.store),
      runner_(std::move(runner)),
      state_path_(options.state_path),
      ledger_(store_.refs()),
      causes_(store_.refs(), ledger_, store_.catalog(), *options.clock),
      logs_(options.state_path + "/logs", *options.clock),
      clock_(*options.clock),
      workers_{runner_.get(), options.views, store_.id(), options.worker_path, links_path(options.state_path),
               options.secrets},
      house_{store_, ledger_, logs_, clock_, workers_, [this](const RepoName&) { job_ended(); },
             options.idle_time} {}

Result<void> PipelineService::make_directories() const {
  boost::system::error_code error;
  boost::filesystem::create_directories(links_path(state_path_), error);
  if (error) return error_from_errno(error.value(), "make " + links_path(state_path_));
  // the sockets below are open to every user of a container; nobody else of this machine may come near them
  boost::filesystem::permissions(state_path_, boost::filesystem::owner_all, error);
  if (error) return error_from_errno(error.value(), "chmod " + state_path_);
  return {};
}

Result<void> PipelineService::start() {
  PFS_TRY(remove_leftovers());
  runner_->remove_earlier();  // and what a podman that outlived its pfsd makes only now
  PFS_TRY_ASSIGN(const std::vector<PipelineRecord> pipelines, ledger_.pipelines());
  PFS_TRY(mend_branches(pipelines));
  const auto damaged = [](const PipelineRecord& pipeline) { return !pipeline.damage.empty(); };  // its salt is not known
  if (std::none_of(pipelines.begin(), pipelines.end(), damaged)) PFS_TRY(DatumTable::erase_others(store_.local(), pipelines));
  {
    Lock lock(mutex_);
    started_ = true;
  }
  // a crash may have come between a pipeline's creation and its first job, or after the end of a commit that was dropped
  std::vector<RepoName> names;
  for (const PipelineRecord& pipeline : pipelines) names.push_back(pipeline.name);
  PFS_TRY(causes_.cause_due(names));
  for (const RepoName& name : names) drive(name);
  return {};
}

/// Every container has a directory for its socket: where there is none, podman need not be asked.
Result<void> PipelineService::remove_leftovers() {
  boost::system::error_code error;
  if (boost::filesystem::is_empty(links_path(state_path_), error) || error) return {};
  if (auto stopped = runner_->stop_all({{kStoreLabel, store_.id()}}); !stopped) {
    spdlog::warn("containers of an earlier run may be left: {}", stopped.error().message);
    return {};
  }
  for (const auto& entry : boost::filesystem::directory_iterator(links_path(state_path_), error)) {
    boost::filesystem::remove_all(entry.path(), error);
  }
  return {};
}

/// What a crash between the ledger's transaction and the catalog's has left undone.
Result<void> PipelineService::mend_branches(const std::vector<PipelineRecord>& pipelines) {
  std::set<BranchRef> outputs;
  std::set<std::string> unread;
  for (const PipelineRecord& pipeline : pipelines) {
    const auto spec = spec_of(pipeline);
    if (!spec) {  // it is shown as failing, and the others go on
      spdlog::error("pipeline {}: cannot run: {}; update it, or delete it", pipeline.name.str(), spec.error().message);
      unread.insert(pipeline.name.str());
      continue;
    }
    outputs.insert(spec->output());
    auto made = make_branches(*spec);
    // its input repo was deleted by force
    if (!made && (made.error().code == Code::kNotFound || made.error().code == Code::kBusy)) {
      spdlog::warn("pipeline {}: {}", spec->name.str(), made.error().message);
      continue;
    }
    PFS_TRY(made);
  }
  PFS_TRY_ASSIGN(const auto branches, store_.catalog().branches(std::nullopt));
  for (const store::Branch& branch : branches) {
    if (!branch.output_of.empty() && !outputs.contains(branch.ref) && !unread.contains(branch.output_of)) {
      PFS_TRY(store_.catalog().set_output_of(branch.ref, ""));
    }
  }
  return {};
}

void PipelineService::stop() {
  std::map<RepoName, DriverPtr> drivers;
  {
    Lock lock(mutex_);
    started_ = false;
    drivers.swap(drivers_);
  }
  for (const auto& [name, driver] : drivers) driver->ask_to_stop();
  for (const auto& [name, driver] : drivers) driver->stop();
}

void PipelineService::drive(const RepoName& name) {
  DriverPtr found = driver(name);
  if (!found) {
    // its thread starts at once, and asks for no lock of ours before we have let go
    Lock lock(mutex_);
    if (!started_) return;
    DriverPtr& place = drivers_[name];
    if (!place) place = std::make_shared<PipelineDriver>(house_, name);
    return;
  }
  found->wake();
}

PipelineService::DriverPtr PipelineService::driver(const RepoName& name) const {
  Lock lock(mutex_);
  const auto found = drivers_.find(name);
  return found == drivers_.end() ? nullptr : found->second;
}

PipelineService::DriverPtr PipelineService::take_driver(const RepoName& name) {
  Lock lock(mutex_);
  auto node = drivers_.extract(name);
  return node ? std::move(node.mapped()) : nullptr;
}

Result<void> PipelineService::make_branches(const PipelineSpec& spec) {
  store::Catalog& catalog = store_.catalog();
  for (const BranchRef& branch : branches_of(spec.input)) {
    auto there = catalog.create_branch(branch, std::nullopt, /*create_repo=*/false);
    if (!there && there.error().code != Code::kExists) return std::move(there).error();
  }
  auto repo = catalog.create_repo(spec.name, "output of pipeline " + spec.name.str());
  if (!repo && repo.error().code != Code::kExists) return std::move(repo).error();
  auto made = catalog.create_branch(spec.output(), std::nullopt, /*create_repo=*/false);
  if (!made && made.error().code != Code::kExists) return std::move(made).error();
  PFS_TRY_ASSIGN(const store::Branch output, catalog.branch(spec.output()));
  if (output.output_of == spec.name.str()) return {};
  return catalog.set_output_of(spec.output(), spec.name.str());
}

Result<std::vector<BranchRef>> PipelineService::outputs_of(const RepoName& pipeline) const {
  std::vector<BranchRef> outputs;
  const auto branches = store_.catalog().branches(pipeline);
  if (!branches && branches.error().code == Code::kNotFound) return outputs;
  PFS_TRY(branches);
  for (const store::Branch& branch : *branches) {
    if (branch.output_of == pipeline.str()) outputs.push_back(branch.ref);
  }
  return outputs;
}

Result<void> PipelineService::on_moves(std::span<const store::HeadMove> moves, const store::BranchAfter& branch,
                                       store::RefTxn& txn) {
  return causes_.add_jobs(moves, branch, txn);
}

void PipelineService::after_moves(std::span<const store::HeadMove> moves) {
  for (const store::HeadMove& move : moves) drive_downstream(move.branch);
}

void PipelineService::after_discard(const BranchRef& branch) { release(branch); }

/// What has waited for a branch that waits for nothing any more: the commit that was opened by hand is dropped, or the pipeline
/// that would have written it is gone. A crash before this is made good at the next start.
void PipelineService::release(const BranchRef& branch) {
  if (auto caused = causes_.cause_held(branch); !caused) spdlog::error("branch {}: {}", branch.str(), caused.error().message);
  drive_downstream(branch);
}

/// All of them: one that waits for another's output says so.
void PipelineService::drive_downstream(const BranchRef& branch) {
  const auto names = causes_.downstream(branch);
  if (!names) {
    spdlog::error("branch {}: {}", branch.str(), names.error().message);
    return;
  }
  for (const RepoName& name : *names) drive(name);
}

/// Wakes who waits for it: requests, and the jobs that read what it has put out, or would have. Those are found by their
/// waiting, not by what the pipeline writes: that may be another branch by now.
void PipelineService::job_ended() {
  std::vector<DriverPtr> drivers;
  {
    Lock lock(mutex_);
    changed_.notify_all();
    for (const auto& [name, driver] : drivers_) drivers.push_back(driver);
  }
  for (const DriverPtr& driver : drivers) driver->wake_if_waiting();
}

Result<void> PipelineService::on_delete(const BranchRef& branch, store::DeletionOf what, store::RefTxn& txn) {
  PFS_TRY_ASSIGN(const auto readers, ledger_.readers_after(branch, txn));
  if (!readers.empty()) {
    return Error{Code::kBusy, fmt::format("branch {}: read by pipeline {}; delete the pipeline first", branch.str(),
                                          readers.front().str())};
  }
  // a pipeline whose repo is gone can still be deleted, or made again
  if (what == store::DeletionOf::kRepo) return {};
  PFS_TRY_ASSIGN(const auto pipeline, ledger_.pipeline(branch.repo));
  if (!pipeline) return {};
  PFS_TRY_ASSIGN(const auto outputs, outputs_of(branch.repo));
  if (std::find(outputs.begin(), outputs.end(), branch) == outputs.end()) return {};
  return Error{Code::kBusy, fmt::format("branch {}: written by pipeline {}; delete the pipeline first", branch.str(),
                                        branch.repo.str())};
}

Result<void> PipelineService::on_commits_deleted(std::span<const CommitId> commits, store::RefTxn& txn) {
  return ledger_.erase_jobs_of(commits, txn);
}

Result<std::string> PipelineService::probe_runtime() {
  PFS_TRY(runner_->probe());
  return runner_->report();
}

}  // namespace pfs::trigger
