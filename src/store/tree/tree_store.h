#pragma once

#include <list>
#include <memory>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/sync.h"
#include "store/pack/objects.h"
#include "store/tree/node.h"
#include "store/tree_reader.h"

namespace pfs::store {

/// A node as it is kept in memory; shared, because it is immutable.
struct LoadedNode {
  std::variant<LeafNode, InnerNode> node;
  std::size_t cost = 0;  ///< bytes, for the cache's bound

  const LeafNode* leaf() const { return std::get_if<LeafNode>(&node); }
  const InnerNode* inner() const { return std::get_if<InnerNode>(&node); }
  unsigned level() const { return leaf() != nullptr ? 0 : inner()->level; }
};
using NodeRef = std::shared_ptr<const LoadedNode>;

/// Reads directories' nodes through a cache.
///
/// Thread-safe.
class TreeStore final : public TreeReader {
 public:
  explicit TreeStore(const Objects& objects) : objects_(objects) {}

  /// Errors: kCorrupt (missing, or not what its digest says), kIo.
  Result<NodeRef> load(const Digest& digest) const;

  Result<std::optional<Entry>> find(const Digest& root, std::string_view name) const override;
  Result<void> scan(const Digest& root, std::string_view after,
                    const std::function<bool(const Entry&)>& visit) const override;
  Result<std::optional<Entry>> find_path(const Digest& root, const RepoPath& path) const override;
  Result<void> diff(const Digest& old_root, const Digest& new_root, const DiffVisit& visit) const override;
  Result<void> diff(const Digest& old_root, const Digest& new_root, const DiffOptions& options,
                    const std::function<bool(const Difference&)>& visit) const override;

  /// The one-level diff() of what is left of the two directories without entries that neither are names of hard links nor
  /// have any below them: what has none costs nothing.
  Result<void> diff_links(const Digest& old_root, const Digest& new_root, const DiffVisit& visit) const;

 private:
  Result<void> diff_entries(const Digest& old_root, const Digest& new_root, bool linked_only, const DiffVisit& visit) const;
  Result<bool> diff_below(const Digest& old_root, const Digest& new_root, const std::string& prefix, bool recursive,
                          const std::function<bool(const Difference&)>& visit) const;
  Result<bool> scan_node(const Digest& digest, std::string_view after, const std::function<bool(const Entry&)>& visit) const;

  static constexpr std::size_t kCacheBytes = std::size_t{24} << 20U;
  struct Cached {
    Digest digest;
    NodeRef node;
  };

  const Objects& objects_;
  mutable Mutex mutex_{LockRank::kLeaf};
  mutable std::list<Cached> recent_ PFS_GUARDED_BY(mutex_);
  mutable std::unordered_map<Digest, std::list<Cached>::iterator> by_digest_ PFS_GUARDED_BY(mutex_);
  mutable std::size_t cached_bytes_ PFS_GUARDED_BY(mutex_) = 0;
};

}  // namespace pfs::store
