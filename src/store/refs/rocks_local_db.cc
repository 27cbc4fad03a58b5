#include "store/refs/rocks_local_db.h"

#include <rocksdb/db.h>
#include <rocksdb/iterator.h>
#include <rocksdb/snapshot.h>
#include <rocksdb/write_batch.h>

#include "base/fault.h"
#include "store/refs/rocks_db.h"
#include "store/refs/rocks_slice.h"

namespace pfs::store {

namespace {

class RocksSnapshot final : public LocalDb::Snapshot {
 public:
  explicit RocksSnapshot(rocksdb::DB& db) : db_(db), snapshot_(db.GetSnapshot()) {}
  RocksSnapshot(const RocksSnapshot&) = delete;
  RocksSnapshot& operator=(const RocksSnapshot&) = delete;
  ~RocksSnapshot() override { db_.ReleaseSnapshot(snapshot_); }

  const rocksdb::Snapshot* get() const { return snapshot_; }

 private:
  rocksdb::DB& db_;
  const rocksdb::Snapshot* snapshot_;
};

rocksdb::ReadOptions read_options(const LocalDb::Snapshot* at) {
  rocksdb::ReadOptions options;
  if (at != nullptr) options.snapshot = static_cast<const RocksSnapshot*>(at)->get();
  return options;
}

RocksFamily rocks_family(Family family) {
  switch (family) {
    case Family::kDelta: return RocksFamily::kDelta;
    case Family::kInode: return RocksFamily::kInode;
    case Family::kStage: return RocksFamily::kStage;
    case Family::kHot: return RocksFamily::kHot;
    case Family::kIndex: return RocksFamily::kIndex;
    case Family::kPack: return RocksFamily::kPack;
    case Family::kDatum: break;
  }
  return RocksFamily::kDatum;
}

class RocksCursor final : public LocalDb::Cursor {
 public:
  RocksCursor(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family, rocksdb::ReadOptions options, std::string_view from,
              std::string_view to)
      : from_(from), to_(to), begin_(slice(from_)), end_(slice(to_)) {
    options.iterate_lower_bound = &begin_;
    if (!to_.empty()) options.iterate_upper_bound = &end_;
    row_.reset(db.NewIterator(options, family));
  }
  RocksCursor(const RocksCursor&) = delete;
  RocksCursor& operator=(const RocksCursor&) = delete;
  ~RocksCursor() override = default;

  Result<bool> seek(std::string_view key) override {
    row_->Seek(slice(key));
    return at_row();
  }
  Result<bool> next() override {
    row_->Next();
    return at_row();
  }
  std::string_view key() const override { return row_->key().ToStringView(); }
  std::string_view value() const override { return row_->value().ToStringView(); }

 private:
  Result<bool> at_row() const {
    if (row_->Valid()) return true;
    if (!row_->status().ok()) return error_from_rocks(row_->status(), "local rows");
    return false;
  }

  const std::string from_;
  const std::string to_;
  const rocksdb::Slice begin_;  // the iterator refers to them
  const rocksdb::Slice end_;
  std::unique_ptr<rocksdb::Iterator> row_;
};

}  // namespace

Result<std::optional<std::string>> RocksLocalDb::get(Family family, std::string_view key, const Snapshot* at) const {
  std::string value;
  const auto status =
      database_.db().Get(read_options(at), database_.family(rocks_family(family)), slice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return error_from_rocks(status, "local row");
  return std::optional(std::move(value));
}

Result<void> RocksLocalDb::scan(Family family, std::string_view from, std::string_view to,
                                const std::function<bool(std::string_view key, std::string_view value)>& visit,
                                const Snapshot* at) const {
  auto options = read_options(at);
  const auto end = slice(to);
  if (!to.empty()) options.iterate_upper_bound = &end;
  // a pass over `hot` is the packer's: once each, and it must not push out what readers need
  options.fill_cache = family != Family::kHot;
  const std::unique_ptr<rocksdb::Iterator> row(
      database_.db().NewIterator(options, database_.family(rocks_family(family))));
  for (row->Seek(slice(from)); row->Valid(); row->Next()) {
    if (!visit(row->key().ToStringView(), row->value().ToStringView())) return {};
  }
  if (!row->status().ok()) return error_from_rocks(row->status(), "local rows");
  return {};
}

std::unique_ptr<LocalDb::Cursor> RocksLocalDb::cursor(Family family, std::string_view from, std::string_view to,
                                                      const Snapshot* at) const {
  return std::make_unique<RocksCursor>(database_.db(), database_.family(rocks_family(family)), read_options(at), from, to);
}

Result<void> RocksLocalDb::write(const LocalBatch& batch) {
  PFS_FAULT_POINT("local.write");
  rocksdb::WriteBatch changes;
  for (const auto& change : batch.changes) {
    auto* const family = database_.family(rocks_family(change.family));
    if (change.value) {
      changes.Put(family, slice(change.key), slice(*change.value));
    } else if (change.range_end.empty()) {
      changes.Delete(family, slice(change.key));
    } else {
      changes.DeleteRange(family, slice(change.key), slice(change.range_end));
    }
  }
  return database_.write(changes);
}

Result<void> RocksLocalDb::sync() { return database_.sync(); }

std::unique_ptr<LocalDb::Snapshot> RocksLocalDb::snapshot() const {
  return std::make_unique<RocksSnapshot>(database_.db());
}

}  // namespace pfs::store
