#include "fs/ids.h"

#include <random>

#include <xxhash.h>

#include "base/codec.h"

namespace pfs::fs {

InodeNumber inode_number(InodeNumber parent, std::string_view name, std::uint64_t salt) {
  const auto seen = Encoder().u64(parent.value()).u64(salt).raw(name).str();
  const std::uint64_t number = XXH3_64bits(seen.data(), seen.size());
  // 0 is no number to readdir's callers, and 1 is the root's
  return InodeNumber(number < 2 ? number + 2 : number);
}

InodeNumber inode_number(InodeNumber root, std::uint64_t link_id, std::uint64_t salt) {
  // no name has a slash
  return inode_number(root, Encoder().u8('/').u64(link_id).str(), salt);
}

std::uint32_t random_generation() {
  thread_local std::mt19937 engine{std::random_device{}()};
  return std::uniform_int_distribution<std::uint32_t>(1)(engine);
}

}  // namespace pfs::fs
