#include "store/refs/rocks_ref_db.h"

#include <algorithm>

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/iterator.h>
#include <rocksdb/write_batch.h>

#include "base/fault.h"
#include "store/refs/key_range.h"
#include "store/refs/ref_rows.h"
#include "store/refs/rocks_db.h"
#include "store/refs/rocks_slice.h"

namespace pfs::store {

namespace {

// Rows of the family `ref`. Source: docs/format.md "Refs".
constexpr char kSeqRow = 'S';         // -> seq u64: the newest transaction's
constexpr char kNumberedTxnRow = 'N'; // seq u64 -> id: which transaction to forget
constexpr char kTxnRow = 'T';         // id -> seq u64
constexpr char kValueRow = 'V';       // key -> version u8, seq u64, value

std::string row_key(char kind, std::string_view name) {
  std::string key(1, kind);
  return key.append(name);
}

}  // namespace

Result<std::unique_ptr<RocksRefDb>> RocksRefDb::open(RocksDatabase& database) {
  std::unique_ptr<RocksRefDb> refs(new RocksRefDb(database));
  PFS_TRY(refs->load());
  return refs;
}

Result<void> RocksRefDb::load() {
  PFS_TRY_ASSIGN(const auto newest, read(row_key(kSeqRow, {})));
  Seq written;
  if (newest) {
    PFS_TRY_ASSIGN(written, decode_seq(*newest));
  }

  Seq newest_event;
  const std::unique_ptr<rocksdb::Iterator> event(
      database_.db().NewIterator(rocksdb::ReadOptions(), database_.family(RocksFamily::kEvent)));
  event->SeekToLast();
  if (event->Valid()) {
    PFS_TRY_ASSIGN(const auto decoded, decode_event(event->key().ToStringView(), event->value().ToStringView()));
    newest_event = decoded.seq;
  } else if (!event->status().ok()) {
    return error_from_rocks(event->status(), "events");
  }

  Lock lock(mutex_);
  written_ = written;
  durable_ = written;  // what the log held is durable once the database is open
  durable_event_ = newest_event;
  return {};
}

Result<std::optional<std::string>> RocksRefDb::read(std::string_view row_key) const {
  std::string row;
  const auto status =
      database_.db().Get(rocksdb::ReadOptions(), database_.family(RocksFamily::kRef), slice(row_key), &row);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return error_from_rocks(status, fmt::format("ref {}", row_key));
  return std::optional(std::move(row));
}

Result<std::optional<RefValue>> RocksRefDb::get(std::string_view key) const {
  PFS_TRY_ASSIGN(const auto row, read(row_key(kValueRow, key)));
  if (!row) return std::optional<RefValue>();
  PFS_TRY_ASSIGN(auto value, decode_value(key, *row));
  return std::optional(std::move(value));
}

Result<void> RocksRefDb::scan(std::string_view prefix, std::string_view after,
                              const std::function<bool(std::string_view key, const RefValue&)>& visit) const {
  const auto range = KeyRange::of_prefix(row_key(kValueRow, prefix))
                         .after(after.empty() ? std::string() : row_key(kValueRow, after));
  const auto end = slice(range.end);
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &end;
  const std::unique_ptr<rocksdb::Iterator> row(
      database_.db().NewIterator(options, database_.family(RocksFamily::kRef)));
  for (row->Seek(slice(range.begin)); row->Valid(); row->Next()) {
    const auto key = row->key().ToStringView().substr(1);
    PFS_TRY_ASSIGN(const auto value, decode_value(key, row->value().ToStringView()));
    if (!visit(key, value)) return {};
  }
  if (!row->status().ok()) return error_from_rocks(row->status(), fmt::format("refs {}*", prefix));
  return {};
}

Result<Seq> RocksRefDb::commit(RefTxn txn) {
  PFS_TRY_ASSIGN(const auto seq, write_unsynced(txn));
  PFS_FAULT_POINT("refs.commit.written");
  PFS_TRY(database_.sync());
  PFS_FAULT_POINT("refs.commit.synced");

  Lock lock(mutex_);
  // The log is synced in its order, so all before this one are durable too.
  durable_ = std::max(durable_, seq);
  if (!txn.events.empty() && seq > durable_event_) {
    durable_event_ = seq;
    event_is_durable_.notify_all();
  }
  return seq;
}

Result<Seq> RocksRefDb::write_unsynced(const RefTxn& txn) {
  Lock lock(mutex_);
  PFS_TRY(check(txn));

  // Taken before the write: a number may be left out when the write fails, but is never used twice.
  written_ = Seq(written_.value() + 1);
  const Seq seq = written_;
  auto* const refs = database_.family(RocksFamily::kRef);
  rocksdb::WriteBatch batch;
  batch.Put(refs, row_key(kSeqRow, {}), encode_seq(seq));
  for (const auto& key : txn.erase) batch.Delete(refs, row_key(kValueRow, key));
  for (const auto& put : txn.put) {
    batch.Put(refs, row_key(kValueRow, put.key), encode_value(seq, put.value));
  }
  for (std::size_t number = 0; number < txn.events.size(); ++number) {
    batch.Put(database_.family(RocksFamily::kEvent), event_key(seq, number), encode_event(txn.events[number]));
  }
  PFS_TRY(remember(txn, seq, batch));
  PFS_TRY(database_.write(batch));
  return seq;
}

Result<void> RocksRefDb::check(const RefTxn& txn) const {
  if (!txn.id.empty()) {
    PFS_TRY_ASSIGN(const auto done, read(row_key(kTxnRow, txn.id)));
    if (done) return Error{Code::kExists, fmt::format("transaction {}: carried out before", txn.id)};
  }
  for (const auto& expected : txn.expect) {
    PFS_TRY_ASSIGN(const auto found, get(expected.key));
    const auto version = found ? std::optional(found->version) : std::nullopt;
    if (version != expected.version) {
      return Error{Code::kConflict, fmt::format("ref {}: changed by somebody else", expected.key)};
    }
  }
  return {};
}

Result<void> RocksRefDb::remember(const RefTxn& txn, Seq seq, rocksdb::WriteBatch& batch) const {
  auto* const refs = database_.family(RocksFamily::kRef);
  if (!txn.id.empty()) {
    batch.Put(refs, row_key(kTxnRow, txn.id), encode_seq(seq));
    batch.Put(refs, row_key(kNumberedTxnRow, encode_seq(seq)), txn.id);
  }
  // One in, one out, each by its key: never a scan over the tombstones that this leaves.
  if (seq.value() <= kTransactionsKept) return {};
  const auto numbered = row_key(kNumberedTxnRow, encode_seq(Seq(seq.value() - kTransactionsKept)));
  PFS_TRY_ASSIGN(const auto forgotten, read(numbered));
  if (forgotten) {
    batch.Delete(refs, row_key(kTxnRow, *forgotten));
    batch.Delete(refs, numbered);
  }
  return {};
}

Result<std::optional<Seq>> RocksRefDb::was_committed(std::string_view txn_id) const {
  PFS_TRY_ASSIGN(const auto row, read(row_key(kTxnRow, txn_id)));
  if (!row) return std::optional<Seq>();
  PFS_TRY_ASSIGN(const auto seq, decode_seq(*row));
  // It may be written and not yet synced by the one who commits it; the answer is a promise.
  PFS_TRY(database_.sync());
  return std::optional(seq);
}

Result<std::vector<RefEvent>> RocksRefDb::events(Seq after, std::size_t limit, std::chrono::milliseconds wait) const {
  Seq last;
  {
    Lock lock(mutex_);
    const auto deadline = std::chrono::steady_clock::now() + wait;
    while (durable_event_ <= after) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      if (left.count() <= 0) return std::vector<RefEvent>();
      event_is_durable_.wait_for(mutex_, left);
    }
    last = durable_;
  }
  return read_events(after, last, limit);
}

Result<std::vector<RefEvent>> RocksRefDb::read_events(Seq after, Seq last, std::size_t limit) const {
  const auto begin = event_key(Seq(after.value() + 1), 0);
  const auto end = event_key(Seq(last.value() + 1), 0);
  const auto bound = slice(end);
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &bound;
  const std::unique_ptr<rocksdb::Iterator> row(
      database_.db().NewIterator(options, database_.family(RocksFamily::kEvent)));

  std::vector<RefEvent> found;
  std::size_t whole = 0;  // events of transactions that are in `found` to their end
  for (row->Seek(slice(begin)); row->Valid(); row->Next()) {
    PFS_TRY_ASSIGN(auto event, decode_event(row->key().ToStringView(), row->value().ToStringView()));
    if (!found.empty() && found.back().seq != event.seq) {
      whole = found.size();
      if (whole >= limit) return found;
    }
    // A reader goes on after the Seq that it saw last, so a transaction's events are never torn apart: one that
    // does not fit waits for the next call, except that the first comes whole whatever the limit.
    if (found.size() >= limit && whole > 0) {
      found.resize(whole);
      return found;
    }
    found.push_back(std::move(event));
  }
  if (!row->status().ok()) return error_from_rocks(row->status(), "events");
  return found;
}

}  // namespace pfs::store
