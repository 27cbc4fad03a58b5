#pragma once

#include <string>

#include "base/result.h"
#include "store/live_trees.h"
#include "trigger/internal/datums.h"

namespace pfs::trigger {

/// What a datum's container sees at /pfs: its input and an empty `out`. Private to the datum and thrown away with it.
struct DatumTree {
  store::TreePtr tree;
  store::NodePtr out;
};

/// A tree with `/<input name>/<parents>/<entry>`, the entry by reference, and `/out`.
Result<DatumTree> make_datum_tree(store::LiveTrees& trees, const RepoName& input_name, const Datum& datum);

/// The content of `out` as a finished tree, after a symbolic link to something in an input has become that thing, by
/// reference. A link that leads out of the view, nowhere, or to `out` itself stays a link.
/// Errors: kInvalid (a named pipe, socket or device, which no commit of an output holds; names it).
/// Source: docs/semantics.md S61; Pachyderm 1.13 "Symlinks".
Result<store::Subtree> collect_output(store::LiveTrees& trees, const DatumTree& view);

}  // namespace pfs::trigger
