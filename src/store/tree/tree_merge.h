#pragma once

#include <string>
#include <vector>

#include "store/pack/object_writer.h"
#include "store/tree/tree_store.h"

namespace pfs::store {

/// A tree with the side tree of its hard links: what a commit has.
struct LinkedTree {
  Subtree root = empty_subtree();
  Digest links = empty_subtree().root;  ///< see link_index.h
};

/// What became of a difference that was applied to a third tree.
struct Merged {
  LinkedTree tree;  ///< `ours` when there are conflicts
  /// Paths (without a leading slash, in order) that both sides changed, and not to the same.
  std::vector<std::string> conflicts;
};

/// Applies what changed from `base` to `theirs` to the tree `ours`.
///
/// By reference: the cost follows the difference, never the trees. Entries are compared whole. Both sides may have made the
/// same change of a name; a directory that both changed is merged name by name, its mode, owner and extended attributes each by
/// the same rule, its times being the later ones; ctime alone is never a conflict. A hard link whose names would not agree
/// in the result is one, at each of them. With conflicts nothing is applied.
/// The new nodes go to `writer` and are flushed with it. Errors: kCorrupt, kIo, kNoSpace.
Result<Merged> merge_trees(const TreeStore& trees, ObjectWriter& writer, const Subtree& base, const LinkedTree& ours,
                           const Subtree& theirs);

}  // namespace pfs::store
