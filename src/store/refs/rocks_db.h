#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/shared_sync.h"

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
class Status;
class WriteBatch;
}  // namespace rocksdb

namespace pfs::store {

/// The column families of a store's one RocksDB. Source: docs/format.md "Rows".
enum class RocksFamily { kRef, kEvent, kDelta, kInode, kStage, kHot, kIndex, kPack, kDatum };
inline constexpr std::size_t kRocksFamilies = 9;

/// Translates a status of RocksDB where it enters; `what` names the object. `status` must not be ok.
Error error_from_rocks(const rocksdb::Status& status, std::string_view what);

/// The RocksDB that a store's RefDb and LocalDb share, and with it one write-ahead log: whatever is written, by
/// either, is durable once anything written later is.
///
/// Owns the database and its families. Thread-safe.
/// Source: docs/format.md "Database".
class RocksDatabase {
 public:
  /// Opens the database in the directory `path`, making it when it is not there. Everything found in its log is
  /// durable when this returns, also what a killed process had written and never synced.
  /// Errors: kCorrupt, kNoSpace, kIo (also: another process has it open).
  /// `make_room` is called when the disk is full, from any thread, under the caller's locks: it frees what is kept for
  /// that. Then the database is resumed and what failed is tried once more; so it goes on by itself, too, once somebody
  /// else has made room.
  static Result<std::unique_ptr<RocksDatabase>> open(const std::string& path, std::function<void()> make_room = {});
  /// A checkpoint, for reading alone: whatever is written is an error. Of little memory.
  static Result<std::unique_ptr<RocksDatabase>> open_read_only(const std::string& path);
  /// What the database is now, in a directory that must not be there: files that it shares are linked. What its log held is in tables
  /// there. Errors: kNoSpace, kIo.
  Result<void> checkpoint(const std::string& path);
  RocksDatabase(const RocksDatabase&) = delete;
  RocksDatabase& operator=(const RocksDatabase&) = delete;
  ~RocksDatabase();

  rocksdb::DB& db() const { return *db_; }
  rocksdb::ColumnFamilyHandle* family(RocksFamily family) const { return families_[static_cast<std::size_t>(family)]; }

  /// Carries the batch out, whole or not at all: a killed process keeps it, a power cut only after sync().
  Result<void> write(rocksdb::WriteBatch& batch);

  /// Everything written before the call is durable when it returns. Many callers share one sync of the log.
  /// Errors: kIo, kNoSpace; once it has failed it fails until resume() has, or the database is opened again.
  Result<void> sync();

  /// Lets writes go on after the disk was full, once there is room: what the log may have lost is written into tables
  /// and synced. Errors: kNoSpace (still full), kIo.
  Result<void> resume();

 private:
  RocksDatabase() = default;
  static std::unique_ptr<RocksDatabase> take(const std::string& path, rocksdb::DB* db, const std::vector<rocksdb::ColumnFamilyHandle*>& handles);

  std::string path_;
  std::function<void()> make_room_;
  std::unique_ptr<rocksdb::DB> db_;
  std::array<rocksdb::ColumnFamilyHandle*, kRocksFamilies> families_{};  // closed before db_, in the destructor
  rocksdb::ColumnFamilyHandle* default_family_ = nullptr;                // RocksDB insists on one; it stays empty

  SharedSync log_;
};

}  // namespace pfs::store
