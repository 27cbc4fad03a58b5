#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/ids.h"
#include "base/result.h"

namespace pfs::store {

/// What names a blob by its content. Of a pack: docs/format.md "Packs".
using BlobName = Digest;

/// Immutable blobs by name: a directory on one machine, object storage beyond it.
///
/// Thread-safe. Implementations lock for themselves and call nobody while holding a lock.
class BlobStore {
 public:
  virtual ~BlobStore() = default;

  /// Stores the file at `path` under `name`, whole or not at all; durable when it returns. The file is taken:
  /// a directory renames it, object storage uploads it in parts and removes it.
  /// Shape: two files of one name have the same bytes (the caller sees to it); putting a name that is there
  /// already succeeds.
  /// Errors: kNoSpace, kIo, kUnavailable (worth another try).
  /// Source: docs/format.md "Packs".
  virtual Result<void> put(const BlobName& name, const std::string& path) = 0;

  /// Reads `out.size()` bytes from `offset` on, without verifying them (the caller has the digests).
  /// Units: bytes. Shape: returns how many were read, fewer than asked only at the end of the blob.
  /// Errors: kNotFound, kInvalid (`offset` past the end), kIo, kUnavailable.
  /// Source: pread(2), except that past the end is an error, as for a ranged GET (RFC 9110, 416).
  virtual Result<std::size_t> get(const BlobName& name, std::uint64_t offset, std::span<std::byte> out) const = 0;

  /// Every name after `after` (a zero name: from the first), in order; the callback returns false to stop.
  virtual Result<void> list(const BlobName& after, const std::function<bool(const BlobName&)>& visit) const = 0;

  /// Removing a name that is not there succeeds.
  virtual Result<void> remove(const BlobName& name) = 0;
};

}  // namespace pfs::store
