#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "store/collect/digest_set.h"
#include "store/pack/objects.h"
#include "store/types.h"

namespace pfs::store {

/// Puts the names of all objects that roots lead to into a set. What is in it already is not looked into again, so trees that share
/// nodes cost their differences.
///
/// Errors of all: kCorrupt (an object is damaged or missing: what it led to is not known), kNoSpace, kIo. Memory follows the
/// depth of a tree, not its size. Not thread-safe.
class Marker {
 public:
  Marker(const Objects& objects, DigestSet& live) : objects_(objects), live_(live) {}

  /// A directory's tree, or a side tree.
  Result<void> mark_tree(const Digest& root);
  Result<void> mark_entry(const Entry& entry);
  Result<void> mark_content(const Content& content);
  Result<void> mark_xattrs(const Xattrs& kept);
  /// An object that leads to nothing.
  Result<void> mark_object(const ObjectId& id);

  std::uint64_t looked_at() const { return looked_at_; }

 private:
  /// What is still to be looked into, below the object that was looked at last: nodes and lists.
  Result<void> walk();
  Result<void> look_into(const ObjectId& id);
  Result<void> look_into_node(const ObjectId& id, std::string_view bytes);
  Result<void> look_into_list(std::string_view bytes);
  Result<void> wait(const ObjectId& id);

  const Objects& objects_;
  DigestSet& live_;
  std::vector<ObjectId> waiting_;
  std::uint64_t looked_at_ = 0;
};

}  // namespace pfs::store
