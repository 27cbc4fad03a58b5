#pragma once

#include <cstdio>
#include <map>
#include <string>

#include "base/sync.h"
#include "store/blob_store.h"

namespace pfs::test {

/// Blobs in memory.
///
/// Thread-safe.
class MemoryBlobStore final : public store::BlobStore {
 public:
  Result<void> put(const store::BlobName& name, const std::string& path) override PFS_EXCLUDES(mutex_) {
    PFS_TRY_ASSIGN(auto bytes, read_file(path));
    if (std::remove(path.c_str()) != 0) return Error{Code::kIo, "remove " + path};
    Lock lock(mutex_);
    blobs_.insert_or_assign(name, std::move(bytes));
    return {};
  }

  Result<std::size_t> get(const store::BlobName& name, std::uint64_t offset, std::span<std::byte> out) const override
      PFS_EXCLUDES(mutex_) {
    Lock lock(mutex_);
    const auto blob = blobs_.find(name);
    if (blob == blobs_.end()) return Error{Code::kNotFound, "blob " + name.hex()};
    const auto bytes = as_bytes(blob->second);
    if (offset > bytes.size()) return Error{Code::kInvalid, "blob " + name.hex() + ": a read past its end"};
    const auto rest = bytes.subspan(offset);
    const auto count = std::min(rest.size(), out.size());
    std::copy_n(rest.begin(), count, out.begin());
    return count;
  }

  Result<void> list(const store::BlobName& after, const std::function<bool(const store::BlobName&)>& visit) const override
      PFS_EXCLUDES(mutex_) {
    std::map<store::BlobName, std::string> snapshot;
    {
      Lock lock(mutex_);
      snapshot.insert(blobs_.upper_bound(after), blobs_.end());
    }
    for (const auto& [name, bytes] : snapshot) {
      if (!visit(name)) break;
    }
    return {};
  }

  Result<void> remove(const store::BlobName& name) override PFS_EXCLUDES(mutex_) {
    Lock lock(mutex_);
    blobs_.erase(name);
    return {};
  }

 private:
  mutable Mutex mutex_{LockRank::kLeaf};
  std::map<store::BlobName, std::string> blobs_ PFS_GUARDED_BY(mutex_);
};

}  // namespace pfs::test
