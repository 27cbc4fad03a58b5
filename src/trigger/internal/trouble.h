#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace pfs::trigger {

/// What a reason says, without what differs each time it is given: the words that have a digit, such as a container's name or the
/// memory that was in use.
inline std::string gist_of(std::string_view reason) {
  std::string gist;
  while (!reason.empty()) {
    const auto end = std::min(reason.find(' '), reason.size());
    const auto word = reason.substr(0, end);
    if (word.find_first_of("0123456789") == std::string_view::npos) gist.append(word).push_back(' ');
    reason.remove_prefix(std::min(end + 1, reason.size()));
  }
  return gist;
}

}  // namespace pfs::trigger
