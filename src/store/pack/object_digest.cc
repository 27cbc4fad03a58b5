#include "store/pack/object_digest.h"

#include <fmt/format.h>

#include "store/chunk/sha256.h"

namespace pfs::store {

namespace {

// Empty: no tag. Nodes, lists, commits and snapshots of refs are named where they are made, with the same tags.
std::string_view tag_of(ObjectKind kind) {
  switch (kind) {
    case ObjectKind::kChunk: break;
    case ObjectKind::kNode: return "pfs.node.1";
    case ObjectKind::kList: return "pfs.list.1";
    case ObjectKind::kCommit: return "pfs.commit.1";
    case ObjectKind::kXattrs: return "pfs.xattrs.1";
    case ObjectKind::kRefs: return "pfs.refs.1";
  }
  return {};
}

}  // namespace

Result<void> prove_object(const ObjectId& id, std::string_view bytes) {
  const auto tag = tag_of(id.kind);
  if ((tag.empty() ? sha256(bytes) : sha256_tagged(tag, bytes)) != id.digest) {
    return Error{Code::kCorrupt, fmt::format("object {} of kind {}: its bytes have another digest", id.digest.hex(), static_cast<int>(id.kind))};
  }
  return {};
}

}  // namespace pfs::store
