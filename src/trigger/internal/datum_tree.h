#pragma once

#include <string>

#include "base/result.h"
#include "store/live_trees.h"
#include "trigger/internal/datums.h"

namespace pfs::trigger {

/// What a datum's container sees at /pfs: its inputs and an empty `out`. Private to the datum and thrown away with it.
struct DatumTree {
  store::TreePtr tree;
  store::NodePtr out;  ///< as it was made: the program may put another in its place
};

/// A tree with `/<input name>/<parents>/<entry>` for each file of the datum, the entry by reference (or, of an input with
/// `empty_files`, its names with empty files), and `/out`.
Result<DatumTree> make_datum_tree(store::LiveTrees& trees, const store::TreeReader& reader, const Datum& datum);

/// What a datum has put out.
struct DatumOutput {
  store::Subtree tree;
  bool has_empty_directories = false;  ///< a directory below it holds nothing, or may: what a link brings may be too much to look at
};

/// The content of the directory `/out` as a finished tree, after a symbolic link to something in an input has become that thing, by
/// reference. A link that leads out of the view, nowhere, or to `out` itself stays a link.
/// Errors: kInvalid (there is no such directory any more; a named pipe, socket or device, which no commit of an output holds; names it).
/// Source: docs/semantics.md S61; Pachyderm 1.13 "Symlinks".
Result<DatumOutput> collect_output(store::LiveTrees& trees, const store::TreeReader& reader, const Datum& datum,
                                   const DatumTree& view);

}  // namespace pfs::trigger
