#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/sync.h"
#include "fs/inode.h"
#include "fs/listing.h"

namespace pfs::fs {

/// An open file or directory. Does not change after it was opened.
struct Handle {
  InodePtr inode;
  bool readable = false;
  bool writable = false;
  bool uncached = false;             ///< by a mount where nothing that can change is mapped shared
  std::string text;                  ///< of control files: what they said when they were opened
  std::unique_ptr<Listing> listing;  ///< of directories

  /// A writable handle of a file whose content lies in the store.
  bool writes_content() const { return writable && inode->is_stored(); }
};

/// shared: a request may still use a handle that is being released.
using HandlePtr = std::shared_ptr<const Handle>;

/// What is open. Thread-safe.
class HandleTable {
 public:
  HandleId add(Handle handle) PFS_EXCLUDES(mutex_);
  /// Errors: kStale (no such handle; the kernel never sends one).
  Result<HandlePtr> find(HandleId id) const PFS_EXCLUDES(mutex_);
  /// The handle, which is no longer in the table; nullptr when there is none.
  HandlePtr remove(HandleId id) PFS_EXCLUDES(mutex_);
  bool is_open(const Inode& inode) const PFS_EXCLUDES(mutex_);
  /// The nodes of files that are open for reading and writing: those that can be mapped shared and
  /// written.
  std::vector<InodePtr> mappable() const PFS_EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_{LockRank::kLeaf};
  std::uint64_t next_id_ PFS_GUARDED_BY(mutex_) = 1;
  std::unordered_map<HandleId, HandlePtr> handles_ PFS_GUARDED_BY(mutex_);
};

}  // namespace pfs::fs
