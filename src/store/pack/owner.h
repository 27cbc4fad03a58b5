#pragma once

#include <cstdint>
#include <string_view>

namespace pfs::store {

/// What an object belongs to, so that the packer lays objects side by side that are alike: a directory in the high 32 bits,
/// a part of it (a file, or the stretch of names that one node holds) in the low ones. Hashes of names, so that the same
/// place has the same owner in every commit and on every branch; a collision costs compression and nothing else.
using Owner = std::uint64_t;

/// The directory at the top: `name` is the repo's, or empty for trees without one.
Owner owner_of_root(std::string_view name);
/// The directory `name` in a directory.
Owner owner_below(Owner directory, std::string_view name);
/// A part of a directory. Levels: 0 a file's content, 1 and up the nodes of its tree from the leaves on.
Owner owner_of_part(Owner directory, unsigned level, std::string_view name);

}  // namespace pfs::store
