#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pfs::cli {

/// The word that was probably meant: the one of `known` that a few slips of the hand (a letter too
/// many, too few, another one, two swapped) turn into `typed`. Nullopt: none is near enough.
std::optional<std::string> near_miss(std::string_view typed, const std::vector<std::string>& known);

}  // namespace pfs::cli
