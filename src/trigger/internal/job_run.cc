#include "trigger/internal/job_run.h"

#include <algorithm>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/fault.h"
#include "trigger/internal/datum_environment.h"
#include "trigger/internal/job_inputs.h"

namespace pfs::trigger {

namespace {

constexpr std::chrono::milliseconds kAskEvery{100};
constexpr std::chrono::milliseconds kTryContainerEvery{2000};

Error cancelled() { return Error{Code::kCancelled, "asked to stop"}; }

/// False when it was asked to stop before the time was over.
bool wait_a_while(std::chrono::milliseconds time, const KeepGoing& keep_going) {
  for (std::chrono::milliseconds waited{0}; waited < time; waited += kAskEvery) {
    if (!keep_going()) return false;
    std::this_thread::sleep_for(kAskEvery);
  }
  return keep_going();
}

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

/// The last line that a command printed, which mostly says why it failed.
class LastLine {
 public:
  void add(std::string_view piece) {
    for (const char c : piece) {
      if (c == '\n' || c == '\r') {
        ended_ = true;
        continue;
      }
      if (std::exchange(ended_, false)) line_.clear();
      if (line_.size() < kMost) line_ += c;
    }
  }
  /// Shape: at most 200 bytes, shown so that it stays one line.
  std::string text() const { return printable(line_); }

 private:
  static constexpr std::size_t kMost = 200;
  std::string line_;
  bool ended_ = false;
};

/// The lines of the spec, each with its newline.
std::string standard_input(const PipelineSpec::Transform& transform) {
  std::string text;
  for (const std::string& line : transform.stdin_lines) text += line + "\n";
  return text;
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
  PFS_TRY(begin());
  auto done = work();
  if (done || goes_on_later(done.error().code)) return done;
  return fail(done.error().message);
}

Result<void> JobRun::work() {
  PFS_TRY_ASSIGN(const LoadedInputs inputs, load_inputs(around_.store.catalog(), job_.record.inputs));
  PFS_TRY_ASSIGN(const store::Branch output, around_.store.catalog().branch(spec_.output()));
  output_commit_ = output.open;
  PFS_TRY_ASSIGN(JobPlan plan, planner_.plan(job_.record, inputs.roots));
  while (true) {
    PFS_TRY(process(plan));
    if (!first_failure_.empty()) return fail(first_failure_);
    job_.record.state = JobState::kMerging;
    note();
    PFS_TRY_ASSIGN(const auto merged,
                   merge_outputs(around_.store, plan, outputs_, spec_.output_merge, around_.keep_going));
    if (merged) return succeed(*merged, inputs.provenance);
    // what is put out now meets what other datums have put out: all of it is joined
    PFS_TRY_ASSIGN(plan, planner_.plan_whole(inputs.roots));
  }
}

Result<void> JobRun::process(const JobPlan& plan) {
  JobRecord& job = job_.record;
  job.total = plan.total();
  job.skipped = plan.kept;
  job.processed = job.failed = job.downloaded_bytes = job.uploaded_bytes = 0;
  outputs_.clear();
  auto processed = process_each(plan.datums);
  around_.container.show(nullptr);
  PFS_TRY(table_.flush());
  return processed;
}

Result<void> JobRun::begin() {
  PFS_TRY_ASSIGN(log_, around_.logs.job(pipeline_.name, job_.record.id));
  JobRecord& job = job_.record;
  if (job.state != JobState::kStarting) ++job.restarts;
  job.state = JobState::kRunning;
  job.pipeline_version = pipeline_.version;
  job.shape = planner_.shape();
  job.processed = job.skipped = job.failed = job.total = job.downloaded_bytes = job.uploaded_bytes = 0;
  PFS_TRY(around_.ledger.put_job(job_));
  note();
  return {};
}

Result<void> JobRun::process_each(const std::vector<Datum>& datums) {
  for (const Datum& datum : datums) {
    if (!around_.keep_going()) return cancelled();
    PFS_TRY(process_one(datum));
    note();
    if (command_cannot_start_) break;
  }
  return {};
}

Result<void> JobRun::process_one(const Datum& datum) {
  PFS_TRY_ASSIGN(const bool done, find_done(datum));
  if (done) return {};
  PFS_TRY_ASSIGN(const Failure failure, attempt_all(datum));
  if (failure.empty()) {
    ++job_.record.processed;
    return {};
  }
  ++job_.record.failed;
  if (!first_failure_.empty()) return {};
  first_failure_ =
      command_cannot_start_ ? failure : fmt::format("datum {}: {}", datum.label(), failure);
  return {};
}

Result<bool> JobRun::find_done(const Datum& datum) {
  PFS_TRY_ASSIGN(const auto record, table_.find(datum.id));
  if (!record) return false;
  const bool ours = record->job == job_.record.id;
  if (!ours && spec_.reprocess_every_job) return false;
  outputs_.push_back({record->output, record->has_empty_directories});
  ++(ours ? job_.record.processed : job_.record.skipped);
  if (ours) {
    job_.record.downloaded_bytes += record->input_bytes;
    job_.record.uploaded_bytes += record->output.totals.bytes;
  }
  return true;
}

Result<JobRun::Failure> JobRun::attempt_all(const Datum& datum) {
  Failure failure;
  for (std::uint64_t number = 1; number <= spec_.datum_tries; ++number) {
    if (!around_.keep_going()) return cancelled();
    PFS_TRY_ASSIGN(failure, attempt(datum));
    if (failure.empty() || command_cannot_start_) return failure;
    log_->system(datum.id.hex(), fmt::format("datum {}: {} (attempt {} of {})", datum.label(), failure, number,
                                             spec_.datum_tries));
  }
  return failure;
}

Result<JobRun::Failure> JobRun::attempt(const Datum& datum) {
  auto ready = ensure_container();
  if (!ready) {
    if (ready.error().code != Code::kNotFound && ready.error().code != Code::kInvalid) return std::move(ready).error();
    command_cannot_start_ = true;
    return Failure(ready.error().message);
  }
  PFS_TRY_ASSIGN(const DatumTree view, make_datum_tree(around_.store.trees(), around_.store.tree_reader(), datum));
  around_.container.show(view.tree);
  const std::string id = datum.id.hex();
  LastLine last_line;
  const auto on_output = [&](std::string_view piece) {
    log_->output(id, piece);
    last_line.add(piece);
  };
  const auto end = around_.container.run(command_for(datum), on_output, around_.keep_going);
  log_->end_of_output(id);
  if (!end && end.error().code == Code::kCancelled) return end.error();
  if (!end) return Failure(end.error().message);
  if (Failure failure = failure_of(*end); !failure.empty()) {
    command_cannot_start_ = end->how == worker::End::kNotStarted;
    if (command_cannot_start_) {
      log_->system(id, failure);
      return failure;
    }
    const std::string said = last_line.text();
    return said.empty() ? failure : fmt::format("{}: {}", failure, said);
  }
  return keep_output(datum, view);
}

Result<void> JobRun::ensure_container() {
  while (true) {
    auto ready = around_.container.ensure(spec_, around_.keep_going);
    if (ready) note();
    if (ready || ready.error().code != Code::kUnavailable) return ready;
    log_->system({}, "waiting: " + ready.error().message);
    note(ready.error().message);
    if (!wait_a_while(kTryContainerEvery, around_.keep_going)) return cancelled();
  }
}

worker::CommandRequest JobRun::command_for(const Datum& datum) const {
  worker::CommandRequest request;
  request.arguments = spec_.transform.cmd;
  request.input = standard_input(spec_.transform);
  request.environment = datum_environment(datum, job_.record, output_commit_);
  request.directory = spec_.transform.working_dir;
  return request;
}

JobRun::Failure JobRun::failure_of(const worker::CommandEnd& end) const {
  switch (end.how) {
    case worker::End::kExited: {
      const auto& accepted = spec_.transform.accept_return_code;
      const int code = static_cast<int>(end.code);
      if (code == 0 || std::find(accepted.begin(), accepted.end(), code) != accepted.end()) return {};
      return fmt::format("the command ended with status {}", code);
    }
    case worker::End::kSignalled:
      return fmt::format("the command was killed by signal {}", end.code);
    case worker::End::kNotStarted:
      return fmt::format("transform.cmd: {} in image {}; update the pipeline or the image", end.why,
                         spec_.transform.image);
  }
  return "the command ended in no known way";
}

Result<JobRun::Failure> JobRun::keep_output(const Datum& datum, const DatumTree& view) {
  auto output = collect_output(around_.store.trees(), around_.store.tree_reader(), datum, view);
  if (!output && output.error().code == Code::kInvalid) return output.error().message;
  if (!output) return std::move(output).error();
  const DatumRecord record{output->tree, job_.record.id, datum.size(), output->has_empty_directories};
  PFS_TRY(table_.put(datum.id, record));
  job_.record.downloaded_bytes += record.input_bytes;
  job_.record.uploaded_bytes += record.output.totals.bytes;
  outputs_.push_back({record.output, record.has_empty_directories});
  return Failure();
}

Result<void> JobRun::succeed(const MergedOutput& output, const std::vector<store::Commit::Cause>& provenance) {
  job_.record.state = JobState::kSuccess;
  job_.record.finished = around_.clock.now();
  job_.record.separable = output.separable;
  PFS_TRY(publish_output(around_.store, around_.ledger, spec_.output(), job_, output.tree, provenance));
  note();
  return {};
}

Result<void> JobRun::fail(const std::string& reason) {
  job_.record.output_commit.reset();
  job_.record.state = JobState::kFailure;
  job_.record.reason = reason;
  job_.record.finished = around_.clock.now();
  log_->system({}, "the job failed: " + reason);
  spdlog::info("pipeline {}: job {}: {}", pipeline_.name.str(), job_.record.id.hex(), reason);
  PFS_TRY(around_.ledger.put_job(job_));
  note();
  return {};
}

}  // namespace pfs::trigger
