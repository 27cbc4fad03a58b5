#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/types.h"

namespace pfs::store {

/// Something that happened, in the order of commits: what watchers and outboxes read.
struct RefEvent {
  Seq seq;           ///< the transaction that it was part of
  std::string kind;  ///< `head`, `job`, ...
  std::string key;
  std::string value;
};

/// One transaction: all of it or nothing.
struct RefTxn {
  struct Expect {
    std::string key;
    std::optional<Seq> version;  ///< the Seq of its last write; nullopt: the key must be absent
  };
  struct Put {
    std::string key;
    std::string value;
  };

  /// Names the transaction, so that its outcome can be asked for after a lost answer.
  std::string id;
  std::vector<Expect> expect;
  std::vector<Put> put;
  std::vector<std::string> erase;
  std::vector<RefEvent> events;  ///< `seq` is filled in by commit()
};

struct RefValue {
  std::string value;
  Seq version;
};

/// The small mutable state of a store: repos, branches, commits, pipelines, jobs. One shot transactions over
/// any number of keys, compare-and-set, and an ordered log of events.
///
/// Thread-safe. RocksDB on one machine (RocksRefDb), PostgreSQL beyond it, memory in tests (MemoryRefDb).
/// Source: docs/format.md "Refs".
class RefDb {
 public:
  virtual ~RefDb() = default;

  virtual Result<std::optional<RefValue>> get(std::string_view key) const = 0;

  /// Keys that begin with `prefix`, in order, from after `after` on (empty: from the first). The callback
  /// returns false to stop. All from one snapshot.
  virtual Result<void> scan(std::string_view prefix, std::string_view after,
                            const std::function<bool(std::string_view key, const RefValue&)>& visit) const = 0;

  /// Carries the transaction out; durable when it returns.
  /// Errors: kConflict (names the key whose version is not the expected one; nothing was done), kNoSpace,
  /// kUnavailable (the outcome is unknown: ask was_committed), kIo.
  virtual Result<Seq> commit(RefTxn txn) = 0;

  /// Whether the transaction of that id was carried out; its Seq.
  virtual Result<std::optional<Seq>> was_committed(std::string_view txn_id) const = 0;

  /// Up to `limit` durable events after `after`, oldest first; waits up to `wait` for the first one.
  virtual Result<std::vector<RefEvent>> events(Seq after, std::size_t limit, std::chrono::milliseconds wait) const = 0;
};

}  // namespace pfs::store
