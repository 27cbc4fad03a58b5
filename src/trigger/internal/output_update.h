#pragma once

#include <optional>
#include <vector>

#include "base/result.h"
#include "store/live_trees.h"
#include "store/tree_reader.h"

namespace pfs::trigger {

/// A merged output in which what some datums have put out is replaced, so that it costs those and not all of them.
///
/// `base` is the merge of outputs of which no two have a path in common that is no directory, and none an empty directory:
/// then a path that one of them has is that one's alone, and a directory is there as long as something is in it. nullopt where
/// that does not hold of what is taken out or put in: the outputs must be merged from the beginning then.
Result<std::optional<store::Subtree>> update_output(store::LiveTrees& trees, const store::TreeReader& reader,
                                                    const store::Subtree& base, const std::vector<store::Subtree>& removed,
                                                    const std::vector<store::Subtree>& added);

}  // namespace pfs::trigger
