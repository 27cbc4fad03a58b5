#include "trigger/internal/job_causes.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <thread>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "trigger/internal/again.h"
#include "trigger/internal/spec.h"

namespace pfs::trigger {

namespace {

/// Those that nobody has opened have begun when they were finished.
bool was_opened_by_hand(const store::Commit& commit) { return commit.started != commit.finished; }

struct Reader {
  PipelineRecord record;
  PipelineSpec spec;
};

/// The pipelines below some branches, found by going down. What is read must not change before the transaction commits.
class ReaderGraph {
 public:
  ReaderGraph(const Ledger& ledger, store::RefTxn& txn) : ledger_(ledger), txn_(txn) {}

  Result<void> add_below(const BranchRef& branch) {
    if (!branches_.insert(branch).second) return {};
    PFS_TRY_ASSIGN(const auto names, ledger_.readers_expected(branch, txn_));
    for (const RepoName& name : names) PFS_TRY(add(name));
    return {};
  }

  Result<void> add(const RepoName& name) {
    if (!names_.insert(name).second) return {};
    PFS_TRY_ASSIGN(auto found, ledger_.pipeline(name));
    if (!found) return {};
    // a job's id holds the version: an update that comes between must make the transaction start again
    expect(txn_, pipeline_key(name), found->version);
    if (found->record.stopped) return {};  // what it misses is caused when it is started
    auto spec = spec_of(found->record);
    if (!spec) {  // of a version of pfs that knew more; nobody's commit is to fail of that
      spdlog::error("pipeline {}: gets no jobs: {}", name.str(), spec.error().message);
      return {};
    }
    PFS_TRY(add_below(spec->output()));
    lowest_first_.push_back({std::move(found->record), std::move(*spec)});
    return {};
  }

  std::vector<Reader> upstream_first() && {
    std::reverse(lowest_first_.begin(), lowest_first_.end());
    return std::move(lowest_first_);
  }

 private:
  const Ledger& ledger_;
  store::RefTxn& txn_;
  std::set<BranchRef> branches_;
  std::set<RepoName> names_;
  std::vector<Reader> lowest_first_;  ///< each behind all that read what it writes
};

/// One transaction's jobs.
class Causing {
 public:
  struct Around {
    const Ledger& ledger;
    const store::Catalog& catalog;
    const Clock& clock;
    const store::BranchAfter& branch;
    store::RefTxn& txn;
  };
  explicit Causing(const Around& around) : around_(around) {}

  void moved(const store::HeadMove& move) {
    changed_.insert(move.branch);
    new_commits_[move.new_head.id] = move.new_head.root.data_digest;
  }
  /// Looks at the pipeline even if none of its branches has moved.
  void look_at(const RepoName& pipeline) { looked_at_.insert(pipeline); }
  /// A commit that was opened by hand has ended: who waited for it is looked at. A transaction that is at it to let one wait
  /// for that commit must begin again, so what was caused is written again also where nothing comes of it.
  void settle() { settling_ = true; }

  /// What that pipeline is to read of some branches, whatever they are.
  void pin(const RepoName& pipeline, const std::map<BranchRef, CommitId>& commits) {
    pinned_ = pipeline;
    pins_ = commits;
  }
  /// The job of this transaction that will write a branch.
  std::optional<JobId> job_of(const BranchRef& output) const {
    const auto caused = caused_.find(output);
    return caused == caused_.end() ? std::nullopt : std::optional(caused->second);
  }

  /// Upstream first. Shape: how many jobs were added.
  Result<std::size_t> add(const std::vector<Reader>& readers, bool even_unchanged) {
    std::size_t added = 0;
    for (const Reader& reader : readers) {
      const std::vector<BranchRef> branches = branches_of(reader.spec.input);
      const bool is_new = settling_ || looked_at_.contains(reader.record.name);
      if (!is_new && std::none_of(branches.begin(), branches.end(), [&](const auto& ref) { return changed_.contains(ref); })) {
        continue;
      }
      // before the branches: what is caused with one of them after that look is not what the transaction expects
      PFS_TRY_ASSIGN(const auto before, before_of(reader.record.name));
      PFS_TRY_ASSIGN(auto inputs, reader.record.name == pinned_ ? present_of(branches) : future_of(branches));
      if (!inputs) {
        // the transaction that finishes what is awaited may have looked at our branches before we moved them: it must look again
        put_as_it_was(reader.record, before);
        continue;
      }
      if (!(is_new && even_unchanged)) {
        PFS_TRY_ASSIGN(const bool known, is_known(reader.record, before.record, *inputs));
        if (known && settling_) put_as_it_was(reader.record, before);
        if (known) continue;
      }
      add_job(reader, *inputs, before);
      ++added;
    }
    return added;
  }

 private:
  struct Before {
    std::optional<CausedRecord> record;
    std::optional<Versioned<CausedRecord>> row;
    std::uint64_t next_number = 1;
  };

  void put_as_it_was(const PipelineRecord& pipeline, const Before& before) {
    around_.ledger.add_put_caused(pipeline.name, before.record.value_or(CausedRecord{pipeline.version, before.next_number, {}}),
                                  before.row, around_.txn);
  }

  std::vector<JobInput> with_pins(std::vector<JobInput> inputs) const {
    for (JobInput& input : inputs) {
      const auto pin = pins_.find(input.branch);
      if (pin != pins_.end()) input = JobInput{input.branch, pin->second, std::nullopt};
    }
    return inputs;
  }

  /// The same for a job by hand: only the branches themselves count, and of those the ones that it is not told what to read of.
  Result<std::optional<std::vector<JobInput>>> present_of(const std::vector<BranchRef>& branches) {
    for (const BranchRef& ref : branches) {
      PFS_TRY_ASSIGN(const auto branch, around_.branch(ref));
      if (branch && branch->opened_by_hand && !pins_.contains(ref)) return std::optional<std::vector<JobInput>>();
      held_[ref] = false;
    }
    return future_of(branches);
  }

  /// What the branches will be; nullopt when no job can be made of that, or not yet.
  Result<std::optional<std::vector<JobInput>>> future_of(const std::vector<BranchRef>& branches) {
    std::vector<JobInput> inputs;
    bool any = false;
    for (const BranchRef& ref : branches) {
      PFS_TRY_ASSIGN(const auto input, future_of(ref));
      if (!input) return std::optional<std::vector<JobInput>>();
      any = any || input->commit || input->from;
      inputs.push_back(*input);
    }
    if (!any) return std::optional<std::vector<JobInput>>();
    return std::optional(std::move(inputs));
  }

  /// nullopt: it waits for a commit that somebody has opened by hand, or is not there.
  Result<std::optional<JobInput>> future_of(const BranchRef& ref) {
    JobInput input;
    input.branch = ref;
    if (const auto caused = caused_.find(ref); caused != caused_.end()) {
      input.from = caused->second;
      return std::optional(input);
    }
    PFS_TRY_ASSIGN(const bool held, is_held(ref));
    if (held) return std::optional<JobInput>();
    PFS_TRY_ASSIGN(auto branch, around_.branch(ref));
    if (branch && !branch->output_of.empty()) {
      PFS_TRY_ASSIGN(const RepoName writer, RepoName::parse(branch->output_of));
      PFS_TRY_ASSIGN(input.from, around_.ledger.newest_unfinished(writer));
      if (input.from) return std::optional(input);
      // a job that has ended between the two looks has moved HEAD
      PFS_TRY_ASSIGN(branch, around_.branch(ref));
    }
    if (!branch) return std::optional<JobInput>();  // deleted by force: nothing is made of what is not there
    input.commit = branch->head;
    return std::optional(input);
  }

  /// Whether a commit that is open by hand is in the branch, or in what the branch is made from: of what has moved meanwhile,
  /// its HEAD may have nothing yet.
  Result<bool> is_held(const BranchRef& ref) {
    const auto [known, is_new] = held_.emplace(ref, false);
    if (!is_new) return known->second;
    PFS_TRY_ASSIGN(const auto branch, around_.branch(ref));
    if (!branch) return false;
    bool held = branch->opened_by_hand;
    if (!branch->output_of.empty()) {
      PFS_TRY_ASSIGN(const RepoName writer, RepoName::parse(branch->output_of));
      PFS_TRY_ASSIGN(held, reads_held(writer));
    }
    known->second = held;
    return held;
  }

  Result<bool> reads_held(const RepoName& writer) {
    PFS_TRY_ASSIGN(const auto found, around_.ledger.pipeline(writer));
    if (!found || found->record.stopped) return false;  // nothing will come of it
    const auto spec = spec_of(found->record);
    if (!spec) return false;
    for (const BranchRef& input : spec->inputs()) {
      PFS_TRY_ASSIGN(const bool held, is_held(input));
      if (!held) continue;
      // were it stopped meanwhile, nobody would wait for it
      expect(around_.txn, pipeline_key(writer), found->version);
      return true;
    }
    return false;
  }

  Result<Before> before_of(const RepoName& pipeline) const {
    Before before;
    PFS_TRY_ASSIGN(before.row, around_.ledger.caused(pipeline));
    if (before.row) {
      before.record = before.row->record;
      before.next_number = before.row->record.next_number;
      return before;
    }
    PFS_TRY_ASSIGN(const auto newest, around_.ledger.jobs(pipeline, 1));
    if (newest.empty()) return before;
    before.next_number = newest.front().number + 1;
    before.record = CausedRecord{newest.front().caused_by_version, before.next_number, newest.front().inputs};
    return before;
  }

  Result<bool> is_known(const PipelineRecord& pipeline, const std::optional<CausedRecord>& before,
                        const std::vector<JobInput>& inputs) const {
    if (!before || before->pipeline_version != pipeline.version || before->inputs.size() != inputs.size()) return false;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      PFS_TRY_ASSIGN(const bool same, is_same(before->inputs[i], inputs[i]));
      if (!same) return false;
    }
    return true;
  }

  Result<bool> is_same(JobInput before, const JobInput& now) const {
    if (before.branch != now.branch) return false;
    if (now.from) return before.from == now.from;
    if (before.from && !before.commit) {
      PFS_TRY_ASSIGN(const auto job, around_.ledger.job(*before.from));
      if (job) {
        PFS_TRY_ASSIGN(before.commit, around_.ledger.head_after(job->record));
        // it has put out nothing: of HEAD as it was then no job comes, which would have half of the change; of what a later one
        // has put out there comes one, also where that is the same
        if (!job->record.output_commit) return !now.commit || before.commit == now.commit;
      }
    }
    if (before.commit == now.commit) return true;
    if (!before.commit || !now.commit) return false;
    PFS_TRY_ASSIGN(const auto old_content, content_of(*before.commit));
    PFS_TRY_ASSIGN(const auto new_content, content_of(*now.commit));
    return old_content && old_content == new_content;
  }

  Result<std::optional<Digest>> content_of(const CommitId& id) const {
    if (const auto made = new_commits_.find(id); made != new_commits_.end()) return std::optional(made->second);
    auto commit = around_.catalog.commit(id);
    if (commit) return std::optional(commit->root.data_digest);
    if (commit.error().code == Code::kNotFound) return std::optional<Digest>();  // deleted
    return std::move(commit).error();
  }

  void add_job(const Reader& reader, const std::vector<JobInput>& heads, const Before& before) {
    const std::vector<JobInput> inputs = reader.record.name == pinned_ ? with_pins(heads) : heads;
    JobRecord job;
    job.pipeline = reader.record.name;
    job.caused_by_version = reader.record.version;
    job.pipeline_version = reader.record.version;
    job.number = before.next_number;
    job.created = around_.clock.now();
    job.id = job_id(reader.record, inputs, job.number);
    job.inputs = inputs;
    around_.ledger.add_new_job(job, heads, before.row, around_.txn);
    caused_[reader.spec.output()] = job.id;
    changed_.insert(reader.spec.output());
  }

  const Around around_;
  std::set<BranchRef> changed_;
  std::set<RepoName> looked_at_;
  bool settling_ = false;
  std::map<BranchRef, bool> held_;  ///< as far as it was looked
  std::map<CommitId, Digest> new_commits_;  ///< of this transaction: what they hold
  std::optional<RepoName> pinned_;
  std::map<BranchRef, CommitId> pins_;
  std::map<BranchRef, JobId> caused_;       ///< the jobs of this transaction, by what they will write
};

}  // namespace

Result<void> JobCauses::add_jobs(std::span<const store::HeadMove> moves, const store::BranchAfter& branch,
                                 store::RefTxn& txn) const {
  ReaderGraph graph(ledger_, txn);
  Causing causing({ledger_, catalog_, clock_, branch, txn});
  for (const store::HeadMove& move : moves) {
    PFS_TRY_ASSIGN(const auto moved, branch(move.branch));
    // what comes of a job's output was caused with the job
    if (moved && !moved->output_of.empty()) continue;
    PFS_TRY(graph.add_below(move.branch));
    causing.moved(move);
    if (was_opened_by_hand(move.new_head)) causing.settle();
  }
  PFS_TRY(causing.add(std::move(graph).upstream_first(), /*even_unchanged=*/false));
  return {};
}

/// As they are, when there is no transaction that moves them.
store::BranchAfter JobCauses::branches_now() const {
  return [this](const BranchRef& ref) -> Result<std::optional<store::Branch>> {
    auto found = catalog_.branch(ref);
    if (found) return std::optional(std::move(*found));
    if (found.error().code == Code::kNotFound) return std::optional<store::Branch>();
    return std::move(found).error();
  };
}

Result<JobId> JobCauses::cause_by_hand(const RepoName& name, const std::map<BranchRef, CommitId>& commits) {
  const store::BranchAfter branch = branches_now();
  for (int attempt = 1;; ++attempt) {
    PFS_TRY_ASSIGN(const auto found, ledger_.pipeline(name));
    if (!found) return Error{Code::kNotFound, fmt::format("pipeline {}: no such pipeline", name.str())};
    if (found->record.stopped) {
      return Error{Code::kBusy, fmt::format("pipeline {0}: it is stopped; start it with `pfs start pipeline {0}`", name.str())};
    }
    PFS_TRY_ASSIGN(const PipelineSpec spec, spec_of(found->record));
    const auto read = spec.inputs();
    for (const auto& [ref, commit] : commits) {
      if (std::find(read.begin(), read.end(), ref) != read.end()) continue;
      return Error{Code::kInvalid, fmt::format("pipeline {}: it does not read branch {}", name.str(), ref.str())};
    }
    store::RefTxn txn = begin_transaction();
    ReaderGraph graph(ledger_, txn);
    Causing causing({ledger_, catalog_, clock_, branch, txn});
    PFS_TRY(graph.add(name));
    causing.look_at(name);
    causing.pin(name, commits);
    PFS_TRY(causing.add(std::move(graph).upstream_first(), /*even_unchanged=*/true));
    const auto job = causing.job_of(spec.output());
    if (!job) {
      return Error{Code::kInvalid, fmt::format("pipeline {}: there is nothing to read yet, or a commit of an input was "
                                               "opened by hand and is not finished", name.str())};
    }
    auto committed = refs_.commit(std::move(txn));
    if (committed) return *job;
    if (committed.error().code != Code::kConflict || attempt == kTries) return std::move(committed).error();
  }
}

Result<void> JobCauses::cause_due(std::span<const RepoName> pipelines) { return cause_all(pipelines, /*settle=*/false); }

Result<void> JobCauses::cause_held(const BranchRef& branch) {
  PFS_TRY_ASSIGN(const auto names, downstream(branch));
  return cause_all(names, /*settle=*/true);
}

Result<void> JobCauses::cause_all(std::span<const RepoName> pipelines, bool settle) {
  const store::BranchAfter branch = branches_now();
  for (int attempt = 1;; ++attempt) {
    store::RefTxn txn = begin_transaction();
    ReaderGraph graph(ledger_, txn);
    Causing causing({ledger_, catalog_, clock_, branch, txn});
    for (const RepoName& name : pipelines) {
      PFS_TRY(graph.add(name));
      causing.look_at(name);
    }
    if (settle) causing.settle();
    PFS_TRY_ASSIGN(const std::size_t added, causing.add(std::move(graph).upstream_first(), /*even_unchanged=*/false));
    if (added == 0 && !(settle && !txn.put.empty())) return {};
    auto committed = refs_.commit(std::move(txn));
    if (committed) return {};
    if (committed.error().code != Code::kConflict || attempt == kPatientTries) return std::move(committed).error();
    std::this_thread::sleep_for(pause_before(attempt));
  }
}

Result<std::vector<RepoName>> JobCauses::downstream(const BranchRef& branch) const {
  store::RefTxn unused;
  ReaderGraph graph(ledger_, unused);
  PFS_TRY(graph.add_below(branch));
  std::vector<RepoName> names;
  for (const Reader& reader : std::move(graph).upstream_first()) names.push_back(reader.record.name);
  return names;
}

}  // namespace pfs::trigger
