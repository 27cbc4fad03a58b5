#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "store/refs/records.h"

namespace pfs::store {

/// A transaction on its way: reads see its own writes, and what was read must not change before it commits.
///
/// Not thread-safe. Of no effect until take() is given to RefDb::commit().
class RefEdit {
 public:
  explicit RefEdit(const RefDb& refs) : refs_(refs) {}

  Result<std::optional<std::string>> get(const std::string& key);
  ReadRef reader() {
    return [this](const std::string& key) { return get(key); };
  }
  /// The rows that begin with `prefix` as they are after the transaction, in no order, until the callback returns false. They are
  /// not read in the sense of get(): somebody may change them, and add others, before it commits.
  Result<void> scan(std::string_view prefix, const std::function<bool(std::string_view key, std::string_view value)>& visit) const;
  void put(std::string key, std::string value);
  void erase(std::string key);
  void event(std::string kind, std::string key, std::string value);
  /// The transaction; `id` names it.
  RefTxn take(std::string id) &&;

 private:
  const RefDb& refs_;
  std::map<std::string, std::optional<RefValue>> read_;
  std::map<std::string, std::optional<std::string>, std::less<>> written_;  // nullopt: erased
  std::vector<RefEvent> events_;
};

}  // namespace pfs::store
