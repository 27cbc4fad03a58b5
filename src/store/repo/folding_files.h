#pragma once

#include <vector>

#include "store/repo/live_node.h"

namespace pfs::store {

/// From where files' rows are read until they are written anew, nobody may add a layer: the row that tells of it would be
/// written over. Holds the files' writers off until it ends; who has one holds DeltaTrees' mutex.
class FoldingFiles {
 public:
  FoldingFiles() = default;
  FoldingFiles(const FoldingFiles&) = delete;
  FoldingFiles& operator=(const FoldingFiles&) = delete;
  ~FoldingFiles() {
    for (const auto& file : files_) {
      Lock lock(file->mutex);
      file->folding = false;
    }
  }
  void add(const NodePtr& file) {
    if (!file) return;
    {
      Lock lock(file->mutex);
      file->folding = true;
    }
    files_.push_back(file);
  }

 private:
  std::vector<NodePtr> files_;
};

}  // namespace pfs::store
