#include "store/collect/digest_set.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include "store/refs/rocks_db.h"

namespace pfs::store {

namespace {

constexpr std::size_t kSetMiB = std::size_t{1} << 20U;

}  // namespace

Result<std::unique_ptr<DigestSet>> DigestSet::make(const std::string& directory) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(8 * kSetMiB, /*num_shard_bits=*/2);
  table.cache_index_and_filter_blocks = true;
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.filter_policy.reset(rocksdb::NewRibbonFilterPolicy(10));
  table.format_version = 5;
  rocksdb::Options options;
  options.create_if_missing = true;
  options.error_if_exists = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.compression = rocksdb::kNoCompression;
  options.write_buffer_size = 6 * kSetMiB;
  options.max_write_buffer_number = 2;
  options.max_open_files = 64;
  options.info_log_level = rocksdb::HEADER_LEVEL;
  options.stats_dump_period_sec = 0;
  rocksdb::DB* db = nullptr;
  const auto status = rocksdb::DB::Open(options, directory, &db);
  if (!status.ok()) return error_from_rocks(status, "set " + directory);
  std::unique_ptr<DigestSet> set(new DigestSet);
  set->db_.reset(db);
  return set;
}

DigestSet::~DigestSet() = default;

Result<void> DigestSet::insert(const ObjectId& id) {
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  const auto status = db_->Put(options, object_key(id), "");
  if (!status.ok()) return error_from_rocks(status, "set of objects");
  return {};
}

Result<bool> DigestSet::contains(const ObjectId& id) const {
  rocksdb::PinnableSlice value;
  const auto status = db_->Get(rocksdb::ReadOptions(), db_->DefaultColumnFamily(), object_key(id), &value);
  if (status.IsNotFound()) return false;
  if (!status.ok()) return error_from_rocks(status, "set of objects");
  return true;
}

Result<bool> DigestSet::add(const ObjectId& id) {
  PFS_TRY_ASSIGN(const bool known, contains(id));
  if (!known) PFS_TRY(insert(id));
  return !known;
}

DigestSet::Sorted::Sorted(const DigestSet& set) : at_(set.db_->NewIterator(rocksdb::ReadOptions())) { at_->SeekToFirst(); }
DigestSet::Sorted::~Sorted() = default;

Result<bool> DigestSet::Sorted::has(std::string_view key) {
  while (at_->Valid() && at_->key().ToStringView() < key) at_->Next();
  if (!at_->status().ok()) return error_from_rocks(at_->status(), "set of objects");
  return at_->Valid() && at_->key().ToStringView() == key;
}

}  // namespace pfs::store
