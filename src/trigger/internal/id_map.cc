#include "trigger/internal/id_map.h"

#include <sstream>
#include <string>

namespace pfs::trigger {

std::optional<IdMap> IdMap::parse(std::string_view text) {
  IdMap map;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    Range range{};
    std::string more;
    if (!(words >> range.within >> range.outside >> range.count) || words >> more) return std::nullopt;
    map.ranges_.push_back(range);
  }
  if (map.ranges_.empty()) return std::nullopt;
  return map;
}

std::optional<std::uint32_t> IdMap::outside(std::uint32_t within) const {
  for (const Range& range : ranges_) {
    if (within >= range.within && within - range.within < range.count) return range.outside + (within - range.within);
  }
  return std::nullopt;
}

}  // namespace pfs::trigger
