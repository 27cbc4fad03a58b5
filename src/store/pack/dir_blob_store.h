#pragma once

#include <memory>
#include <string>

#include "store/blob_store.h"

namespace pfs::store {

/// Blobs as files `<directory>/<first byte>/<name>`, in hex: 256 sub-directories, so that none grows without limit.
///
/// Thread-safe; it holds no state but the path.
class DirBlobStore final : public BlobStore {
 public:
  /// Makes the directory and its sub-directories where they are missing, durably. Errors: by errno.
  static Result<std::unique_ptr<DirBlobStore>> open(const std::string& directory);

  /// `path` must be on the file system of the directory (kCrossDevice otherwise). The blob is made read-only.
  Result<void> put(const BlobName& name, const std::string& path) override;
  Result<std::size_t> get(const BlobName& name, std::uint64_t offset, std::span<std::byte> out) const override;
  /// Files with other names are passed over: they are nobody's blobs.
  Result<void> list(const BlobName& after, const std::function<bool(const BlobName&)>& visit) const override;
  /// Not synced: a blob that a power cut brings back is garbage, as it was before.
  Result<void> remove(const BlobName& name) override;

 private:
  explicit DirBlobStore(std::string directory) : directory_(std::move(directory)) {}

  std::string directory_of(std::uint8_t first_byte) const;
  std::string path_of(const BlobName& name) const;
  /// The names in one sub-directory, sorted.
  Result<std::vector<BlobName>> names_in(std::uint8_t first_byte) const;

  std::string directory_;
};

}  // namespace pfs::store
