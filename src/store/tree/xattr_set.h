#pragma once

#include <string>
#include <string_view>

#include "store/pack/object_writer.h"
#include "store/types.h"

namespace pfs::store {

// Extended attributes as entries and rows keep them: up to kMaxInlineXattrs bytes of names and values lie there; a bigger set
// is an object, and what is kept is one attribute without a name (no other can be) whose value is the object's digest.
// Source: docs/format.md "Extended attributes".

inline constexpr std::size_t kMaxInlineXattrs = 256;

/// The attributes themselves. Errors: kCorrupt, kIo.
Result<Xattrs> load_xattrs(const Objects& objects, const Xattrs& kept);

/// What is to be kept of `all`; a new object goes to `writer`.
/// Errors: kTooLarge (a value over 64 KiB: XATTR_SIZE_MAX), kNoSpace (names over 64 KiB: XATTR_LIST_MAX; 1 MiB in all).
/// Source: xattr(7), linux/limits.h.
Result<Xattrs> keep_xattrs(ObjectWriter& writer, const Xattrs& all);

/// The bytes of such an object, and what they hold. Errors: kCorrupt.
std::string encode_xattr_set(const Xattrs& all);
Result<Xattrs> decode_xattr_set(std::string_view bytes);

}  // namespace pfs::store
