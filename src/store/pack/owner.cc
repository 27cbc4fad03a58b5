#include "store/pack/owner.h"

#include <xxhash.h>

namespace pfs::store {

namespace {

constexpr Owner kDirectory = ~Owner{0} << 32U;

Owner hash(std::string_view name, std::uint64_t seed) { return XXH3_64bits_withSeed(name.data(), name.size(), seed); }

}  // namespace

Owner owner_of_root(std::string_view name) { return hash(name, 0) & kDirectory; }
Owner owner_below(Owner directory, std::string_view name) { return hash(name, directory & kDirectory) & kDirectory; }
Owner owner_of_part(Owner directory, unsigned level, std::string_view name) {
  return (directory & kDirectory) | (hash(name, level) & ~kDirectory);
}

}  // namespace pfs::store
