#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pfs::store {

/// The tables of this machine's own state. Source: docs/format.md "Rows".
enum class Family { kDelta, kInode, kStage, kHot, kIndex, kPack, kDatum };

/// Changes that are applied together.
struct LocalBatch {
  struct Change {
    Family family;
    std::string key;
    std::optional<std::string> value;  ///< nullopt: erase
    std::string range_end;             ///< not empty: erase [key, range_end)
  };
  std::vector<Change> changes;

  void put(Family family, std::string key, std::string value) {
    changes.push_back({family, std::move(key), std::move(value), {}});
  }
  void erase(Family family, std::string key) { changes.push_back({family, std::move(key), std::nullopt, {}}); }
  void erase_range(Family family, std::string from, std::string to) {
    changes.push_back({family, std::move(from), std::nullopt, std::move(to)});
  }
  bool empty() const { return changes.empty(); }
};

/// State of this machine alone: deltas of open commits, staging, hot objects, the pack index, datum records.
/// Not shared between machines and never in one transaction with a RefDb.
///
/// Thread-safe.
class LocalDb {
 public:
  /// What the rows were at one moment. Must not outlive its LocalDb.
  class Snapshot {
   public:
    virtual ~Snapshot() = default;
  };

  /// Rows of a range, read by going from one to the next or to another key. Keeps the files and tables that it reads from
  /// being freed, so it is not for keeping. For one thread; must not outlive its LocalDb.
  class Cursor {
   public:
    virtual ~Cursor() = default;
    /// Goes to the first row from `key` on. Shape: whether there is one.
    virtual Result<bool> seek(std::string_view key) = 0;
    /// From a row to the next one. Shape: whether there is one.
    virtual Result<bool> next() = 0;
    /// Of the row that it stands at, until it is moved.
    virtual std::string_view key() const = 0;
    virtual std::string_view value() const = 0;
  };

  virtual ~LocalDb() = default;

  virtual Result<std::optional<std::string>> get(Family family, std::string_view key,
                                                 const Snapshot* at = nullptr) const = 0;
  /// Rows of [from, to) in order, without a `to` all from there on; the callback returns false to stop.
  virtual Result<void> scan(Family family, std::string_view from, std::string_view to,
                            const std::function<bool(std::string_view key, std::string_view value)>& visit,
                            const Snapshot* at = nullptr) const = 0;

  /// Over the rows of [from, to), as scan() has them, as they are now, or were at `at`. It stands at none until it is sent to one.
  virtual std::unique_ptr<Cursor> cursor(Family family, std::string_view from, std::string_view to,
                                         const Snapshot* at = nullptr) const = 0;

  /// All of the batch or nothing; survives a killed process at once, a power cut after sync().
  virtual Result<void> write(const LocalBatch& batch) = 0;

  /// Everything written before is durable when it returns.
  virtual Result<void> sync() = 0;

  /// Everything written before becomes durable no later than the next commit to the RefDb. Free where both share
  /// a log, a sync() where they do not.
  virtual Result<void> barrier() = 0;

  virtual std::unique_ptr<Snapshot> snapshot() const = 0;
};

}  // namespace pfs::store
