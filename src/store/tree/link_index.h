#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "store/pack/object_writer.h"
#include "store/tree/tree_store.h"

namespace pfs::store {

// The side tree of a commit: which names each hard link has. It is a directory's search tree whose names are the link id (8
// bytes, big endian) and the path from the commit's root, and whose entries are empty files; a function of the commit's tree.
// Source: docs/format.md "Hard links".

/// The paths of a link, in the order of their bytes, without a leading slash. `links` is the side tree's root.
Result<std::vector<std::string>> link_paths(const TreeStore& trees, const Digest& links, std::uint64_t link_id);

/// How many names the link has.
Result<std::uint32_t> link_count(const TreeStore& trees, const Digest& links, std::uint64_t link_id);

/// The side tree of `after`, given that of `before`: the cost follows the linked names that differ. Both trees must be
/// readable (what made them was flushed); the new side tree is readable once `writer` has been flushed.
Result<Digest> update_links(const TreeStore& trees, ObjectWriter& writer, const Digest& links, const Subtree& before,
                            const Subtree& after);

}  // namespace pfs::store
