#include "cli/near_miss.h"

#include <algorithm>
#include <cstddef>

namespace pfs::cli {
namespace {

/// Source: Damerau and Levenshtein's distance, in the form of optimal string alignment.
std::size_t slips_between(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> above(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + changed});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(above);
    above.swap(row);
  }
  return above[b.size()];
}

}  // namespace

std::optional<std::string> near_miss(std::string_view typed,
                                     const std::vector<std::string>& known) {
  std::optional<std::string> nearest;
  auto fewest = std::max<std::size_t>(1, typed.size() / 3) + 1;
  for (const auto& word : known) {
    const auto slips = slips_between(typed, word);
    // a word of which nothing is left was not meant
    if (slips < fewest && slips < word.size()) {
      fewest = slips;
      nearest = word;
    }
  }
  return nearest;
}

}  // namespace pfs::cli
