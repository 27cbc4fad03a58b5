#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "base/result.h"
#include "store/ref_db.h"
#include "trigger/internal/records.h"

namespace pfs::trigger {

/// A record and the transaction that wrote it last: what a change of it expects.
template <class Record>
struct Versioned {
  Record record;
  store::Seq version;
};

/// A transaction of its own name.
store::RefTxn begin_transaction();
/// Lets a transaction be refused unless the key's last write is that one; nullopt: unless there is no such key.
void expect(store::RefTxn& txn, const std::string& key, std::optional<store::Seq> version);

struct PipelineSpec;
/// What a pipeline does. Errors: as parse_spec() (a spec of another version of pfs), kCorrupt (its record cannot be read).
Result<PipelineSpec> spec_of(const PipelineRecord& pipeline);

/// kNotFound, of a job or a pipeline.
Error no_such_job(const JobId& id);
Error no_such_pipeline(const RepoName& name);

/// Pipelines and jobs in the RefDb: the only place that knows their keys and what changes together.
///
/// Thread-safe; holds no state of its own.
class Ledger {
 public:
  explicit Ledger(store::RefDb& refs) : refs_(refs) {}

  /// Of a record that cannot be read the name, and why (PipelineRecord::damage): it can be replaced and deleted.
  Result<std::optional<Versioned<PipelineRecord>>> pipeline(const RepoName& name) const;
  /// Newest first; those that cannot be read, too.
  Result<std::vector<PipelineRecord>> pipelines() const;
  /// A pipeline's versions before one, newest first. A pipeline that was made by a pfs that kept none has fewer.
  Result<std::vector<VersionRecord>> versions_before(const RepoName& pipeline, std::uint64_t version, std::size_t limit) const;
  /// nullopt: not known (any more).
  Result<std::optional<VersionRecord>> version(const RepoName& pipeline, std::uint64_t version) const;
  /// The pipelines that read a branch.
  Result<std::vector<RepoName>> readers(const BranchRef& branch) const;
  /// The same for a transaction, which is refused when they are others by then.
  Result<std::vector<RepoName>> readers_expected(const BranchRef& branch, store::RefTxn& txn) const;
  /// Those that it will have once that transaction is through, which is refused when others come meanwhile.
  Result<std::vector<RepoName>> readers_after(const BranchRef& branch, store::RefTxn& txn) const;

  // ledger_pipelines.cc
  /// The last transaction that made or changed pipelines: what is planned from all of them is carried out with add_planned().
  Result<std::optional<store::Seq>> last_change() const;
  /// Errors: kConflict (pipelines were made or changed since); also of the transaction.
  Result<void> add_planned(std::optional<store::Seq> planned_at, store::RefTxn& txn) const;
  struct Change {
    PipelineRecord record;
    std::optional<Versioned<PipelineRecord>> old;  ///< what it was, whose inputs are read no longer
    Timestamp when;  ///< that it is made
  };
  /// Adds pipelines that are made or changed to a transaction, which fails with kConflict where somebody else has changed
  /// one of them, or who reads their inputs.
  Result<void> add_put_pipelines(std::span<const Change> changes, store::RefTxn& txn) const;
  /// The same for pipelines that go, with all their jobs.
  Result<void> add_erase_pipelines(std::span<const Versioned<PipelineRecord>> pipelines, store::RefTxn& txn) const;

  /// Erases, in the transaction that deletes commits, the jobs that were about them; where a pipeline's newest was, it was the
  /// newest of the others that it was caused with. Errors: kBusy (one has not ended).
  Result<void> erase_jobs_of(std::span<const CommitId> commits, store::RefTxn& txn) const;
  /// What the newest job was caused with; nullopt where none has been, or by a version that kept no such record.
  Result<std::optional<Versioned<CausedRecord>>> caused(const RepoName& pipeline) const;
  /// Adds a job, and what it was caused with, to a transaction; `before` is what was there of that. `heads`: what its branches
  /// have, which a job by hand need not read.
  void add_new_job(const JobRecord& job, const std::vector<JobInput>& heads, const std::optional<Versioned<CausedRecord>>& before, store::RefTxn& txn) const;

  /// Writes what the newest job was caused with, also as it is: transactions that cause one meanwhile begin again. `before` is
  /// what was there of that.
  void add_put_caused(const RepoName& pipeline, const CausedRecord& record, const std::optional<Versioned<CausedRecord>>& before,
                      store::RefTxn& txn) const;

  Result<std::optional<Versioned<JobRecord>>> job(const JobId& id) const;
  /// Newest first.
  Result<std::vector<JobRecord>> jobs(const RepoName& pipeline, std::size_t limit) const;
  /// Of all pipelines, in no order. One scan: a tenth of what looking up each costs.
  Result<std::vector<JobRecord>> all_jobs() const;
  /// The newest that was caused with that version of the pipeline.
  Result<std::optional<JobRecord>> newest_of_version(const RepoName& pipeline, std::uint64_t version) const;
  /// Those before a job, newest first, that have ended.
  Result<std::vector<JobRecord>> jobs_before(const JobRecord& job, std::size_t limit) const;
  /// The newest before a job that has put something out.
  Result<std::optional<JobRecord>> parent(const JobRecord& job) const;
  /// The commit that is HEAD of the output once a job has ended, before any later one has: what it has put out, or what its
  /// parent has.
  Result<std::optional<CommitId>> head_after(const JobRecord& job) const;
  /// The oldest job that has not ended.
  Result<std::optional<Versioned<JobRecord>>> next_job(const RepoName& pipeline) const;
  /// The newest job that has not ended.
  Result<std::optional<JobId>> newest_unfinished(const RepoName& pipeline) const;

  /// Replaces the record of a job, and takes it off the queue when that says it has ended.
  /// Errors: kConflict (it was changed meanwhile).
  Result<void> put_job(Versioned<JobRecord>& job);
  /// Erases a job that has ended. Where one was caused with what it was to put out, that is known from then on by its commit.
  /// Errors: kConflict.
  Result<void> erase_job(const Versioned<JobRecord>& job);
  /// put_job() as a part of another transaction.
  void add_put_job(const JobRecord& job, store::Seq expected, store::RefTxn& txn) const;

 private:
  PipelineRecord read_pipeline(const RepoName& name, const std::string& value) const;
  Result<std::vector<JobRecord>> jobs_after_key(const RepoName& pipeline, const std::string& key, std::size_t limit) const;
  Result<bool> are_about(const std::vector<JobInput>& inputs, const std::set<CommitId>& commits) const;
  Result<void> add_caused_without(const RepoName& pipeline, const std::set<CommitId>& commits, const JobRecord* newest,
                                  store::RefTxn& txn) const;
  Result<void> add_settled_caused(const std::set<RepoName>& gone, store::RefTxn& txn) const;

  store::RefDb& refs_;
};

}  // namespace pfs::trigger
