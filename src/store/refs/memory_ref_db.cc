#include "store/refs/memory_ref_db.h"

#include <fmt/format.h>

#include "store/refs/key_range.h"

namespace pfs::store {

Result<std::optional<RefValue>> MemoryRefDb::get(std::string_view key) const {
  Lock lock(mutex_);
  const auto row = rows_.find(key);
  return row == rows_.end() ? std::optional<RefValue>() : std::optional(row->second);
}

Result<void> MemoryRefDb::scan(std::string_view prefix, std::string_view after,
                               const std::function<bool(std::string_view key, const RefValue&)>& visit) const {
  Rows snapshot;  // visited without the lock: the callback may call us
  {
    Lock lock(mutex_);
    const auto range = KeyRange::of_prefix(prefix).after(after);
    const auto end = range.end.empty() ? rows_.end() : rows_.lower_bound(range.end);
    // `after` may lie behind the whole prefix
    if (range.end.empty() || range.begin < range.end) snapshot.insert(rows_.lower_bound(range.begin), end);
  }
  for (const auto& [key, value] : snapshot) {
    if (!visit(key, value)) break;
  }
  return {};
}

Result<void> MemoryRefDb::check_locked(const RefTxn& txn) const {
  if (transactions_.contains(txn.id)) {
    return Error{Code::kExists, fmt::format("transaction {}: carried out before", txn.id)};
  }
  for (const auto& expected : txn.expect) {
    const auto row = rows_.find(expected.key);
    const auto version = row == rows_.end() ? std::nullopt : std::optional(row->second.version);
    if (version != expected.version) {
      return Error{Code::kConflict, fmt::format("ref {}: changed by somebody else", expected.key)};
    }
  }
  return {};
}

Result<Seq> MemoryRefDb::commit(RefTxn txn) {
  Lock lock(mutex_);
  PFS_TRY(check_locked(txn));
  newest_ = Seq(newest_.value() + 1);
  for (const auto& key : txn.erase) rows_.erase(key);
  for (auto& put : txn.put) rows_.insert_or_assign(std::move(put.key), RefValue{std::move(put.value), newest_});
  if (!txn.id.empty()) transactions_.emplace(std::move(txn.id), newest_);
  if (!txn.events.empty()) {
    for (auto& event : txn.events) event.seq = newest_;
    events_.emplace(newest_, std::move(txn.events));
    event_is_there_.notify_all();
  }
  return newest_;
}

Result<std::optional<Seq>> MemoryRefDb::was_committed(std::string_view txn_id) const {
  Lock lock(mutex_);
  const auto found = transactions_.find(txn_id);
  return found == transactions_.end() ? std::optional<Seq>() : std::optional(found->second);
}

Result<std::vector<RefEvent>> MemoryRefDb::events(Seq after, std::size_t limit, std::chrono::milliseconds wait) const {
  Lock lock(mutex_);
  const auto deadline = std::chrono::steady_clock::now() + wait;
  while (events_.upper_bound(after) == events_.end()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return std::vector<RefEvent>();
    event_is_there_.wait_for(mutex_, left);
  }
  // whole transactions: a reader goes on after the Seq that it saw last
  std::vector<RefEvent> found;
  for (auto txn = events_.upper_bound(after); txn != events_.end(); ++txn) {
    if (!found.empty() && found.size() + txn->second.size() > limit) break;
    found.insert(found.end(), txn->second.begin(), txn->second.end());
  }
  return found;
}

}  // namespace pfs::store
