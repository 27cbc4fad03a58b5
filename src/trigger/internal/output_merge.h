#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "store/live_trees.h"
#include "store/tree_reader.h"
#include "trigger/internal/same_path.h"

namespace pfs::trigger {

/// The union of what datums have put out, built in a tree of its own. Names that only one datum has are taken over by
/// reference, whole directories too; files of the same path are joined end to end in the order of add(),
/// or refused. A file that is joined has that name alone, whatever hard links it had.
///
/// Used by one thread. Source: Pachyderm 1.13 "Merging".
class OutputMerge {
 public:
  static Result<OutputMerge> begin(store::LiveTrees& trees, const store::TreeReader& reader, SamePath same_path);

  /// Adds a datum's output. Errors: kInvalid (a path that is a file in one output and a directory in another, or two
  /// different links, or, where that is refused, in two outputs at all; names it), kCorrupt, kIo.
  Result<void> add(const store::Subtree& output);
  /// Two outputs had a path in common that is no directory.
  bool overlapped() const { return overlapped_; }
  Result<store::Subtree> finish();

 private:
  OutputMerge(store::LiveTrees& trees, const store::TreeReader& reader, SamePath same_path)
      : trees_(&trees), reader_(&reader), same_path_(same_path) {}
  Result<void> add_directory(const store::NodePtr& target, const store::Subtree& source, const std::string& path);
  Result<void> add_entry(const store::NodePtr& target, const store::Entry& source, const std::string& path);
  /// The file at a name, which no other name leads to any more: a directory that was taken over may hold hard links, and what
  /// is joined at one path is not of the others.
  Result<store::NodePtr> own_file(const store::NodePtr& directory, const std::string& name, const store::NodePtr& file);
  Result<void> append(const store::NodePtr& target, const store::Entry& source);

  store::LiveTrees* trees_;
  const store::TreeReader* reader_;
  SamePath same_path_;
  bool overlapped_ = false;
  store::TreePtr tree_;
  store::NodePtr merged_;  ///< a directory of the tree: the union so far
};

}  // namespace pfs::trigger
