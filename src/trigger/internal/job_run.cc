#include "trigger/internal/job_run.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/duration.h"
#include "base/fault.h"
#include "trigger/internal/datum_environment.h"
#include "trigger/internal/job_inputs.h"

namespace pfs::trigger {

namespace {

Error cancelled() { return Error{Code::kCancelled, "asked to stop"}; }

/// Whether an error ends this run only: the job is still to be done. Everything else ends the job.
bool goes_on_later(Code code) {
  switch (code) {
    case Code::kCancelled:
    case Code::kUnavailable:
    case Code::kConflict:  // the job is not as we know it, or is gone
    case Code::kNoSpace:
    case Code::kQuota:
    case Code::kIo:
      return true;
    case Code::kNotFound:
    case Code::kExists:
    case Code::kInvalid:
    case Code::kNotDirectory:
    case Code::kIsDirectory:
    case Code::kNotEmpty:
    case Code::kReadOnly:
    case Code::kBusy:
    case Code::kNotPermitted:
    case Code::kDenied:
    case Code::kStale:
    case Code::kCrossDevice:
    case Code::kTooManyLinks:
    case Code::kNameTooLong:
    case Code::kTooLarge:
    case Code::kNoData:
    case Code::kUnsupported:
    case Code::kCorrupt:
    case Code::kInternal:
      return false;
  }
  return false;
}

}  // namespace

JobRun::JobRun(const JobSurroundings& around, const PipelineRecord& pipeline, PipelineSpec spec,
               Versioned<JobRecord> job)
    : around_(around),
      pipeline_(pipeline),
      spec_(std::move(spec)),
      job_(std::move(job)),
      table_(around.store.local(), around.clock, pipeline.name, pipeline.salt),
      planner_(around.store, around.ledger, table_, pipeline_, spec_) {}

Result<void> JobRun::run() {
  const auto in_use = around_.store.trees().hold_objects();  // outputs, until rows or a commit refer to them
  PFS_TRY(begin());
  auto done = work();
  if (!done && done.error().code == Code::kCancelled && timed_out()) {
    return end(JobState::kKilled, fmt::format("job_timeout ({}) has passed", format_short_duration(
                                       std::chrono::duration_cast<std::chrono::milliseconds>(*spec_.pods.job_timeout))));
  }
  if (done) return done;
  if (goes_on_later(done.error().code)) {
    // an end is recorded with its output or not at all
    if (job_.record.ended()) return done;
    // how far it has come is shown until it goes on; somebody else may have ended it
    if (auto put = around_.ledger.put_job(job_); !put) spdlog::debug("job {}: {}", job_.record.id.hex(), put.error().message);
    return done;
  }
  return end(JobState::kFailure, done.error().message);
}

bool JobRun::timed_out() const {
  return spec_.pods.job_timeout && ran_before_ + (std::chrono::steady_clock::now() - began_) >= *spec_.pods.job_timeout;
}

Result<void> JobRun::work() {
  PFS_TRY_ASSIGN(const LoadedInputs inputs, load_inputs(around_.store.catalog(), job_.record.inputs));
  PFS_TRY_ASSIGN(const store::Branch output, around_.store.catalog().branch(spec_.output()));
  output_commit_ = output.open;
  PFS_TRY_ASSIGN(JobPlan plan, planner_.plan(job_.record, inputs.roots));
  while (true) {
    PFS_TRY(process(plan));
    if (!first_failure_.empty()) return end(JobState::kFailure, first_failure_);
    job_.record.state = JobState::kMerging;
    note();
    std::vector<DatumResult> outputs;
    for (const auto& done : done_) {
      if (done) outputs.push_back(*done);
    }
    PFS_TRY_ASSIGN(const auto merged, merge_outputs(around_.store, plan, outputs, spec_.output_merge,
                                                    [this] { return keep_going(); }));
    if (merged) return succeed(*merged, inputs.provenance);
    // what is put out now meets what other datums have put out: all of it is joined
    PFS_TRY_ASSIGN(plan, planner_.plan_whole(inputs.roots));
  }
}

Result<void> JobRun::process(const JobPlan& plan) {
  JobRecord& job = job_.record;
  job.total = plan.total();
  job.skipped = plan.kept;
  job.processed = job.failed = job.recovered = 0;
  job.stats = {};
  auto processed = process_each(plan.datums);
  PFS_TRY(table_.flush());
  return processed;
}

Result<void> JobRun::begin() {
  PFS_TRY_ASSIGN(log_, around_.logs.job(pipeline_.name, job_.record.id));
  JobRecord& job = job_.record;
  if (job.state != JobState::kStarting) {
    ++job.restarts;
    PFS_TRY(table_.erase_misses(job.id));  // they are tried again
  }
  // between two runs nothing but the clock on the wall goes on; one that was put back must not give the job more time
  const Timestamp now = around_.clock.now();
  if (!job.begun) job.begun = now;
  ran_before_ = std::chrono::nanoseconds(std::max<std::int64_t>(0, now.nanoseconds - job.begun->nanoseconds));
  job.state = JobState::kRunning;
  job.pipeline_version = pipeline_.version;
  job.shape = planner_.shape();
  job.processed = job.skipped = job.failed = job.recovered = job.total = 0;
  job.stats = {};
  PFS_TRY(around_.ledger.put_job(job_));
  note();
  return {};
}

/// The datums that no job has done yet, for the pool.
class JobRun::Work final : public PoolWork {
 public:
  Work(JobRun& run, const std::vector<Datum>& datums, std::vector<std::size_t> open)
      : run_(run), datums_(datums), open_(std::move(open)), execution_(*run.log_, run.spec_),
        results_(open_.size()) {}

  std::size_t count() const override { return open_.size(); }
  std::string path(std::size_t item) const override { return datum(item).label(); }
  std::string hash(std::size_t item) const override { return datum(item).id.hex(); }
  bool is_named(std::size_t item, const std::string& word) const override { return word == hash(item) || datum(item).has(word); }

  Result<Attempt> attempt(WorkerContainer& container, std::size_t item, std::uint64_t number,
                          const KeepGoing& keep_going) override {
    // a place of its own for each item: no other thread comes near it
    DatumExecution::Ended& result = results_[item];
    const ProcessStats before = result.stats;  // of earlier attempts
    PFS_TRY_ASSIGN(result, execution_.attempt(container, run_.place_of(datum(item)), number, keep_going));
    result.stats += before;
    return result.attempt;
  }
  Result<void> ended(std::size_t item, const Attempt& attempt) override {
    return run_.ended(open_[item], datum(item), attempt, results_[item]);
  }
  void waiting(const std::string& for_what) override {
    if (!for_what.empty()) run_.log_->system({}, "waiting: " + for_what);
    run_.note(for_what);
  }

 private:
  const Datum& datum(std::size_t item) const { return datums_[open_[item]]; }

  JobRun& run_;
  const std::vector<Datum>& datums_;
  const std::vector<std::size_t> open_;  ///< numbers of datums
  const DatumExecution execution_;
  std::vector<DatumExecution::Ended> results_;
};

Result<void> JobRun::process_each(const std::vector<Datum>& datums) {
  done_.assign(datums.size(), std::nullopt);
  std::vector<std::size_t> open;
  for (std::size_t i = 0; i < datums.size(); ++i) {
    if (!keep_going()) return cancelled();
    PFS_TRY_ASSIGN(const bool done, find_done(i, datums[i]));
    if (!done) open.push_back(i);
  }
  note();
  Work work(*this, datums, std::move(open));
  return around_.workers.run(spec_, work, [this] { return keep_going(); });
}

Result<void> JobRun::ended(std::size_t number, const Datum& datum, const PoolWork::Attempt& attempt,
                           const DatumExecution::Ended& result) {
  JobRecord& job = job_.record;
  job.stats += result.stats;
  switch (attempt.how) {
    case AttemptHow::kDone: {
      PFS_FAULT_POINT("trigger.datum.done");
      PFS_TRY(table_.put(datum.id, {result.output.tree, job.id, result.output.has_empty_directories, result.stats}));
      ++job.processed;
      done_[number] = DatumResult{result.output.tree, result.output.has_empty_directories};
      break;
    }
    case AttemptHow::kRecovered:
      PFS_TRY(table_.put_miss(job.id, datum.id, {Miss::kRecovered, result.stats}));
      ++job.recovered;
      break;
    case AttemptHow::kCutOff:
      PFS_TRY(table_.put_miss(job.id, datum.id, {Miss::kCutOff, result.stats}));
      break;
    case AttemptHow::kCannotStart:
    case AttemptHow::kFailed:
    case AttemptHow::kAgain:
    case AttemptHow::kNotBegun:
      PFS_TRY(table_.put_miss(job.id, datum.id, {Miss::kFailed, result.stats}));
      ++job.failed;
      if (first_failure_.empty()) first_failure_ = attempt.why;
      break;
  }
  note();
  return {};
}

Result<bool> JobRun::find_done(std::size_t number, const Datum& datum) {
  PFS_TRY_ASSIGN(const auto record, table_.find(datum.id));
  if (!record) return false;
  const bool ours = record->job == job_.record.id;
  if (!ours && spec_.reprocess_every_job) return false;
  done_[number] = DatumResult{record->output, record->has_empty_directories};
  ++(ours ? job_.record.processed : job_.record.skipped);
  if (ours) job_.record.stats += record->stats;
  return true;
}

DatumPlace JobRun::place_of(const Datum& datum) const {
  store::LiveTrees& trees = around_.store.trees();
  const store::TreeReader& reader = around_.store.tree_reader();
  DatumPlace place;
  place.id = datum.id.hex();
  place.path = datum.label();
  place.environment = datum_environment(datum, job_.record, output_commit_);
  place.view = [&trees, &reader, &datum] { return make_datum_tree(trees, reader, datum); };
  place.output = [&trees, &reader, &datum](const DatumTree& view) { return collect_output(trees, reader, datum, view); };
  return place;
}

Result<void> JobRun::succeed(const MergedOutput& output, const std::vector<store::Commit::Cause>& provenance) {
  job_.record.state = JobState::kSuccess;
  job_.record.finished = around_.clock.now();
  // what a recovered datum would have put out is missing: no job builds on this one, so that it is tried again
  job_.record.separable = output.separable && job_.record.recovered == 0;
  const auto published = publish_output(around_.store, around_.ledger, spec_.output(), job_, output.tree, provenance);
  if (!published && published.error().code == Code::kReadOnly) {
    return end(JobState::kKilled, kWritesAnother);
  }
  PFS_TRY(published);
  note();
  return {};
}

Result<void> JobRun::end(JobState state, const std::string& reason) {
  job_.record.output_commit.reset();
  job_.record.state = state;
  job_.record.reason = reason;
  job_.record.finished = around_.clock.now();
  log_->system({}, fmt::format("the job {}: {}", state == JobState::kKilled ? "was killed" : "failed", reason));
  spdlog::info("pipeline {}: job {}: {}", pipeline_.name.str(), job_.record.id.hex(), reason);
  PFS_FAULT_POINT("trigger.job.end");
  PFS_TRY(around_.ledger.put_job(job_));
  note();
  return {};
}

}  // namespace pfs::trigger
