#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/types.h"

namespace pfs::store {

/// Where a directory's search tree is cut into nodes: by hashes of names alone, so that the same names give the same
/// nodes whatever the history, and a chmod never moves a boundary. Source: docs/format.md "Directories".
struct NodeRule {
  static constexpr std::size_t kMin = 8;
  static constexpr std::size_t kTarget = 32;
  static constexpr std::size_t kMax = 128;

  /// XXH3-64 of a name, seeded with the level.
  static std::uint64_t hash(std::string_view name, unsigned level);
  /// Whether a node of `count` items may end after one whose hash this is.
  static bool ends(std::uint64_t hash, std::size_t count);
};

/// A node of level 0: entries in the order of their names' bytes.
struct LeafNode {
  std::vector<Entry> entries;

  std::string encode() const;
  static Result<LeafNode> decode(std::string_view bytes);
  /// SHA-256 over `pfs.node.1`, 0 and the encoded bytes.
  Digest digest() const;
  Digest data_digest() const;
  Totals totals() const;
};

/// What an inner node knows of a node below it.
struct ChildRef {
  std::string last_name;  ///< the greatest name below it
  Digest digest;
  Digest data_digest;
  Totals totals;

  bool operator==(const ChildRef&) const = default;
};

/// A node above the leaves.
struct InnerNode {
  unsigned level = 1;
  std::vector<ChildRef> children;

  std::string encode() const;
  static Result<InnerNode> decode(std::string_view bytes);
  Digest data_digest() const;
  Totals totals() const;
};

Digest node_digest(std::string_view encoded);
/// The level of an encoded node: 0 for leaves. Errors: kCorrupt.
Result<unsigned> node_level(std::string_view encoded);

/// What one entry adds to its directory's totals.
Totals totals_of(const Entry& entry);
Totals operator+(const Totals& a, const Totals& b);

}  // namespace pfs::store
