#pragma once

#include <functional>
#include <vector>

#include "store/pack/object_writer.h"
#include "store/pack/owner.h"
#include "store/tree/tree_store.h"

namespace pfs::store {

/// Makes a new version of a directory's search tree.
///
/// `changes` are sorted by name, one a name. Only the nodes on the paths to what changed are read and made; the result
/// is the same whatever the history: equal entries give equal roots. New nodes go to `writer`, and can be read once it
/// has been flushed. `directory` groups its nodes for the packer.
/// Source: docs/format.md "Directories".
Result<Subtree> edit_tree(const TreeStore& trees, ObjectWriter& writer, const Digest& root,
                          const std::vector<EntryChange>& changes, Owner directory = 0);

/// The same with changes that are told one after the other, nullopt at the end: a directory of any size is made in bounded
/// memory. What `next` stores on the way may go to the same writer.
using NextChange = std::function<Result<std::optional<EntryChange>>()>;
Result<Subtree> edit_tree(const TreeStore& trees, ObjectWriter& writer, const Digest& root, const NextChange& next,
                          Owner directory = 0);

}  // namespace pfs::store
