#include "store/pack/dir_blob_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <vector>

#include <boost/filesystem.hpp>
#include <fmt/format.h>

#include "base/fault.h"

namespace pfs::store {

namespace fs = boost::filesystem;

Result<std::unique_ptr<DirBlobStore>> DirBlobStore::open(const std::string& directory) {
  std::unique_ptr<DirBlobStore> store(new DirBlobStore(directory));
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return error_from_errno(errno, "make directory " + directory);
  }
  bool made = false;
  for (unsigned first_byte = 0; first_byte < 256; ++first_byte) {
    const auto path = store->directory_of(static_cast<std::uint8_t>(first_byte));
    if (::mkdir(path.c_str(), 0700) == 0) {
      made = true;
    } else if (errno != EEXIST) {
      return error_from_errno(errno, "make directory " + path);
    }
  }
  if (made) PFS_TRY(sync_directory(directory));
  return store;
}

std::string DirBlobStore::directory_of(std::uint8_t first_byte) const {
  return fmt::format("{}/{:02x}", directory_, first_byte);
}

std::string DirBlobStore::path_of(const BlobName& name) const {
  return fmt::format("{}/{}", directory_of(name.array().front()), name.hex());
}

Result<void> DirBlobStore::put(const BlobName& name, const std::string& path) {
  {
    PFS_TRY_ASSIGN(const auto file, File::open(path, O_RDONLY));
    if (::fchmod(file.fd(), 0400) != 0) return error_from_errno(errno, "chmod " + path);
    PFS_TRY(file.sync());
  }
  PFS_FAULT_POINT("blob.put.synced");
  // Also when the name is there: the same bytes replace each other, and whoever made it may not have synced yet.
  const auto target = path_of(name);
  if (::rename(path.c_str(), target.c_str()) != 0) {
    return error_from_errno(errno, fmt::format("rename {} to {}", path, target));
  }
  PFS_FAULT_POINT("blob.put.renamed");
  return sync_directory(directory_of(name.array().front()));
}

Result<std::size_t> DirBlobStore::get(const BlobName& name, std::uint64_t offset, std::span<std::byte> out) const {
  auto file = File::open(path_of(name), O_RDONLY);
  if (!file) return std::move(file).error().within("blob");
  PFS_TRY_ASSIGN(const auto size, file->size());
  if (offset > size) {
    return Error{Code::kInvalid, fmt::format("blob {}: a read at {} of {} bytes", name.hex(), offset, size)};
  }
  return file->read_at(offset, out);
}

Result<std::vector<BlobName>> DirBlobStore::names_in(std::uint8_t first_byte) const {
  const auto path = directory_of(first_byte);
  std::vector<BlobName> names;
  boost::system::error_code failure;
  for (fs::directory_iterator entry(path, failure), end; !failure && entry != end; entry.increment(failure)) {
    if (auto name = BlobName::from_hex(entry->path().filename().string())) names.push_back(*name);
  }
  if (failure) return error_from_errno(failure.value(), "list " + path);
  std::sort(names.begin(), names.end());
  return names;
}

Result<void> DirBlobStore::list(const BlobName& after, const std::function<bool(const BlobName&)>& visit) const {
  for (unsigned first_byte = after.array().front(); first_byte < 256; ++first_byte) {
    PFS_TRY_ASSIGN(const auto names, names_in(static_cast<std::uint8_t>(first_byte)));
    for (const auto& name : names) {
      if (name > after && !visit(name)) return {};
    }
  }
  return {};
}

Result<void> DirBlobStore::remove(const BlobName& name) {
  const auto path = path_of(name);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return error_from_errno(errno, "remove " + path);
  return {};
}

}  // namespace pfs::store
