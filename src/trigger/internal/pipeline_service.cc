#include "trigger/internal/pipeline_service.h"

#include <set>

#include <boost/filesystem.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "trigger/internal/datum_table.h"
#include "trigger/internal/worker_pod.h"

namespace pfs::trigger {

namespace {

constexpr int kTries = 8;  // of a transaction that loses a race against others that change pipelines

std::string secrets_path(const std::string& state_path) { return state_path + "/secrets"; }
std::string links_path(const std::string& state_path) { return state_path + "/links"; }

/// The salt that an update goes on with: the old one, unless it reprocesses or its author has written another.
Result<std::string> salt_for(const PipelineSpec& spec, const PipelineRecord* old, bool reprocess) {
  if (old != nullptr && !reprocess) {
    PFS_TRY_ASSIGN(const PipelineSpec before, parse_spec(old->spec_json));
    if (before.salt == spec.salt) return old->salt;
  }
  return spec.salt && !reprocess ? *spec.salt : new_commit_id().hex();
}

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
               secrets_path(options.state_path)},
      house_{store_, ledger_, logs_, clock_, workers_, [this](const RepoName& pipeline) { job_ended(pipeline); },
             options.idle_time} {}

Result<void> PipelineService::make_directories() const {
  boost::system::error_code error;
  boost::filesystem::create_directories(links_path(state_path_), error);
  if (error) return error_from_errno(error.value(), "make " + links_path(state_path_));
  boost::filesystem::create_directories(secrets_path(state_path_), error);
  if (error) return error_from_errno(error.value(), "make " + secrets_path(state_path_));
  // the sockets below are open to every user of a container; nobody else of this machine may come near them
  boost::filesystem::permissions(state_path_, boost::filesystem::owner_all, error);
  if (error) return error_from_errno(error.value(), "chmod " + state_path_);
  return {};
}

Result<void> PipelineService::start() {
  PFS_TRY(remove_leftovers());
  PFS_TRY_ASSIGN(const std::vector<PipelineRecord> pipelines, ledger_.pipelines());
  PFS_TRY(mend_branches(pipelines));
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
  for (const PipelineRecord& pipeline : pipelines) {
    PFS_TRY_ASSIGN(const PipelineSpec spec, parse_spec(pipeline.spec_json));
    outputs.insert(spec.output());
    auto made = make_branches(spec);
    if (!made && made.error().code == Code::kNotFound) {  // its input repo was deleted by force
      spdlog::warn("pipeline {}: {}", spec.name.str(), made.error().message);
      continue;
    }
    PFS_TRY(made);
  }
  PFS_TRY_ASSIGN(const auto branches, store_.catalog().branches(std::nullopt));
  for (const store::Branch& branch : branches) {
    if (!branch.output_of.empty() && !outputs.contains(branch.ref)) {
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

Result<PipelineInfo> PipelineService::create(const std::string& spec_json, bool update, bool reprocess) {
  PFS_TRY_ASSIGN(const PipelineSpec spec, parse_spec(spec_json));
  PFS_TRY(check_branches(spec));
  PFS_TRY(runner_->probe());
  PFS_TRY_ASSIGN(const bool changed, put_spec(spec, update, reprocess));
  if (changed) {
    PFS_TRY(make_branches(spec));
    PFS_TRY_ASSIGN(const auto record, ledger_.pipeline(spec.name));
    if (record) PFS_TRY(causes_.cause_due({&spec.name, 1}));
    drive(spec.name);
    drive_downstream(spec.output());
  }
  return get(spec.name);
}

Result<bool> PipelineService::put_spec(const PipelineSpec& spec, bool update, bool reprocess) {
  Result<void> put = Error{Code::kConflict, "pipeline " + spec.name.str() + ": others change it; try again"};
  for (int attempt = 0; attempt < kTries; ++attempt) {
    PFS_TRY(check_no_cycle(spec));
    PFS_TRY_ASSIGN(const auto old, ledger_.pipeline(spec.name));
    if (old && !update) {
      return Error{Code::kExists, fmt::format("pipeline {}: is there already; update it instead", spec.name.str())};
    }
    PipelineRecord record;
    record.name = spec.name;
    record.spec_json = to_json(spec);
    if (old && !reprocess && old->record.spec_json == record.spec_json) return false;
    record.version = old ? old->record.version + 1 : 1;
    record.created = old ? old->record.created : clock_.now();
    PFS_TRY_ASSIGN(record.salt, salt_for(spec, old ? &old->record : nullptr, reprocess));
    put = ledger_.put_pipeline(record, old);
    if (!put && put.error().code == Code::kConflict) continue;
    PFS_TRY(put);
    if (old) PFS_TRY(leave(old->record, record, spec));
    return true;
  }
  return std::move(put).error();
}

/// Gives up what the old version had and the new one has not.
Result<void> PipelineService::leave(const PipelineRecord& old, const PipelineRecord& now, const PipelineSpec& spec) {
  PFS_TRY_ASSIGN(const PipelineSpec before, parse_spec(old.spec_json));
  if (before.output() != spec.output()) {
    auto freed = store_.catalog().set_output_of(before.output(), "");
    if (!freed && freed.error().code != Code::kNotFound) return freed;  // not found: its repo was deleted
  }
  if (old.salt == now.salt) return {};
  return DatumTable(store_.local(), clock_, old.name, old.salt).erase_all();
}

/// Before anything is changed: what the spec reads is there, and what it writes is free.
Result<void> PipelineService::check_branches(const PipelineSpec& spec) {
  for (const BranchRef& branch : branches_of(spec.input)) {
    auto repo = store_.catalog().repo(branch.repo);
    if (!repo && repo.error().code == Code::kNotFound) {
      return Error{Code::kNotFound, fmt::format("pipeline spec: input.pfs.repo: no such repo '{0}'; make it with `pfs create repo {0}`",
                                                branch.repo.str())};
    }
    PFS_TRY(repo);
  }
  const auto output = store_.catalog().branch(spec.output());
  if (output && !output->output_of.empty() && output->output_of != spec.name.str()) {
    return Error{Code::kBusy, fmt::format("branch {}: written by pipeline {}", spec.output().str(), output->output_of)};
  }
  return {};
}

Result<void> PipelineService::check_no_cycle(const PipelineSpec& spec) const {
  PFS_TRY_ASSIGN(const std::vector<PipelineRecord> pipelines, ledger_.pipelines());
  std::map<BranchRef, std::vector<BranchRef>> made_from;  // outputs to inputs
  for (const PipelineRecord& pipeline : pipelines) {
    PFS_TRY_ASSIGN(const PipelineSpec other, parse_spec(pipeline.spec_json));
    if (other.name != spec.name) made_from[other.output()] = branches_of(other.input);
  }
  std::vector<BranchRef> upstream = branches_of(spec.input);
  std::set<BranchRef> seen;
  while (!upstream.empty()) {
    const BranchRef at = std::move(upstream.back());
    upstream.pop_back();
    if (at == spec.output()) {
      return Error{Code::kInvalid, fmt::format("pipeline {}: its input ({}) is made from its own output {}", spec.name.str(),
                                               shorthand(spec.input), at.str())};
    }
    if (!seen.insert(at).second) continue;
    const auto next = made_from.find(at);
    if (next != made_from.end()) upstream.insert(upstream.end(), next->second.begin(), next->second.end());
  }
  return {};
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

Result<void> PipelineService::remove(const RepoName& name) {
  PFS_TRY_ASSIGN(auto found, ledger_.pipeline(name));
  if (!found) return Error{Code::kNotFound, fmt::format("pipeline {}: no such pipeline", name.str())};
  if (const DriverPtr driver = take_driver(name)) driver->stop();
  for (int attempt = 1; found; ++attempt) {
    auto erased = ledger_.erase_pipeline(*found);
    if (erased) break;
    if (erased.error().code != Code::kConflict || attempt == kTries) {
      drive(name);
      return std::move(erased).error();
    }
    PFS_TRY_ASSIGN(found, ledger_.pipeline(name));
  }
  // a HEAD that moved meanwhile may have called for another driver
  if (const DriverPtr driver = take_driver(name)) driver->stop();
  if (!found) return {};  // somebody else deleted it
  PFS_TRY_ASSIGN(const PipelineSpec spec, parse_spec(found->record.spec_json));
  drive_downstream(spec.output());  // jobs that wait for one of its jobs have failed with it
  auto freed = store_.catalog().set_output_of(spec.output(), "");
  if (!freed && freed.error().code != Code::kNotFound) return freed;  // not found: its repo was deleted before it
  PFS_TRY(DatumTable(store_.local(), clock_, name, found->record.salt).erase_all());
  logs_.remove(name);
  Lock lock(mutex_);
  changed_.notify_all();  // who waits for a job of it learns that it is gone
  return {};
}

Result<void> PipelineService::on_moves(std::span<const store::HeadMove> moves, const store::BranchAfter& branch,
                                       store::RefTxn& txn) {
  return causes_.add_jobs(moves, branch, txn);
}

void PipelineService::after_moves(std::span<const store::HeadMove> moves) {
  for (const store::HeadMove& move : moves) drive_downstream(move.branch);
}

/// What a commit has held up that was opened by hand. A crash before this is made good at the next start.
void PipelineService::after_discard(const BranchRef& branch) {
  const auto readers = ledger_.readers(branch);
  auto caused = readers ? causes_.cause_due(*readers) : Result<void>(readers.error());
  if (!caused) spdlog::error("branch {}: {}", branch.str(), caused.error().message);
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

/// Wakes who waits for it: requests, and the jobs that read what it has put out, or would have.
void PipelineService::job_ended(const RepoName& pipeline) {
  {
    Lock lock(mutex_);
    changed_.notify_all();
  }
  const auto found = ledger_.pipeline(pipeline);
  if (!found || !*found) return;
  const auto spec = parse_spec((*found)->record.spec_json);
  if (spec) drive_downstream(spec->output());
}

Result<void> PipelineService::on_delete(const BranchRef& branch, store::DeletionOf what) {
  PFS_TRY_ASSIGN(const auto readers, ledger_.readers(branch));
  if (!readers.empty()) {
    return Error{Code::kBusy, fmt::format("branch {}: read by pipeline {}; delete the pipeline first", branch.str(),
                                          readers.front().str())};
  }
  // a pipeline whose repo is gone can still be deleted, or made again
  if (what == store::DeletionOf::kRepo) return {};
  PFS_TRY_ASSIGN(const auto pipeline, ledger_.pipeline(branch.repo));
  if (!pipeline) return {};
  PFS_TRY_ASSIGN(const PipelineSpec spec, parse_spec(pipeline->record.spec_json));
  if (spec.output() != branch) return {};
  return Error{Code::kBusy, fmt::format("branch {}: written by pipeline {}; delete the pipeline first", branch.str(),
                                        spec.name.str())};
}

Result<void> PipelineService::on_commits_deleted(std::span<const CommitId> commits, store::RefTxn& txn) {
  return ledger_.erase_jobs_of(commits, txn);
}

}  // namespace pfs::trigger
