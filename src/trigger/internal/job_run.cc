#include "trigger/internal/job_run.h"

#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/duration.h"
#include "base/fault.h"
#include "trigger/internal/output_merge.h"

namespace pfs::trigger {

namespace {

constexpr int kPublishAgain = 8;

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
      table_(around.store.local(), around.clock, pipeline.name, pipeline.salt) {}

Result<void> JobRun::run() {
  PFS_TRY(begin());
  auto done = work();
  if (!done && done.error().code == Code::kCancelled && timed_out()) {
    return end(JobState::kKilled, fmt::format("job_timeout ({}) has passed", format_short_duration(
                                       std::chrono::duration_cast<std::chrono::milliseconds>(*spec_.pods.job_timeout))));
  }
  if (done || goes_on_later(done.error().code)) return done;
  return end(JobState::kFailure, done.error().message);
}

bool JobRun::timed_out() const {
  return spec_.pods.job_timeout && std::chrono::steady_clock::now() - began_ >= *spec_.pods.job_timeout;
}

Result<void> JobRun::work() {
  PFS_TRY_ASSIGN(const store::Commit input, around_.store.catalog().commit(job_.record.input_commit));
  PFS_TRY_ASSIGN(const auto datums, list_datums(around_.store.tree_reader(), input.root, spec_, pipeline_.salt));
  job_.record.total = datums.size();

  auto processed = process(datums);
  PFS_TRY(table_.flush());
  PFS_TRY(processed);
  if (!first_failure_.empty()) return end(JobState::kFailure, first_failure_);

  job_.record.state = JobState::kMerging;
  note();
  PFS_TRY_ASSIGN(const store::Subtree output, merge());
  return succeed(output);
}

Result<void> JobRun::begin() {
  PFS_TRY_ASSIGN(log_, around_.logs.job(pipeline_.name, job_.record.id));
  JobRecord& job = job_.record;
  if (job.state != JobState::kStarting) ++job.restarts;
  job.state = JobState::kRunning;
  job.pipeline_version = pipeline_.version;
  job.processed = job.skipped = job.failed = job.recovered = job.total = job.downloaded_bytes = job.uploaded_bytes = 0;
  PFS_TRY(around_.ledger.put_job(job_));
  note();
  return {};
}

/// The datums that no job has done yet, for the pool.
class JobRun::Work final : public PoolWork {
 public:
  Work(JobRun& run, const std::vector<Datum>& datums, std::vector<std::size_t> open)
      : run_(run), datums_(datums), open_(std::move(open)), execution_(run.around_.store.trees(), *run.log_, run.spec_),
        results_(open_.size()) {}

  std::size_t count() const override { return open_.size(); }
  std::string path(std::size_t item) const override { return printable(datum(item).path.str()); }
  std::string hash(std::size_t item) const override { return datum(item).id.hex(); }

  Result<Attempt> attempt(WorkerContainer& container, std::size_t item, std::uint64_t number,
                          const KeepGoing& keep_going) override {
    // a place of its own for each item: no other thread comes near it
    PFS_TRY_ASSIGN(results_[item], execution_.attempt(container, run_.place_of(datum(item)), number, keep_going));
    return results_[item].attempt;
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

Result<void> JobRun::process(const std::vector<Datum>& datums) {
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
  job.downloaded_bytes += result.read_bytes;
  job.uploaded_bytes += result.written_bytes;
  switch (attempt.how) {
    case AttemptHow::kDone: {
      PFS_FAULT_POINT("trigger.datum.done");
      PFS_TRY(table_.put(datum.id, {result.output, job.id, result.read_bytes, result.written_bytes}));
      ++job.processed;
      done_[number] = result.output;
      break;
    }
    case AttemptHow::kRecovered:
      ++job.recovered;
      break;
    case AttemptHow::kCannotStart:
    case AttemptHow::kFailed:
    case AttemptHow::kAgain:
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
  done_[number] = record->output;
  ++(ours ? job_.record.processed : job_.record.skipped);
  if (ours) {
    job_.record.downloaded_bytes += record->read_bytes;
    job_.record.uploaded_bytes += record->written_bytes;
  }
  return true;
}

DatumPlace JobRun::place_of(const Datum& datum) const {
  DatumPlace place;
  place.id = datum.id.hex();
  place.path = printable(datum.path.str());
  place.environment = datum_environment(spec_, job_.record, datum);
  place.view = [this, &datum] { return make_datum_tree(around_.store.trees(), spec_.input.name, datum); };
  return place;
}

Result<store::Subtree> JobRun::merge() {
  std::vector<store::Subtree> outputs;
  for (const auto& done : done_) {
    if (done) outputs.push_back(*done);
  }
  if (outputs.empty()) return store::empty_subtree();
  if (outputs.size() == 1) return outputs.front();
  PFS_TRY_ASSIGN(OutputMerge merge, OutputMerge::begin(around_.store.trees(), around_.store.tree_reader()));
  for (const store::Subtree& output : outputs) {
    if (!keep_going()) return cancelled();
    PFS_TRY(merge.add(output));
  }
  return merge.finish();
}

Result<void> JobRun::succeed(const store::Subtree& output) {
  job_.record.state = JobState::kSuccess;
  job_.record.finished = around_.clock.now();
  store::FinishOptions options;
  options.author = "pipeline " + pipeline_.name.str();
  options.description = "job " + job_.record.id.hex();
  options.keep_unchanged = true;
  PFS_FAULT_POINT("trigger.job.publish");
  const auto publish = [&] {
    return around_.store.catalog().publish_tree(
        spec_.output(), output, {{job_.record.input_branch, job_.record.input_commit}}, options,
        [this](const store::Commit& commit, store::RefTxn& txn) -> Result<void> {
          job_.record.output_commit = commit.id;
          around_.ledger.add_put_job(job_.record, job_.version, txn);
          return {};
        });
  };
  auto published = publish();
  for (int again = 0; !published && published.error().code == Code::kConflict && again < kPublishAgain; ++again) {
    PFS_TRY_ASSIGN(const auto now, around_.ledger.job(job_.record.id));
    if (!now || now->version != job_.version) break;  // the job itself is another's now; else it was a race of branches
    published = publish();
  }
  PFS_TRY(published);
  PFS_FAULT_POINT("trigger.job.published");
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
