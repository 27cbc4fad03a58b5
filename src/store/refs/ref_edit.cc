#include "store/refs/ref_edit.h"

namespace pfs::store {

Result<std::optional<std::string>> RefEdit::get(const std::string& key) {
  if (const auto written = written_.find(key); written != written_.end()) return written->second;
  auto read = read_.find(key);
  if (read == read_.end()) {
    PFS_TRY_ASSIGN(auto value, refs_.get(key));
    read = read_.emplace(key, std::move(value)).first;
  }
  if (!read->second) return std::optional<std::string>();
  return std::optional(read->second->value);
}

Result<void> RefEdit::scan(std::string_view prefix, const std::function<bool(std::string_view key, std::string_view value)>& visit) const {
  bool more = true;
  PFS_TRY(refs_.scan(prefix, "", [&](std::string_view key, const RefValue& row) {
    if (!written_.contains(key)) more = visit(key, row.value);
    return more;
  }));
  for (auto own = written_.lower_bound(prefix); more && own != written_.end() && own->first.starts_with(prefix); ++own) {
    if (own->second) more = visit(own->first, *own->second);
  }
  return {};
}

void RefEdit::put(std::string key, std::string value) { written_[std::move(key)] = std::move(value); }

void RefEdit::erase(std::string key) { written_[std::move(key)] = std::nullopt; }

void RefEdit::event(std::string kind, std::string key, std::string value) {
  events_.push_back({{}, std::move(kind), std::move(key), std::move(value)});
}

RefTxn RefEdit::take(std::string id) && {
  RefTxn txn;
  txn.id = std::move(id);
  for (auto& [key, value] : read_) txn.expect.push_back({key, value ? std::optional(value->version) : std::nullopt});
  for (auto& [key, value] : written_) {
    if (value) {
      txn.put.push_back({key, std::move(*value)});
    } else {
      txn.erase.push_back(key);
    }
  }
  txn.events = std::move(events_);
  return txn;
}

}  // namespace pfs::store
