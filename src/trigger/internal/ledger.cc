#include "trigger/internal/ledger.h"

#include <algorithm>
#include <limits>
#include <set>

#include <fmt/format.h>

namespace pfs::trigger {

Error no_such_job(const JobId& id) { return Error{Code::kNotFound, fmt::format("job {}: no such job", id.hex())}; }

Error no_such_pipeline(const RepoName& name) {
  return Error{Code::kNotFound, fmt::format("pipeline {}: no such pipeline", name.str())};
}

namespace {

constexpr std::string_view kPipelines = "pipeline/";
constexpr std::size_t kJobsAtOnce = 64;

template <class Record>
std::optional<store::Seq> version_of(const std::optional<Versioned<Record>>& record) {
  return record ? std::optional(record->version) : std::nullopt;
}

}  // namespace

store::RefTxn begin_transaction() {
  store::RefTxn txn;
  txn.id = new_commit_id().hex();
  return txn;
}

void expect(store::RefTxn& txn, const std::string& key, std::optional<store::Seq> version) {
  txn.expect.push_back({key, version});
}

Result<std::optional<Versioned<PipelineRecord>>> Ledger::pipeline(const RepoName& name) const {
  PFS_TRY_ASSIGN(const auto row, refs_.get(pipeline_key(name)));
  if (!row) return std::optional<Versioned<PipelineRecord>>();
  return std::optional(Versioned<PipelineRecord>{read_pipeline(name, row->value), row->version});
}

PipelineRecord Ledger::read_pipeline(const RepoName& name, const std::string& value) const {
  auto record = decode_pipeline(value);
  if (record) return std::move(*record);
  PipelineRecord damaged;
  damaged.name = name;
  damaged.damage = record.error().message;
  // what replaces it must have a later version than its jobs
  if (const auto last = caused(name); last && *last) damaged.version = (*last)->record.pipeline_version;
  return damaged;
}

Result<std::vector<PipelineRecord>> Ledger::pipelines() const {
  std::vector<PipelineRecord> records;
  std::vector<std::pair<RepoName, std::string>> rows;
  PFS_TRY(refs_.scan(kPipelines, {}, [&](std::string_view key, const store::RefValue& row) {
    if (auto name = RepoName::parse(key.substr(kPipelines.size()))) rows.emplace_back(std::move(*name), row.value);
    return true;
  }));
  for (const auto& [name, value] : rows) records.push_back(read_pipeline(name, value));
  std::stable_sort(records.begin(), records.end(),
                   [](const auto& a, const auto& b) { return a.created > b.created; });
  return records;
}

Result<std::vector<VersionRecord>> Ledger::versions_before(const RepoName& pipeline, std::uint64_t version,
                                                           std::size_t limit) const {
  std::vector<VersionRecord> records;
  std::optional<Error> damaged;
  if (limit == 0) return records;
  PFS_TRY(refs_.scan(versions_prefix(pipeline), version_key(pipeline, version), [&](std::string_view, const store::RefValue& row) {
    auto record = decode_version(row.value);
    if (!record) {
      damaged = std::move(record).error();
      return false;
    }
    records.push_back(*std::move(record));
    return records.size() < limit;
  }));
  if (damaged) return std::move(*damaged);
  return records;
}

Result<std::optional<VersionRecord>> Ledger::version(const RepoName& pipeline, std::uint64_t version) const {
  PFS_TRY_ASSIGN(const auto row, refs_.get(version_key(pipeline, version)));
  if (!row) return std::optional<VersionRecord>();
  PFS_TRY_ASSIGN(VersionRecord record, decode_version(row->value));
  return std::optional(std::move(record));
}

Result<std::vector<RepoName>> Ledger::readers(const BranchRef& branch) const {
  PFS_TRY_ASSIGN(const auto row, refs_.get(input_key(branch)));
  if (!row) return std::vector<RepoName>();
  return decode_names(row->value);
}

Result<std::vector<RepoName>> Ledger::readers_expected(const BranchRef& branch, store::RefTxn& txn) const {
  PFS_TRY_ASSIGN(const auto row, refs_.get(input_key(branch)));
  expect(txn, input_key(branch), row ? std::optional(row->version) : std::nullopt);
  if (!row) return std::vector<RepoName>();
  return decode_names(row->value);
}

Result<std::vector<RepoName>> Ledger::readers_after(const BranchRef& branch, store::RefTxn& txn) const {
  const std::string key = input_key(branch);
  for (const auto& put : txn.put) {
    if (put.key == key) return decode_names(put.value);
  }
  if (std::find(txn.erase.begin(), txn.erase.end(), key) != txn.erase.end()) return std::vector<RepoName>();
  return readers_expected(branch, txn);
}

Result<std::optional<Versioned<CausedRecord>>> Ledger::caused(const RepoName& pipeline) const {
  PFS_TRY_ASSIGN(const auto row, refs_.get(caused_key(pipeline)));
  if (!row) return std::optional<Versioned<CausedRecord>>();
  PFS_TRY_ASSIGN(CausedRecord record, decode_caused(row->value));
  return std::optional(Versioned<CausedRecord>{std::move(record), row->version});
}

void Ledger::add_new_job(const JobRecord& job, const std::vector<JobInput>& heads,
                         const std::optional<Versioned<CausedRecord>>& before, store::RefTxn& txn) const {
  add_put_caused(job.pipeline, CausedRecord{job.caused_by_version, job.number + 1, heads}, before, txn);
  expect(txn, job_key(job.id), std::nullopt);
  txn.put.push_back({job_key(job.id), encode(job)});
  txn.put.push_back({jobs_key(job), job.id.hex()});
  txn.put.push_back({queue_key(job), job.id.hex()});
  txn.events.push_back({{}, "job", job.id.hex(), "caused"});
}

void Ledger::add_put_caused(const RepoName& pipeline, const CausedRecord& record,
                            const std::optional<Versioned<CausedRecord>>& before, store::RefTxn& txn) const {
  expect(txn, caused_key(pipeline), version_of(before));
  txn.put.push_back({caused_key(pipeline), encode(record)});
}

/// Whether one of the commits is among them, also by way of a job that has put it out, or would have.
Result<bool> Ledger::are_about(const std::vector<JobInput>& inputs, const std::set<CommitId>& commits) const {
  for (const JobInput& input : inputs) {
    std::optional<CommitId> commit = input.commit;
    if (!commit && input.from) {
      PFS_TRY_ASSIGN(const auto from, job(*input.from));
      if (!from) continue;
      commit = from->record.output_commit;
      if (!commit) {
        PFS_TRY_ASSIGN(const bool about, are_about(from->record.inputs, commits));
        if (about) return true;
      }
    }
    if (commit && commits.contains(*commit)) return true;
  }
  return false;
}

/// What a pipeline's newest job was caused with must name none of the commits: that would be another content than every HEAD's,
/// and a job would come of the one that HEAD goes back to. `newest`: of the jobs that stay; null: there is none.
Result<void> Ledger::add_caused_without(const RepoName& pipeline, const std::set<CommitId>& commits, const JobRecord* newest,
                                        store::RefTxn& txn) const {
  const std::string key = caused_key(pipeline);
  // it causes a job itself, which reads the HEADs as they will be
  if (std::any_of(txn.put.begin(), txn.put.end(), [&](const auto& put) { return put.key == key; })) return {};
  PFS_TRY_ASSIGN(const auto row, caused(pipeline));
  if (!row) return {};
  PFS_TRY_ASSIGN(const bool about, are_about(row->record.inputs, commits));
  if (!about) return {};
  CausedRecord record{row->record.pipeline_version, row->record.next_number, {}};
  if (newest != nullptr) {
    record.pipeline_version = newest->caused_by_version;
    record.inputs = newest->inputs;
  }
  add_put_caused(pipeline, record, row, txn);
  return {};
}

Result<void> Ledger::erase_jobs_of(std::span<const CommitId> commits, store::RefTxn& txn) const {
  const std::set<CommitId> gone(commits.begin(), commits.end());
  PFS_TRY_ASSIGN(const auto all, pipelines());
  for (const PipelineRecord& record : all) {
    PFS_TRY_ASSIGN(const auto done, jobs(record.name, std::numeric_limits<std::size_t>::max()));
    const JobRecord* newest = nullptr;  // of those that stay
    for (const JobRecord& listed : done) {
      PFS_TRY_ASSIGN(const bool about, are_about(listed.inputs, gone));
      if (!about) {
        if (newest == nullptr) newest = &listed;
        continue;
      }
      PFS_TRY_ASSIGN(const auto now, job(listed.id));
      if (!now) continue;
      if (!now->record.ended()) {
        return Error{Code::kBusy, fmt::format("commit {}: job {} of pipeline {} works on it; wait for the job first",
                                              commits.front().hex(), listed.id.hex(), record.name.str())};
      }
      expect(txn, job_key(listed.id), now->version);
      txn.erase.push_back(job_key(listed.id));
      txn.erase.push_back(jobs_key(listed));
      txn.events.push_back({{}, "job", listed.id.hex(), "deleted"});
    }
    PFS_TRY(add_caused_without(record.name, gone, newest, txn));
  }
  return {};
}

Result<std::optional<Versioned<JobRecord>>> Ledger::job(const JobId& id) const {
  PFS_TRY_ASSIGN(const auto row, refs_.get(job_key(id)));
  if (!row) return std::optional<Versioned<JobRecord>>();
  PFS_TRY_ASSIGN(JobRecord record, decode_job(row->value));
  return std::optional(Versioned<JobRecord>{std::move(record), row->version});
}

Result<std::vector<JobRecord>> Ledger::jobs(const RepoName& pipeline, std::size_t limit) const {
  return jobs_after_key(pipeline, {}, limit);
}

Result<std::vector<JobRecord>> Ledger::all_jobs() const {
  std::vector<JobRecord> records;
  std::optional<Error> damaged;
  PFS_TRY(refs_.scan("job/", {}, [&](std::string_view, const store::RefValue& row) {
    auto record = decode_job(row.value);
    if (!record) {
      damaged = std::move(record).error();
      return false;
    }
    records.push_back(*std::move(record));
    return true;
  }));
  if (damaged) return std::move(*damaged);
  return records;
}

Result<std::optional<JobRecord>> Ledger::newest_of_version(const RepoName& pipeline, std::uint64_t version) const {
  PFS_TRY_ASSIGN(auto newest, jobs_after_key(pipeline, jobs_of_version_key(pipeline, version), 1));
  if (newest.empty() || newest.front().caused_by_version != version) return std::optional<JobRecord>();
  return std::optional(std::move(newest.front()));
}

Result<std::vector<JobRecord>> Ledger::jobs_before(const JobRecord& job, std::size_t limit) const {
  PFS_TRY_ASSIGN(auto records, jobs_after_key(job.pipeline, jobs_key(job), limit));
  std::erase_if(records, [](const JobRecord& record) { return !record.ended(); });
  return records;
}

Result<std::optional<JobRecord>> Ledger::parent(const JobRecord& job) const {
  for (std::string key = jobs_key(job);;) {
    PFS_TRY_ASSIGN(auto earlier, jobs_after_key(job.pipeline, key, kJobsAtOnce));
    if (earlier.empty()) return std::optional<JobRecord>();
    for (JobRecord& one : earlier) {
      if (one.output_commit) return std::optional(std::move(one));
    }
    key = jobs_key(earlier.back());
  }
}

Result<std::optional<CommitId>> Ledger::head_after(const JobRecord& job) const {
  if (job.output_commit) return job.output_commit;
  PFS_TRY_ASSIGN(const auto parent, this->parent(job));
  return parent ? parent->output_commit : std::nullopt;
}

Result<std::vector<JobRecord>> Ledger::jobs_after_key(const RepoName& pipeline, const std::string& key,
                                                      std::size_t limit) const {
  std::vector<std::string> ids;
  if (limit == 0) return std::vector<JobRecord>();
  PFS_TRY(refs_.scan(jobs_prefix(pipeline), key, [&](std::string_view, const store::RefValue& row) {
    ids.push_back(row.value);
    return ids.size() < limit;
  }));
  std::vector<JobRecord> records;
  for (const std::string& id : ids) {
    PFS_TRY_ASSIGN(const auto row, refs_.get("job/" + id));
    if (!row) continue;  // its pipeline was deleted between the scan and here
    PFS_TRY_ASSIGN(JobRecord record, decode_job(row->value));
    records.push_back(std::move(record));
  }
  return records;
}

Result<std::optional<Versioned<JobRecord>>> Ledger::next_job(const RepoName& pipeline) const {
  std::optional<std::string> id;
  PFS_TRY(refs_.scan(queue_prefix(pipeline), {}, [&](std::string_view, const store::RefValue& row) {
    id = row.value;
    return false;
  }));
  if (!id) return std::optional<Versioned<JobRecord>>();
  PFS_TRY_ASSIGN(const JobId job_id, JobId::from_hex(*id));
  return job(job_id);
}

Result<std::optional<JobId>> Ledger::newest_unfinished(const RepoName& pipeline) const {
  std::optional<std::string> last;
  // rows are read forward only, and a queue may be long; jobs are listed newest first
  PFS_TRY_ASSIGN(const auto newest, jobs(pipeline, 1));
  if (!newest.empty() && !newest.front().ended()) return std::optional(newest.front().id);
  PFS_TRY(refs_.scan(queue_prefix(pipeline), {}, [&](std::string_view, const store::RefValue& row) {
    last = row.value;
    return true;
  }));
  if (!last) return std::optional<JobId>();
  PFS_TRY_ASSIGN(const JobId id, JobId::from_hex(*last));
  return std::optional(id);
}

void Ledger::add_put_job(const JobRecord& job, store::Seq expected, store::RefTxn& txn) const {
  expect(txn, job_key(job.id), expected);
  txn.put.push_back({job_key(job.id), encode(job)});
  if (job.ended()) txn.erase.push_back(queue_key(job));
  txn.events.push_back({{}, "job", job.id.hex(), std::string(name_of(job.state))});
}

Result<void> Ledger::put_job(Versioned<JobRecord>& job) {
  store::RefTxn txn = begin_transaction();
  add_put_job(job.record, job.version, txn);
  PFS_TRY_ASSIGN(job.version, refs_.commit(std::move(txn)));
  return {};
}

/// Of jobs that have ended, what they have left of their output is told by its commit, since no job says any more which it was.
/// `gone`: pipelines that go with them.
Result<void> Ledger::add_settled_caused(const std::set<RepoName>& gone, store::RefTxn& txn) const {
  PFS_TRY_ASSIGN(const auto all, pipelines());
  for (const PipelineRecord& pipeline : all) {
    if (gone.contains(pipeline.name)) continue;
    PFS_TRY_ASSIGN(const auto row, caused(pipeline.name));
    if (!row) continue;
    CausedRecord settled = row->record;
    for (JobInput& input : settled.inputs) {
      if (!input.from || input.commit) continue;
      PFS_TRY_ASSIGN(const auto from, job(*input.from));
      if (!from || !from->record.ended()) continue;
      PFS_TRY_ASSIGN(input.commit, head_after(from->record));
    }
    if (settled.inputs != row->record.inputs) add_put_caused(pipeline.name, settled, row, txn);
  }
  return {};
}

Result<void> Ledger::erase_job(const Versioned<JobRecord>& job) {
  store::RefTxn txn = begin_transaction();
  PFS_TRY(add_settled_caused({}, txn));
  expect(txn, job_key(job.record.id), job.version);
  txn.erase.push_back(job_key(job.record.id));
  txn.erase.push_back(jobs_key(job.record));
  txn.events.push_back({{}, "job", job.record.id.hex(), "deleted"});
  PFS_TRY(refs_.commit(std::move(txn)));
  return {};
}

}  // namespace pfs::trigger
