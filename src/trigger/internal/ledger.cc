#include "trigger/internal/ledger.h"

#include <algorithm>
#include <limits>
#include <set>

#include <fmt/format.h>

#include "trigger/internal/spec.h"

namespace pfs::trigger {

namespace {

Result<BranchRef> input_of(const PipelineRecord& pipeline) {
  PFS_TRY_ASSIGN(const PipelineSpec spec, parse_spec(pipeline.spec_json));
  return spec.input_branch();
}

void expect(store::RefTxn& txn, const std::string& key, std::optional<store::Seq> version) {
  txn.expect.push_back({key, version});
}

}  // namespace

store::RefTxn Ledger::begin() const {
  store::RefTxn txn;
  txn.id = new_commit_id().hex();
  return txn;
}

Result<std::optional<Versioned<PipelineRecord>>> Ledger::pipeline(const RepoName& name) const {
  PFS_TRY_ASSIGN(const auto row, refs_.get(pipeline_key(name)));
  if (!row) return std::optional<Versioned<PipelineRecord>>();
  PFS_TRY_ASSIGN(PipelineRecord record, decode_pipeline(row->value));
  return std::optional(Versioned<PipelineRecord>{std::move(record), row->version});
}

Result<std::vector<PipelineRecord>> Ledger::pipelines() const {
  std::vector<PipelineRecord> records;
  Result<void> decoded;
  PFS_TRY(refs_.scan("pipeline/", {}, [&](std::string_view, const store::RefValue& row) {
    auto record = decode_pipeline(row.value);
    if (!record) {
      decoded = std::move(record).error();
      return false;
    }
    records.push_back(std::move(*record));
    return true;
  }));
  if (!decoded) return std::move(decoded).error();
  std::stable_sort(records.begin(), records.end(),
                   [](const auto& a, const auto& b) { return a.created > b.created; });
  return records;
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

Result<void> Ledger::leave_input(const PipelineRecord& pipeline, store::RefTxn& txn) const {
  PFS_TRY_ASSIGN(const BranchRef branch, input_of(pipeline));
  PFS_TRY_ASSIGN(auto names, readers_expected(branch, txn));
  std::erase(names, pipeline.name);
  if (names.empty()) {
    txn.erase.push_back(input_key(branch));
  } else {
    txn.put.push_back({input_key(branch), encode_names(names)});
  }
  return {};
}

Result<void> Ledger::put_pipeline(const PipelineRecord& record, const std::optional<Versioned<PipelineRecord>>& old) {
  store::RefTxn txn = begin();
  PFS_TRY_ASSIGN(const BranchRef input, input_of(record));
  expect(txn, pipeline_key(record.name), old ? std::optional(old->version) : std::nullopt);
  txn.put.push_back({pipeline_key(record.name), encode(record)});
  bool reads_already = false;
  if (old) {
    PFS_TRY_ASSIGN(const BranchRef old_input, input_of(old->record));
    reads_already = old_input == input;
    if (!reads_already) PFS_TRY(leave_input(old->record, txn));
  }
  if (!reads_already) {
    PFS_TRY_ASSIGN(auto names, readers_expected(input, txn));
    if (std::find(names.begin(), names.end(), record.name) == names.end()) names.push_back(record.name);
    txn.put.push_back({input_key(input), encode_names(names)});
  }
  PFS_TRY(refs_.commit(std::move(txn)));
  return {};
}

Result<void> Ledger::erase_pipeline(const Versioned<PipelineRecord>& pipeline) {
  store::RefTxn txn = begin();
  const RepoName& name = pipeline.record.name;
  expect(txn, pipeline_key(name), pipeline.version);
  txn.erase.push_back(pipeline_key(name));
  PFS_TRY(leave_input(pipeline.record, txn));
  PFS_TRY(refs_.scan(jobs_prefix(name), {}, [&](std::string_view key, const store::RefValue& row) {
    txn.erase.emplace_back(key);
    txn.erase.push_back("job/" + row.value);
    return true;
  }));
  PFS_TRY(refs_.scan(queue_prefix(name), {}, [&](std::string_view key, const store::RefValue&) {
    txn.erase.emplace_back(key);
    return true;
  }));
  PFS_TRY(refs_.commit(std::move(txn)));
  return {};
}

void Ledger::add_new_job(const PipelineRecord& pipeline, const BranchRef& branch, const CommitId& head,
                         std::uint64_t log_number, store::RefTxn& txn) const {
  JobRecord job;
  job.id = job_id(pipeline, head, log_number);
  job.pipeline = pipeline.name;
  job.caused_by_version = pipeline.version;
  job.pipeline_version = pipeline.version;
  job.log_number = log_number;
  job.created = clock_.now();
  job.input_branch = branch;
  job.input_commit = head;
  expect(txn, job_key(job.id), std::nullopt);
  txn.put.push_back({job_key(job.id), encode(job)});
  txn.put.push_back({jobs_key(job), job.id.hex()});
  txn.put.push_back({queue_key(job), job.id.hex()});
  txn.events.push_back({{}, "job", job.id.hex(), "caused"});
}

Result<void> Ledger::cause_jobs(const store::HeadMove& move, store::RefTxn& txn) const {
  PFS_TRY_ASSIGN(const auto names, readers_expected(move.branch, txn));
  for (const RepoName& name : names) {
    PFS_TRY_ASSIGN(const auto found, pipeline(name));
    if (!found) continue;
    // the job's id holds the version: an update that comes between must make this transaction start again
    expect(txn, pipeline_key(name), found->version);
    add_new_job(found->record, move.branch, move.new_head.id, move.log_number, txn);
  }
  return {};
}

Result<void> Ledger::erase_jobs_of(std::span<const CommitId> commits, store::RefTxn& txn) const {
  const std::set<CommitId> gone(commits.begin(), commits.end());
  PFS_TRY_ASSIGN(const auto all, pipelines());
  for (const PipelineRecord& record : all) {
    PFS_TRY_ASSIGN(const auto done, jobs(record.name, std::numeric_limits<std::size_t>::max()));
    for (const JobRecord& listed : done) {
      if (!gone.contains(listed.input_commit)) continue;
      PFS_TRY_ASSIGN(const auto now, job(listed.id));
      if (!now) continue;
      if (!now->record.ended()) {
        return Error{Code::kBusy, fmt::format("commit {}@{}: job {} of pipeline {} works on it; wait for the job first",
                                              listed.input_branch.repo.str(), listed.input_commit.hex(), listed.id.hex(), record.name.str())};
      }
      expect(txn, job_key(listed.id), now->version);
      txn.erase.push_back(job_key(listed.id));
      txn.erase.push_back(jobs_key(listed));
      txn.events.push_back({{}, "job", listed.id.hex(), "deleted"});
    }
  }
  return {};
}

Result<void> Ledger::cause_newest_job(const PipelineRecord& pipeline) {
  PFS_TRY_ASSIGN(const BranchRef branch, input_of(pipeline));
  PFS_TRY_ASSIGN(const store::Branch now, catalog_.branch(branch));
  PFS_TRY_ASSIGN(const auto newest, catalog_.log(branch, 1));
  // a branch that was deleted and made again has a log before it has a HEAD
  if (!now.head || newest.empty() || newest.front().new_head != *now.head) return {};
  store::RefTxn txn = begin();
  add_new_job(pipeline, branch, newest.front().new_head, newest.front().number, txn);
  auto committed = refs_.commit(std::move(txn));
  if (!committed && committed.error().code != Code::kConflict) return std::move(committed).error();
  return {};  // a conflict: the job is there
}

Result<std::optional<Versioned<JobRecord>>> Ledger::job(const JobId& id) const {
  PFS_TRY_ASSIGN(const auto row, refs_.get(job_key(id)));
  if (!row) return std::optional<Versioned<JobRecord>>();
  PFS_TRY_ASSIGN(JobRecord record, decode_job(row->value));
  return std::optional(Versioned<JobRecord>{std::move(record), row->version});
}

Result<std::vector<JobRecord>> Ledger::jobs(const RepoName& pipeline, std::size_t limit) const {
  std::vector<std::string> ids;
  if (limit == 0) return std::vector<JobRecord>();
  PFS_TRY(refs_.scan(jobs_prefix(pipeline), {}, [&](std::string_view, const store::RefValue& row) {
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

void Ledger::add_put_job(const JobRecord& job, store::Seq expected, store::RefTxn& txn) const {
  expect(txn, job_key(job.id), expected);
  txn.put.push_back({job_key(job.id), encode(job)});
  if (job.ended()) txn.erase.push_back(queue_key(job));
  txn.events.push_back({{}, "job", job.id.hex(), std::string(name_of(job.state))});
}

Result<void> Ledger::put_job(Versioned<JobRecord>& job) {
  store::RefTxn txn = begin();
  add_put_job(job.record, job.version, txn);
  PFS_TRY_ASSIGN(job.version, refs_.commit(std::move(txn)));
  return {};
}

Result<void> Ledger::erase_job(const Versioned<JobRecord>& job) {
  store::RefTxn txn = begin();
  expect(txn, job_key(job.record.id), job.version);
  txn.erase.push_back(job_key(job.record.id));
  txn.erase.push_back(jobs_key(job.record));
  txn.events.push_back({{}, "job", job.record.id.hex(), "deleted"});
  PFS_TRY(refs_.commit(std::move(txn)));
  return {};
}

}  // namespace pfs::trigger
