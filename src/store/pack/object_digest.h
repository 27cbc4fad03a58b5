#pragma once

#include <string_view>

#include "store/pack/pack_format.h"

namespace pfs::store {

/// Proves by SHA-256 that `bytes` are the object that `id` names.
/// Errors: kCorrupt, naming the object; kUnsupported for kinds that this version does not write.
/// Source: docs/format.md "Digests".
Result<void> prove_object(const ObjectId& id, std::string_view bytes);

}  // namespace pfs::store
