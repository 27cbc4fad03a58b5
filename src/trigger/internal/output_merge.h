#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "store/live_trees.h"
#include "store/tree_reader.h"

namespace pfs::trigger {

/// The union of what datums have put out, built in a tree of its own. Names that only one datum has are taken over by
/// reference, whole directories too; files of the same path are joined end to end in the order of add().
///
/// Used by one thread. Source: Pachyderm 1.13 "Merging".
class OutputMerge {
 public:
  static Result<OutputMerge> begin(store::LiveTrees& trees, const store::TreeReader& reader);

  /// Adds a datum's output. Errors: kInvalid (a path that is a file in one output and a directory in another, or two
  /// different links; names it), kCorrupt, kIo.
  Result<void> add(const store::Subtree& output);
  Result<store::Subtree> finish();

 private:
  OutputMerge(store::LiveTrees& trees, const store::TreeReader& reader) : trees_(&trees), reader_(&reader) {}
  Result<void> add_directory(const store::NodePtr& target, const store::Subtree& source, const std::string& path);
  Result<void> add_entry(const store::NodePtr& target, const store::Entry& source, const std::string& path);
  Result<void> append(const store::NodePtr& target, const store::Entry& source);

  store::LiveTrees* trees_;
  const store::TreeReader* reader_;
  store::TreePtr tree_;
  store::NodePtr merged_;  ///< a directory of the tree: the union so far
};

}  // namespace pfs::trigger
