// What jobs have printed, and what they print.

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <utility>
#include <vector>

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

  bool wants(const LogLine& line) {
    if (!filter_.datum.empty() && line.datum != filter_.datum) return false;
    if (filter_.system_only && line.user) return false;
    if (filter_.user_only && !line.user) return false;
    if (filter_.since && line.when < *filter_.since) return false;
    return filter_.inputs.empty() || is_of_inputs(line);
  }
  /// Returns false when the visitor wants no more.
  bool line(const LogLine& line) {
    if (!wants(line)) return true;
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

constexpr std::size_t kEventsAtOnce = 1000;

/// Where a job is among those of its pipeline: a later one has a greater one.
using JobPlace = std::pair<std::uint64_t, std::uint64_t>;
JobPlace place_of(const JobRecord& job) { return {job.caused_by_version, job.number}; }

/// Lets the logs of jobs, oldest job first, begin with the last lines that are wanted, of all of them together. Returns the first
/// job that has one: the logs of those before it are not read.
Result<std::size_t> skip_to_tail(std::vector<LogReader>& logs, std::size_t wanted, LogSieve& sieve) {
  const auto wants = [&](const LogLine& line) { return sieve.wants(line); };
  std::size_t first = logs.size();
  while (first > 0 && wanted > 0) {
    PFS_TRY_ASSIGN(const std::size_t found, logs[--first].skip_to_last(wanted, wants));
    wanted -= found;
  }
  return first;
}

/// The place of the newest event, by halving: they are told from a place on, and there may be millions.
Result<store::Seq> newest_event(const store::RefDb& refs) {
  std::uint64_t newest = 0;
  for (std::uint64_t above = UINT64_MAX; newest < above && above - newest > 1;) {
    const std::uint64_t middle = newest + (above - newest) / 2;
    PFS_TRY_ASSIGN(const auto after, refs.events(store::Seq(middle), 1, std::chrono::milliseconds(0)));
    if (after.empty()) {
      above = middle;
    } else {
      newest = after.back().seq.value();
    }
  }
  return store::Seq(newest);
}

/// Tells the lines of a pipeline: of its jobs, and its own. What happens to jobs is heard from the events, so that following
/// costs nothing while nothing happens, however many jobs there are.
///
/// Used by one thread.
class PipelineTeller {
 public:
  PipelineTeller(const Ledger& ledger, const LogBook& logs, const store::RefDb& refs, PipelineRecord pipeline, LogSieve& sieve)
      : ledger_(ledger), logs_(logs), refs_(refs), pipeline_(std::move(pipeline)), sieve_(sieve),
        own_(logs.reader(pipeline_.name, "")) {}

  /// The jobs' lines, oldest job first, with the pipeline's own between them by their time. False: nobody wants more.
  Result<bool> tell_what_is_there(const LogFilter& filter);
  /// What came since. False: nobody wants more, or no more comes, since the pipeline is gone.
  Result<bool> tell_what_came();
  /// How often the bell had rung before the lines were looked for that were told last.
  std::uint64_t rung() const { return rung_; }

 private:
  /// A job that has begun, whose log has not been told to its end.
  struct Told {
    JobId id;
    LogReader log;
    bool ended = false;
  };

  bool is_told_to_end(const JobId& id, bool ended) const { return ended && !logs_.is_written(pipeline_.name, id); }
  void take_in(const JobRecord& job, LogReader log);
  /// Whether the pipeline is there: one that was made anew is another.
  Result<bool> hear();
  Result<void> look_at(const JobId& id);
  std::map<JobPlace, Told>::iterator find_begun(const JobId& id) {
    return std::find_if(begun_.begin(), begun_.end(), [&](const auto& one) { return one.second.id == id; });
  }

  const Ledger& ledger_;
  const LogBook& logs_;
  const store::RefDb& refs_;
  const PipelineRecord pipeline_;
  LogSieve& sieve_;
  LogReader own_;
  std::uint64_t rung_ = 0;
  store::Seq heard_;                 ///< the last event
  JobPlace newest_{};                ///< of the jobs that are known
  std::set<JobId> waiting_;          ///< jobs that have not begun: they have no log
  std::map<JobPlace, Told> begun_;   ///< few: one at a time runs
};

Result<bool> PipelineTeller::tell_what_is_there(const LogFilter& filter) {
  rung_ = logs_.bell().rung();
  // before the jobs are listed: what comes between is told by both
  if (filter.follow_while) {
    PFS_TRY_ASSIGN(heard_, newest_event(refs_));
  }
  const auto wants = [&](const LogLine& line) { return sieve_.wants(line); };
  if (filter.tail) PFS_TRY(own_.skip_to_last(*filter.tail, wants));
  std::deque<LogLine> own;
  PFS_TRY(own_.read([&](const LogLine& one) {
    own.push_back(one);
    return true;
  }));
  const auto own_until = [&](Timestamp when) {
    for (; !own.empty() && own.front().when <= when; own.pop_front()) {
      if (!sieve_.line(own.front())) return false;
    }
    return true;
  };
  PFS_TRY_ASSIGN(auto records, ledger_.jobs(pipeline_.name, SIZE_MAX));
  std::reverse(records.begin(), records.end());
  if (!records.empty()) newest_ = place_of(records.back());
  // what those write from here on is told as it comes
  std::erase_if(records, [&](const JobRecord& record) {
    const bool waits = record.state == JobState::kStarting;
    if (waits) waiting_.insert(record.id);
    return waits;
  });
  std::vector<LogReader> logs;
  for (const JobRecord& record : records) logs.push_back(logs_.reader(pipeline_.name, record.id.hex()));
  std::size_t first = 0;
  if (filter.tail) {
    PFS_TRY_ASSIGN(first, skip_to_tail(logs, *filter.tail, sieve_));
  }
  for (std::size_t i = 0; i < records.size(); ++i) {
    // asked before its lines are read, so that the last ones are among them
    const bool whole = is_told_to_end(records[i].id, records[i].ended());
    if (i < first && whole) continue;
    LogReader log = std::move(logs[i]);
    if (i < first) PFS_TRY(log.skip_to_last(0, wants));
    PFS_TRY_ASSIGN(const bool go_on, log.read([&](const LogLine& one) { return own_until(one.when) && sieve_.line(one); }));
    if (!go_on) return false;
    if (!whole) take_in(records[i], std::move(log));
  }
  return own_until(Timestamp{INT64_MAX});
}

Result<bool> PipelineTeller::tell_what_came() {
  const auto line = [&](const LogLine& one) { return sieve_.line(one); };
  rung_ = logs_.bell().rung();
  PFS_TRY_ASSIGN(const bool there, hear());
  if (there) {
    PFS_TRY_ASSIGN(const bool go_on, own_.read(line));
    if (!go_on) return false;
  }
  for (auto at = begun_.begin(); at != begun_.end();) {
    // asked before its lines are read, so that the last ones are among them
    const bool whole = is_told_to_end(at->second.id, at->second.ended);
    PFS_TRY_ASSIGN(const bool go_on, at->second.log.read(line));
    if (!go_on) return false;
    at = whole ? begun_.erase(at) : std::next(at);
  }
  return there;
}

void PipelineTeller::take_in(const JobRecord& job, LogReader log) {
  if (job.state == JobState::kStarting) {
    waiting_.insert(job.id);
  } else {
    begun_.emplace(place_of(job), Told{job.id, std::move(log), job.ended()});
  }
}

Result<bool> PipelineTeller::hear() {
  std::vector<JobId> changed;
  while (true) {
    PFS_TRY_ASSIGN(const auto events, refs_.events(heard_, kEventsAtOnce, std::chrono::milliseconds(0)));
    if (events.empty()) break;
    heard_ = events.back().seq;
    for (const store::RefEvent& event : events) {
      if (event.kind != "job") continue;
      PFS_TRY_ASSIGN(const JobId id, JobId::from_hex(event.key));
      if (event.value == "caused" || waiting_.contains(id) || find_begun(id) != begun_.end()) changed.push_back(id);
    }
  }
  // asked after the events: jobs of a pipeline that has got the name of this one are none of it
  PFS_TRY_ASSIGN(const auto now, ledger_.pipeline(pipeline_.name));
  if (!now) return false;
  const bool dated = now->record.created != Timestamp{} && pipeline_.created != Timestamp{};  // else its record was damaged
  if (dated && now->record.created != pipeline_.created) return false;
  for (const JobId& id : changed) PFS_TRY(look_at(id));
  return true;
}

Result<void> PipelineTeller::look_at(const JobId& id) {
  PFS_TRY_ASSIGN(const auto job, ledger_.job(id));
  if (const auto begun = find_begun(id); begun != begun_.end()) {
    begun->second.ended = !job || job->record.ended();
    return {};
  }
  const bool waited = waiting_.erase(id) > 0;
  if (!job || job->record.pipeline != pipeline_.name) return {};
  if (!waited) {
    // one that is known, and has been told
    if (place_of(job->record) <= newest_) return {};
    newest_ = place_of(job->record);
  }
  take_in(job->record, logs_.reader(pipeline_.name, id.hex()));
  return {};
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
  PFS_TRY(sifted_logs(filter, sieve));
  return trouble;
}

Result<void> PipelineService::sifted_logs(const LogFilter& filter, LogSieve& sieve) const {
  if (filter.job) {
    PFS_TRY_ASSIGN(const auto found, ledger_.job(*filter.job));
    if (!found || (filter.pipeline && found->record.pipeline != *filter.pipeline)) {
      return no_such_job(*filter.job);
    }
    return job_logs(found->record, filter, sieve);
  }
  if (!filter.pipeline) return Error{Code::kInvalid, "logs: of which pipeline or job?"};
  return pipeline_logs(*filter.pipeline, filter, sieve);
}

Result<void> PipelineService::job_logs(const JobRecord& job, const LogFilter& filter, LogSieve& sieve) const {
  const auto line = [&](const LogLine& one) { return sieve.line(one); };
  LogReader reader = logs_.reader(job.pipeline, job.id.hex());
  if (filter.tail) {
    PFS_TRY(reader.skip_to_last(*filter.tail, [&](const LogLine& one) { return sieve.wants(one); }));
  }
  while (true) {
    // asked before the lines are read, so that the last ones are among them; who still writes after the end has begun before it
    const std::uint64_t rung = logs_.bell().rung();
    PFS_TRY_ASSIGN(const auto now, ledger_.job(job.id));
    const bool whole = (!now || now->record.ended()) && !logs_.is_written(job.pipeline, job.id);
    PFS_TRY_ASSIGN(const bool go_on, reader.read(line));
    if (!go_on || !sieve.follow()) return {};
    if (!filter.follow_while || whole || !filter.follow_while()) return {};
    logs_.bell().wait(rung, kAskEvery);
  }
}

Result<void> PipelineService::pipeline_logs(const RepoName& pipeline, const LogFilter& filter, LogSieve& sieve) const {
  PFS_TRY_ASSIGN(auto found, ledger_.pipeline(pipeline));
  if (!found) return no_such_pipeline(pipeline);
  PipelineTeller teller(ledger_, logs_, store_.refs(), std::move(found->record), sieve);
  PFS_TRY_ASSIGN(bool go_on, teller.tell_what_is_there(filter));
  go_on = go_on && sieve.follow();
  while (go_on && filter.follow_while && filter.follow_while()) {
    logs_.bell().wait(teller.rung(), kAskEvery);
    PFS_TRY_ASSIGN(go_on, teller.tell_what_came());
  }
  return {};
}

}  // namespace pfs::trigger
