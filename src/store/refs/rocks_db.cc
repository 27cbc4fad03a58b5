#include "store/refs/rocks_db.h"

#include <array>
#include <cstdarg>
#include <cstdio>
#include <vector>

#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/utilities/table_properties_collectors.h>
#include <spdlog/spdlog.h>

namespace pfs::store {

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

// In the order of RocksFamily.
constexpr std::array<const char*, kRocksFamilies> kFamilyNames{"ref", "event", "delta", "inode", "stage",
                                                               "hot", "index", "pack",  "datum"};

// RocksDB would look for room every five seconds by itself and refuse to be resumed meanwhile. Whoever writes tries.
class ResumedByUs final : public rocksdb::EventListener {
 public:
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status error, bool* automatic) override {
    if (error.IsNoSpace()) *automatic = false;
  }
};

// Into our own log: RocksDB's LOG file lies in the database's directory, and on a full disk writing to it aborts.
class OurLog final : public rocksdb::Logger {
 public:
  OurLog() : Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  using Logger::Logv;
  void LogHeader(const char*, std::va_list) override {}  // its options, at each start
  void Logv(const char* format, std::va_list arguments) override {
    std::array<char, 1024> text{};
    std::vsnprintf(text.data(), text.size(), format, arguments);
    spdlog::debug("database: {}", text.data());  // what is wrong comes back as a status as well
  }
};

rocksdb::DBOptions database_options() {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.paranoid_checks = true;
  // a torn tail of the log was never acknowledged: everything before it counts, nothing after it
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.db_write_buffer_size = 64 * kMiB;
  options.max_total_wal_size = 128 * kMiB;
  options.max_open_files = 512;
  // writeback starts early, so that a synced commit behind bulk writes finds little left to do
  options.wal_bytes_per_sync = 512 * 1024;
  options.bytes_per_sync = kMiB;
  // set one by one: from max_background_jobs RocksDB would derive a single flush, behind which commits queue up
  options.max_background_flushes = 2;
  options.max_background_compactions = 2;
  options.avoid_unnecessary_blocking_io = true;
  options.skip_stats_update_on_db_open = true;
  options.max_manifest_file_size = 16 * kMiB;
  options.info_log = std::make_shared<OurLog>();
  options.stats_dump_period_sec = 0;
  options.listeners.push_back(std::make_shared<ResumedByUs>());
  return options;
}

rocksdb::BlockBasedTableOptions table_options(std::size_t cache_bytes) {
  rocksdb::BlockBasedTableOptions table;
  // Strict: what the daemon may use of memory is a number that holds. Four shards, not sixteen, so that what one
  // scan pins never fills its shard.
  table.block_cache = rocksdb::NewLRUCache(cache_bytes, /*num_shard_bits=*/2, /*strict_capacity_limit=*/true);
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.metadata_block_size = 4096;
  table.block_size = 4096;
  table.filter_policy.reset(rocksdb::NewRibbonFilterPolicy(10));
  table.checksum = rocksdb::kXXH3;
  table.format_version = 5;
  return table;
}

rocksdb::ColumnFamilyOptions family_options(const std::shared_ptr<rocksdb::TableFactory>& tables) {
  rocksdb::ColumnFamilyOptions options;
  options.table_factory = tables;
  // digests do not compress, and the rest is either small or gone soon
  options.compression = rocksdb::kNoCompression;
  // Queue-like rows (outbox, delta, hot) leave tombstones behind: files dense with them are rewritten early.
  options.table_properties_collector_factories.push_back(
      rocksdb::NewCompactOnDeletionCollectorFactory(/*sliding_window_size=*/4096, /*deletion_trigger=*/2048));
  return options;
}

// The families, in the order in which take() has them.
std::vector<rocksdb::ColumnFamilyDescriptor> all_families(std::size_t cache_bytes) {
  const std::shared_ptr<rocksdb::TableFactory> tables(rocksdb::NewBlockBasedTableFactory(table_options(cache_bytes)));
  const auto options = family_options(tables);
  std::vector<rocksdb::ColumnFamilyDescriptor> families{{rocksdb::kDefaultColumnFamilyName, options}};
  for (const char* name : kFamilyNames) families.emplace_back(name, options);
  return families;
}

Code code_of(const rocksdb::Status& status) {
  if (status.IsNoSpace() || status.subcode() == rocksdb::Status::kSpaceLimit) return Code::kNoSpace;
  switch (status.code()) {
    case rocksdb::Status::kNotFound: return Code::kNotFound;
    case rocksdb::Status::kCorruption: return Code::kCorrupt;
    case rocksdb::Status::kNotSupported: return Code::kUnsupported;
    case rocksdb::Status::kIOError: return Code::kIo;
    case rocksdb::Status::kIncomplete:  // the block cache's limit
    case rocksdb::Status::kTimedOut:
    case rocksdb::Status::kAborted:
    case rocksdb::Status::kBusy:
    case rocksdb::Status::kTryAgain: return Code::kUnavailable;
    case rocksdb::Status::kShutdownInProgress: return Code::kCancelled;
    case rocksdb::Status::kOk:
    case rocksdb::Status::kInvalidArgument:
    case rocksdb::Status::kMergeInProgress:
    case rocksdb::Status::kExpired:
    case rocksdb::Status::kCompactionTooLarge:
    case rocksdb::Status::kColumnFamilyDropped:
    case rocksdb::Status::kMaxCode: return Code::kInternal;
  }
  return Code::kInternal;
}

}  // namespace

Error error_from_rocks(const rocksdb::Status& status, std::string_view what) {
  return Error{code_of(status), fmt::format("{}: {}", what, status.ToString())};
}

Result<std::unique_ptr<RocksDatabase>> RocksDatabase::open(const std::string& path, std::function<void()> make_room) {
  const auto wanted = all_families(64 * kMiB);

  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  // Recovery writes what the log held into table files and syncs those (avoid_flush_during_recovery stays off):
  // that is what makes the tail of a killed process durable here.
  auto status = rocksdb::DB::Open(database_options(), path, wanted, &handles, &db);
  if (!status.ok() && code_of(status) == Code::kNoSpace && make_room) {
    make_room();
    status = rocksdb::DB::Open(database_options(), path, wanted, &handles, &db);
  }
  if (!status.ok()) return error_from_rocks(status, "database " + path);

  auto database = take(path, db, handles);
  database->make_room_ = std::move(make_room);
  return database;
}

std::unique_ptr<RocksDatabase> RocksDatabase::take(const std::string& path, rocksdb::DB* db,
                                                   const std::vector<rocksdb::ColumnFamilyHandle*>& handles) {
  std::unique_ptr<RocksDatabase> database(new RocksDatabase);
  database->path_ = path;
  database->db_.reset(db);
  database->default_family_ = handles.front();
  std::copy(handles.begin() + 1, handles.end(), database->families_.begin());
  return database;
}

Result<std::unique_ptr<RocksDatabase>> RocksDatabase::open_read_only(const std::string& path) {
  auto options = database_options();
  options.create_if_missing = false;
  options.create_missing_column_families = false;
  options.max_open_files = 128;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  const auto status = rocksdb::DB::OpenForReadOnly(options, path, all_families(8 * kMiB), &handles, &db);
  if (!status.ok()) return error_from_rocks(status, "database " + path);
  return take(path, db, handles);
}

Result<void> RocksDatabase::checkpoint(const std::string& path) {
  rocksdb::Checkpoint* made = nullptr;
  auto status = rocksdb::Checkpoint::Create(db_.get(), &made);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  if (status.ok()) status = checkpoint->CreateCheckpoint(path, /*log_size_for_flush=*/0);
  if (!status.ok()) return error_from_rocks(status, "checkpoint " + path);
  return {};
}

RocksDatabase::~RocksDatabase() {
  for (auto* family : families_) db_->DestroyColumnFamilyHandle(family);
  db_->DestroyColumnFamilyHandle(default_family_);
  db_->Close();
}

Result<void> RocksDatabase::write(rocksdb::WriteBatch& batch) {
  auto status = db_->Write(rocksdb::WriteOptions(), &batch);
  if (!status.ok() && code_of(status) == Code::kNoSpace) {
    if (make_room_) make_room_();
    if (resume()) status = db_->Write(rocksdb::WriteOptions(), &batch);
  }
  if (!status.ok()) return error_from_rocks(status, "write to database " + path_);
  return {};
}

Result<void> RocksDatabase::sync() {
  if (const auto failure = log_.failure(); failure && failure->code == Code::kNoSpace) {
    if (make_room_) make_room_();
    PFS_TRY(resume());
  }
  return log_.run([this]() -> Result<void> {
    const auto status = db_->SyncWAL();
    if (status.ok()) return {};
    if (code_of(status) == Code::kNoSpace) {
      if (make_room_) make_room_();
      if (resume()) return {};
    }
    return error_from_rocks(status, "sync of database " + path_);
  });
}

Result<void> RocksDatabase::resume() {
  auto status = db_->Resume();
  if (status.ok()) {
    std::vector<rocksdb::ColumnFamilyHandle*> all(families_.begin(), families_.end());
    status = db_->Flush(rocksdb::FlushOptions(), all);
  }
  if (!status.ok()) return error_from_rocks(status, "resume of database " + path_);
  // everything that was written is in synced tables now, whatever became of the log
  if (const auto failure = log_.failure(); failure && failure->code == Code::kNoSpace) log_.forget_failure();
  return {};
}

}  // namespace pfs::store
