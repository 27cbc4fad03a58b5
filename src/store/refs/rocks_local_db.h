#pragma once

#include "store/local_db.h"

namespace pfs::store {

class RocksDatabase;

/// This machine's state in the store's RocksDB, in families of its own.
///
/// Thread-safe.
class RocksLocalDb final : public LocalDb {
 public:
  /// `database` must outlive it.
  explicit RocksLocalDb(RocksDatabase& database) : database_(database) {}

  Result<std::optional<std::string>> get(Family family, std::string_view key,
                                         const Snapshot* at = nullptr) const override;
  Result<void> scan(Family family, std::string_view from, std::string_view to,
                    const std::function<bool(std::string_view key, std::string_view value)>& visit,
                    const Snapshot* at = nullptr) const override;
  std::unique_ptr<Cursor> cursor(Family family, std::string_view from, std::string_view to,
                                 const Snapshot* at = nullptr) const override;
  Result<void> write(const LocalBatch& batch) override;
  Result<void> sync() override;

  /// Free: the RefDb's commits are synced through the same write-ahead log, and that log is synced in its order.
  /// Whatever was written here before a commit lies before it in the log, so it is durable when the commit is.
  Result<void> barrier() override { return {}; }

  std::unique_ptr<Snapshot> snapshot() const override;

 private:
  RocksDatabase& database_;
};

}  // namespace pfs::store
