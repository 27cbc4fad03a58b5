#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace pfs::store {

/// The keys from `begin` up to, without, `end`, in the order of their bytes.
struct KeyRange {
  std::string begin;
  std::string end;  ///< empty: no end

  /// Every key that begins with `prefix`.
  static KeyRange of_prefix(std::string_view prefix) {
    KeyRange range{std::string(prefix), std::string(prefix)};
    // the least string above all of them: the last byte that can be raised, raised
    while (!range.end.empty() && range.end.back() == '\xff') range.end.pop_back();
    if (!range.end.empty()) range.end.back() = static_cast<char>(static_cast<unsigned char>(range.end.back()) + 1);
    return range;
  }

  /// The same without what is not behind `key`; all of it when `key` is empty.
  KeyRange after(std::string_view key) && {
    if (!key.empty()) begin = std::max(begin, std::string(key) + '\0');
    return std::move(*this);
  }
};

}  // namespace pfs::store
