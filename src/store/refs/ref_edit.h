#pragma once

#include <map>
#include <optional>
#include <string>

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
  void put(std::string key, std::string value);
  void erase(std::string key);
  void event(std::string kind, std::string key, std::string value);
  /// The transaction; `id` names it.
  RefTxn take(std::string id) &&;

 private:
  const RefDb& refs_;
  std::map<std::string, std::optional<RefValue>> read_;
  std::map<std::string, std::optional<std::string>> written_;  // nullopt: erased
  std::vector<RefEvent> events_;
};

}  // namespace pfs::store
