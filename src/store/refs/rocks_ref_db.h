#pragma once

#include <memory>

#include "base/sync.h"
#include "store/ref_db.h"

namespace rocksdb {
class WriteBatch;
}

namespace pfs::store {

class RocksDatabase;

/// Refs of a store on one machine, in its RocksDB.
///
/// A transaction is checked and written, unsynced, under one mutex, so the order of Seqs is the order of commits
/// and of the log; then the mutex is released and all who are committing share one sync. So a get() may see what
/// is not durable yet, but whoever builds on it by a commit is acknowledged after it: one log, one order.
/// Events and was_committed() tell only of what is durable.
///
/// Thread-safe. The destructor must not run while a call, also a waiting events(), is under way.
class RocksRefDb final : public RefDb {
 public:
  /// How many transactions was_committed() remembers, the newest. An answer is lost for seconds, not for so long.
  static constexpr std::uint64_t kTransactionsKept = 100'000;

  /// `database` must outlive it.
  static Result<std::unique_ptr<RocksRefDb>> open(RocksDatabase& database);

  Result<std::optional<RefValue>> get(std::string_view key) const override;
  Result<void> scan(std::string_view prefix, std::string_view after,
                    const std::function<bool(std::string_view key, const RefValue&)>& visit) const override;
  Result<Seq> commit(RefTxn txn) override PFS_EXCLUDES(mutex_);
  Result<std::optional<Seq>> was_committed(std::string_view txn_id) const override;
  Result<std::vector<RefEvent>> events(Seq after, std::size_t limit,
                                       std::chrono::milliseconds wait) const override PFS_EXCLUDES(mutex_);

 private:
  explicit RocksRefDb(RocksDatabase& database) : database_(database) {}

  Result<void> load() PFS_EXCLUDES(mutex_);
  Result<std::optional<std::string>> read(std::string_view row_key) const;
  Result<void> check(const RefTxn& txn) const;
  Result<void> remember(const RefTxn& txn, Seq seq, rocksdb::WriteBatch& batch) const;
  Result<Seq> write_unsynced(const RefTxn& txn) PFS_EXCLUDES(mutex_);
  Result<std::vector<RefEvent>> read_events(Seq after, Seq last, std::size_t limit) const;

  RocksDatabase& database_;

  mutable Mutex mutex_{LockRank::kStorage};
  mutable Condition event_is_durable_;
  Seq written_ PFS_GUARDED_BY(mutex_);        // of the newest transaction
  Seq durable_ PFS_GUARDED_BY(mutex_);        // this transaction and all before it
  Seq durable_event_ PFS_GUARDED_BY(mutex_);  // the newest of those that have events
};

}  // namespace pfs::store
