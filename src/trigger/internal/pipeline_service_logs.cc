// What jobs have printed, and what they print.

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include <fmt/format.h>

#include "trigger/internal/again.h"
#include "trigger/internal/pipeline_service.h"

namespace pfs::trigger {

/// Lets through the lines that a filter wants; those that are there at first wait for its tail.
class LogSieve {
 public:
  using Visit = std::function<bool(const LogLine&)>;
  /// Which of a job's datums, by their ids in hex, have the files that the filter names.
  using DatumsWith = std::function<std::set<std::string>(const std::string& job)>;

  LogSieve(const LogFilter& filter, DatumsWith datums_with, const Visit& visit)
      : filter_(filter), datums_with_(std::move(datums_with)), visit_(visit) {}

  /// Returns false when the visitor wants no more.
  bool line(const LogLine& line) {
    if (!filter_.datum.empty() && line.datum != filter_.datum) return true;
    if (!filter_.inputs.empty() && !is_of_inputs(line)) return true;
    if (filter_.system_only && line.user) return true;
    if (filter_.user_only && !line.user) return true;
    if (filter_.since && line.when < *filter_.since) return true;
    if (following_ || !filter_.tail) return visit_(line);
    last_.push_back(line);
    if (last_.size() > *filter_.tail) last_.pop_front();
    return true;
  }
  /// What comes from now on is told at once.
  bool follow() {
    following_ = true;
    for (; !last_.empty(); last_.pop_front()) {
      if (!visit_(last_.front())) return false;
    }
    return true;
  }

 private:
  bool is_of_inputs(const LogLine& line) {
    if (line.datum.empty()) return false;
    auto known = datums_.find(line.job);
    // asked for at the first line of a datum: the job has its inputs then
    if (known == datums_.end()) known = datums_.emplace(line.job, datums_with_(line.job)).first;
    return known->second.contains(line.datum);
  }

  const LogFilter& filter_;
  const DatumsWith datums_with_;
  std::map<std::string, std::set<std::string>> datums_;  ///< by job
  const Visit& visit_;
  std::deque<LogLine> last_;
  bool following_ = false;
};

namespace {

constexpr std::size_t kNewJobs = 1000;  ///< looked for at a time: more are not caused between two looks

/// Which of a pipeline's jobs, oldest first, is the first that the last lines which are wanted may be of: from there on are as
/// many as that. Their logs are read twice, those of older jobs not at all.
Result<std::size_t> first_of_tail(const LogBook& logs, const std::vector<JobRecord>& jobs, LogFilter filter,
                                  const LogSieve::DatumsWith& datums_with) {
  if (!filter.tail) return 0;
  const std::size_t wanted = *filter.tail;
  filter.tail.reset();
  std::size_t lines = 0;
  const LogSieve::Visit count = [&](const LogLine&) { return ++lines < wanted; };
  LogSieve sieve(filter, datums_with, count);
  std::size_t first = jobs.size();
  while (first > 0 && lines < wanted) {
    const JobRecord& job = jobs[--first];
    PFS_TRY(logs.read(job.pipeline, job.id.hex(), [&](const LogLine& line) { return sieve.line(line); }));
  }
  return first;
}

}  // namespace

Result<void> PipelineService::logs(const LogFilter& filter, const std::function<bool(const LogLine&)>& visit) const {
  Result<void> trouble;
  const auto datums_with = [&](const std::string& job) {
    auto found = datums_with_inputs(job, filter.inputs);
    if (found) return *std::move(found);
    // among a pipeline's jobs are such of another input, whose datums cannot be told any more
    if (filter.job || (found.error().code != Code::kInvalid && found.error().code != Code::kNotFound)) trouble = found.error();
    return std::set<std::string>();
  };
  LogSieve sieve(filter, datums_with, visit);
  PFS_TRY(sifted_logs(filter, sieve, datums_with));
  return trouble;
}

Result<void> PipelineService::sifted_logs(const LogFilter& filter, LogSieve& sieve,
                                          const DatumsWith& datums_with) const {
  if (filter.job) {
    PFS_TRY_ASSIGN(const auto found, ledger_.job(*filter.job));
    if (!found || (filter.pipeline && found->record.pipeline != *filter.pipeline)) {
      return no_such_job(*filter.job);
    }
    return job_logs(found->record, filter, sieve);
  }
  if (!filter.pipeline) return Error{Code::kInvalid, "logs: of which pipeline or job?"};
  PFS_TRY_ASSIGN(const auto found, ledger_.pipeline(*filter.pipeline));
  if (!found) return Error{Code::kNotFound, fmt::format("pipeline {}: no such pipeline", filter.pipeline->str())};
  return pipeline_logs(*filter.pipeline, filter, sieve, datums_with);
}

Result<void> PipelineService::job_logs(const JobRecord& job, const LogFilter& filter, LogSieve& sieve) const {
  const auto line = [&](const LogLine& one) { return sieve.line(one); };
  LogReader reader = logs_.reader(job.pipeline, job.id.hex());
  while (true) {
    // both asked before the lines are read, so that the last ones are among them
    const std::uint64_t rung = logs_.bell().rung();
    PFS_TRY_ASSIGN(const auto now, ledger_.job(job.id));
    PFS_TRY_ASSIGN(const bool go_on, reader.read(line));
    if (!go_on || !sieve.follow()) return {};
    if (!filter.follow_while || !now || now->record.ended() || !filter.follow_while()) return {};
    logs_.bell().wait(rung, kAskEvery);
  }
}

/// The jobs' lines, oldest job first, with the pipeline's own between them by their time; then what comes.
Result<void> PipelineService::pipeline_logs(const RepoName& pipeline, const LogFilter& filter, LogSieve& sieve,
                                            const DatumsWith& datums_with) const {
  const auto line = [&](const LogLine& one) { return sieve.line(one); };
  std::uint64_t rung = logs_.bell().rung();
  std::deque<LogLine> own;
  LogReader own_reader = logs_.reader(pipeline, "");
  PFS_TRY(own_reader.read([&](const LogLine& one) {
    own.push_back(one);
    return true;
  }));
  const auto own_until = [&](Timestamp when) {
    for (; !own.empty() && own.front().when <= when; own.pop_front()) {
      if (!sieve.line(own.front())) return false;
    }
    return true;
  };
  PFS_TRY_ASSIGN(auto records, ledger_.jobs(pipeline, SIZE_MAX));
  std::reverse(records.begin(), records.end());
  std::set<JobId> ended;
  std::map<JobId, LogReader> open;
  PFS_TRY_ASSIGN(const std::size_t first, first_of_tail(logs_, records, filter, datums_with));
  for (std::size_t i = 0; i < records.size(); ++i) {
    const JobRecord& record = records[i];
    if (i < first && record.ended()) {
      ended.insert(record.id);
      continue;
    }
    LogReader reader = logs_.reader(pipeline, record.id.hex());
    PFS_TRY_ASSIGN(const bool go_on, reader.read([&](const LogLine& one) { return own_until(one.when) && line(one); }));
    if (!go_on) return {};
    if (record.ended()) {
      ended.insert(record.id);
    } else {
      open.emplace(record.id, std::move(reader));
    }
  }
  if (!own_until(Timestamp{INT64_MAX}) || !sieve.follow()) return {};
  while (filter.follow_while && filter.follow_while()) {
    logs_.bell().wait(rung, kAskEvery);
    rung = logs_.bell().rung();
    PFS_TRY_ASSIGN(bool go_on, own_reader.read(line));
    if (!go_on) return {};
    PFS_TRY_ASSIGN(const auto newest, ledger_.jobs(pipeline, kNewJobs));
    for (const JobRecord& record : newest) {
      if (!ended.contains(record.id)) open.try_emplace(record.id, logs_.reader(pipeline, record.id.hex()));
    }
    for (auto at = open.begin(); at != open.end();) {
      // asked before its lines are read, so that the last ones are among them
      PFS_TRY_ASSIGN(const auto now, ledger_.job(at->first));
      PFS_TRY_ASSIGN(go_on, at->second.read(line));
      if (!go_on) return {};
      if (now && !now->record.ended()) {
        ++at;
        continue;
      }
      ended.insert(at->first);
      at = open.erase(at);
    }
  }
  return {};
}

}  // namespace pfs::trigger
