#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/types.h"

namespace pfs::store {

/// A node of the tree that a big file's list of chunks is. Source: docs/format.md "Lists".
struct ListNode {
  struct Item {
    Digest digest;
    std::uint64_t length = 0;  ///< of one chunk, or of everything below an inner node's item
    std::uint64_t repeat = 1;  ///< of an inner node's item: once

    std::uint64_t bytes() const { return length * repeat; }
    bool operator==(const Item&) const = default;
  };

  static constexpr std::size_t kMinItems = 16;
  static constexpr std::size_t kMaxItems = 256;

  unsigned level = 0;
  std::vector<Item> items;

  std::string encode() const;
  /// Errors: kCorrupt.
  static Result<ListNode> decode(std::string_view bytes);
  /// What names a node with these bytes.
  static Digest digest_of(std::string_view encoded);
};

}  // namespace pfs::store
