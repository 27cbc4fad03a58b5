// Specs become pipelines: what they come to is planned, then carried out in one transaction.

#include <set>
#include <thread>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "trigger/internal/again.h"
#include "trigger/internal/datum_table.h"
#include "trigger/internal/datums.h"
#include "trigger/internal/job_inputs.h"
#include "trigger/internal/pipeline_service.h"

namespace pfs::trigger {

namespace {

constexpr std::size_t kShownDatums = 5;

bool is_overtaken(const Error& error) {
  return error.code == Code::kConflict || error.code == Code::kExists || error.code == Code::kNotFound;
}

/// The salt that an update goes on with: the old one, unless it reprocesses or its author has written another.
Result<std::string> salt_for(const PipelineSpec& spec, const PipelineRecord* old, bool reprocess) {
  if (old != nullptr && !reprocess) {
    const auto before = spec_of(*old);
    const bool same = before ? before->salt == spec.salt : !spec.salt && !old->salt.empty();
    if (same) return old->salt;
  }
  return spec.salt && !reprocess ? *spec.salt : new_commit_id().hex();
}

/// What people have begun in a branch would be lost with the first job that writes it.
Result<void> refuse_open_changes(const store::Catalog& catalog, const BranchRef& ref) {
  PFS_TRY_ASSIGN(const store::OpenCommit open, catalog.open_commit(ref));
  if (open.by_hand) {
    return Error{Code::kBusy, fmt::format("pipeline spec: output_branch: {0}: commit {1} was opened by hand; finish it with "
                                          "`pfs finish commit {0}`, or name another branch", ref.str(), open.id.hex())};
  }
  if (!open.being_written.empty()) {
    return Error{Code::kBusy, fmt::format("pipeline spec: output_branch: {}: {} is being written; close it and try again, or name "
                                          "another branch", ref.str(), printable(open.being_written.front().path))};
  }
  if (!open.changed) return {};
  return Error{Code::kBusy, fmt::format("pipeline spec: output_branch: {0} has changes that are not committed; commit them with "
                                        "`pfs finish commit {0}`, or name another branch", ref.str())};
}

/// No name of Pachyderm's begins so, and '-' is a flag at the command line. Pipelines that are there already keep theirs.
Result<void> check_first_character(const RepoName& name) {
  const char first = name.str().front();
  if (first != '-' && first != '_') return {};
  return Error{Code::kInvalid, fmt::format("pipeline spec: pipeline.name: '{}' begins with '{}'; begin with a letter or a digit",
                                           name.str(), first)};
}

Result<bool> is_there(const store::Catalog& catalog, const RepoName& repo) {
  auto found = catalog.repo(repo);
  if (found) return true;
  if (found.error().code == Code::kNotFound) return false;
  return std::move(found).error();
}

}  // namespace

Result<std::vector<SpecPlan>> PipelineService::apply(std::span<const SpecText> specs, const ApplyOptions& options) {
  Result<void> done = Error{Code::kConflict, "pipelines: others change them; try again"};
  for (int attempt = 0; attempt < kPatientTries; ++attempt) {
    if (attempt > 0) std::this_thread::sleep_for(pause_before(attempt));
    PFS_TRY_ASSIGN(const auto planned_at, ledger_.last_change());
    PFS_TRY_ASSIGN(const PlannedSpecs planned, plan(specs, options));
    std::vector<SpecPlan> plans;
    for (const PlannedSpec& one : planned) {
      plans.push_back(one.plan);
      if (!options.dry_run) continue;
      PFS_TRY_ASSIGN(plans.back().datums, preview(one));
    }
    if (options.dry_run) return plans;
    PFS_TRY(runner_->probe());
    PFS_TRY_ASSIGN(const auto steps, steps_of(planned, planned_at, options.owner));
    if (steps.empty()) return plans;
    done = carry_out(steps);
    // a pipeline, or a repo or branch that one needs, may have come, gone or changed meanwhile
    if (!done && is_overtaken(done.error())) continue;
    PFS_TRY(done);
    PFS_TRY(follow(planned));
    return plans;
  }
  return std::move(done).error();
}

/// `made`: what the transaction makes.
Result<void> PipelineService::refuse_missing_inputs(const PlannedSpec& planned, const std::set<RepoName>& made) const {
  for (const BranchRef& input : planned.spec.inputs()) {
    PFS_TRY_ASSIGN(const bool there, is_there(store_.catalog(), input.repo));
    if (there || made.contains(input.repo)) continue;
    return planned.refused(Error{
        Code::kNotFound, fmt::format("pipeline spec: {0}: no such repo '{1}'; make it with `pfs create repo {1}`",
                                     repo_field(planned.spec.input, input.repo), input.repo.str())});
  }
  return {};
}

/// What the specs come to; nothing is changed. What they read is there, and what they write is free.
Result<PlannedSpecs> PipelineService::plan(std::span<const SpecText> specs, const ApplyOptions& options) const {
  PFS_TRY_ASSIGN(PlannedSpecs planned, read_specs(specs));
  PFS_TRY_ASSIGN(const auto pipelines, ledger_.pipelines());
  PFS_TRY(refuse_cycles(planned, pipelines));
  std::set<RepoName> made;
  for (const PlannedSpec& one : planned) made.insert(one.spec.name);
  for (PlannedSpec& one : planned) {
    const std::string& name = one.spec.name.str();
    PFS_TRY(refuse_missing_inputs(one, made));
    const auto output = store_.catalog().branch(one.spec.output());
    if (output && !output->output_of.empty() && output->output_of != name) {
      return one.refused(Error{Code::kBusy, fmt::format("pipeline spec: output_branch: {} is written by pipeline {}",
                                                        one.spec.output().str(), output->output_of)});
    }
    if (output && output->output_of.empty()) {
      if (auto free = refuse_open_changes(store_.catalog(), one.spec.output()); !free) return one.refused(std::move(free).error());
    }
    PFS_TRY_ASSIGN(one.change.old, ledger_.pipeline(one.spec.name));
    const PipelineRecord* old = one.change.old ? &one.change.old->record : nullptr;
    if (old != nullptr && !options.update) {
      return one.refused(Error{Code::kExists, fmt::format("pipeline {}: is there already; update it instead", name)});
    }
    if (old == nullptr) {
      if (auto named = check_first_character(one.spec.name); !named) return one.refused(std::move(named).error());
    }
    PipelineRecord& record = one.change.record;
    record = old != nullptr ? *old : PipelineRecord{one.spec.name, 0, {}, {}, clock_.now(), false, {}};
    if (old != nullptr) {
      // the old text may be an older version's, with other defaults
      const auto before = spec_of(*old);
      if (before) one.plan.changes = differences(to_json(*before), one.plan.spec_json);
      else one.plan.changes = {"it could not be read: " + before.error().message};
      record.damage.clear();
    }
    one.plan.version = record.version;
    if (old != nullptr && one.plan.changes.empty() && !options.reprocess) continue;
    one.plan.outcome = old != nullptr ? SpecOutcome::kUpdated : SpecOutcome::kCreated;
    one.plan.reprocess = old != nullptr && options.reprocess;
    one.plan.version = ++record.version;
    record.spec_json = one.plan.spec_json;
    one.change.when = clock_.now();
    PFS_TRY_ASSIGN(record.salt, salt_for(one.spec, old, options.reprocess));
  }
  return planned;
}

Result<DatumPreview> PipelineService::preview(const PlannedSpec& planned) const {
  std::vector<JobInput> inputs;
  for (const BranchRef& branch : planned.spec.inputs()) {
    const auto now = store_.catalog().branch(branch);
    inputs.push_back({branch, now ? now->head : std::nullopt, std::nullopt});
  }
  const PipelineRecord& record = planned.change.record;
  PFS_TRY_ASSIGN(const LoadedInputs loaded, load_inputs(store_.catalog(), inputs));
  PFS_TRY_ASSIGN(const auto datums, list_datums(store_.tree_reader(), planned.spec.input, loaded.roots,
                                                DatumMaker(planned.spec.name, record.salt)));
  const DatumTable table(store_.local(), clock_, planned.spec.name, record.salt);
  DatumPreview preview;
  preview.total = datums.size();
  for (const Datum& datum : datums) {
    if (preview.first.size() < kShownDatums) preview.first.push_back(datum.label());
    if (planned.spec.reprocess_every_job) continue;
    PFS_TRY_ASSIGN(const auto done, table.find(datum.id));
    if (done) ++preview.done;
  }
  return preview;
}

/// Repos and branches that are not there yet come first, so that the specs' order does not count.
Result<std::vector<store::RefStep>> PipelineService::steps_of(const PlannedSpecs& planned, std::optional<store::Seq> planned_at,
                                                              const std::optional<store::DirectoryOwner>& owner) const {
  std::vector<store::RefStep> steps;
  std::vector<Ledger::Change> changes;
  for (const PlannedSpec& one : planned) {
    if (!one.changes()) continue;
    changes.push_back(one.change);
    PFS_TRY_ASSIGN(const bool there, is_there(store_.catalog(), one.spec.name));
    if (!there) steps.emplace_back(store::CreateRepo{one.spec.name, "output of pipeline " + one.spec.name.str()});
  }
  if (changes.empty()) return steps;
  std::set<BranchRef> branches;
  for (const PlannedSpec& one : planned) {
    if (!one.changes()) continue;
    const auto inputs = one.spec.inputs();
    branches.insert(inputs.begin(), inputs.end());
    branches.insert(one.spec.output());
  }
  for (const BranchRef& branch : branches) {
    if (store_.catalog().branch(branch)) steps.emplace_back(store::RequireBranch{branch});
    else steps.emplace_back(store::CreateBranch{branch, std::nullopt, false, {}, false, owner});
  }
  for (const PlannedSpec& one : planned) {
    if (!one.changes()) continue;
    if (one.change.old) {
      PFS_TRY_ASSIGN(const auto before, outputs_of(one.spec.name));
      for (const BranchRef& freed : before) {
        if (freed != one.spec.output()) steps.emplace_back(store::SetOutput{freed, ""});
      }
    }
    steps.emplace_back(store::SetOutput{one.spec.output(), one.spec.name.str()});
  }
  steps.emplace_back(store::AddRecords{[this, planned_at, changes = std::move(changes)](store::RefTxn& txn) -> Result<void> {
    PFS_TRY(ledger_.add_planned(planned_at, txn));
    return ledger_.add_put_pipelines(changes, txn);
  }});
  return steps;
}

Result<void> PipelineService::carry_out(std::span<const store::RefStep> steps) {
  PFS_TRY(store_.catalog().transact(steps));
  return {};
}

/// What is done once the transaction is durable; a crash before it is made good at the next start.
Result<void> PipelineService::follow(const PlannedSpecs& planned) {
  std::vector<RepoName> changed;
  for (const PlannedSpec& one : planned) {
    for (const std::string& note : one.plan.notes) spdlog::info("pipeline {}: {}", one.spec.name.str(), note);
    if (!one.changes()) continue;
    const PipelineRecord& record = one.change.record;
    if (one.change.old && one.change.old->record.salt != record.salt) {
      PFS_TRY(DatumTable(store_.local(), clock_, record.name, one.change.old->record.salt).erase_all());
    }
    changed.push_back(record.name);
  }
  PFS_TRY(causes_.cause_due(changed));
  for (const PlannedSpec& one : planned) {
    if (!one.changes()) continue;
    if (const DriverPtr running = driver(one.spec.name)) running->renew(one.change.record.version);
    drive(one.spec.name);
    if (!one.change.old) {
      drive_downstream(one.spec.output());
      continue;
    }
    release(one.spec.output());  // it may have waited for a commit that it reads no more
    // who reads the branch that it wrote before waits for no job of it any more
    const auto before = spec_of(one.change.old->record);
    if (before && before->output() != one.spec.output()) release(before->output());
  }
  return {};
}

}  // namespace pfs::trigger
