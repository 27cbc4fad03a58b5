#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pfs::store {

/// A glob as a regular expression for PCRE2, to be matched against a whole path (or component) as bytes.
struct TranslatedGlob {
  std::string regex;
  std::vector<std::uint32_t> captures;  ///< the numbers of the groups that are the pattern's own, in order
};

/// Errors: kInvalid (names the place).
Result<TranslatedGlob> translate_glob(std::string_view pattern);

/// One component of a pattern that can be matched against one component of a path.
struct GlobComponent {
  std::string pattern;
  bool literal = false;  ///< `pattern` is a plain name, its escapes removed
};

/// The components of a pattern (without its leading slash) up to the first that a match may cross: one with `**`, or
/// with a slash inside a group. `complete` says that there is none, so that a match has exactly these components.
struct GlobComponents {
  std::vector<GlobComponent> components;
  bool complete = true;
};
GlobComponents split_glob(std::string_view pattern);

}  // namespace pfs::store
