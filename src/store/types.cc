#include "store/types.h"

#include "base/codec.h"
#include "store/chunk/chunker.h"
#include "store/chunk/sha256.h"
#include "store/tree/node.h"

namespace pfs::store {

Digest Content::data_digest() const {
  switch (form) {
    case Form::kInline: return sha256(bytes);
    case Form::kChunk: return digest;
    case Form::kList:
      return sha256_tagged("pfs.file.1", Encoder().u8(Chunker::kVersion).raw(digest.bytes()).str());
  }
  return {};
}

Digest Entry::data_digest() const {
  switch (attributes.kind) {
    case Kind::kFile:
    case Kind::kSymlink: return content.data_digest();
    case Kind::kDirectory: return subtree.data_digest;
    case Kind::kBlockDevice:
    case Kind::kCharacterDevice: return sha256_tagged("pfs.device.1", Encoder().u64(attributes.rdev).str());
    case Kind::kFifo:
    case Kind::kSocket: return {};
  }
  return {};
}

const Subtree& empty_subtree() {
  static const Subtree empty = [] {
    const LeafNode leaf;
    return Subtree{leaf.digest(), leaf.data_digest(), {}};
  }();
  return empty;
}

}  // namespace pfs::store
