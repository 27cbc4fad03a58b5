#include "fs/listing.h"

#include <algorithm>
#include <utility>

namespace pfs::fs {

namespace {

constexpr std::uint64_t kDots = 2;
// the kernel asks again for the part of a page that its caller had no room for, never for more
constexpr std::size_t kPagesKept = 2;

}  // namespace

Result<std::vector<Listing::Name>> Listing::read(std::uint64_t offset, std::size_t limit) {
  if (offset == 0) {
    Lock lock(mutex_);
    pages_.clear();
  }
  std::vector<Name> names;
  if (offset == 0 && limit > 0) names.push_back({".", store::Kind::kDirectory, 0, 1});
  if (offset <= 1 && names.size() < limit) names.push_back({"..", store::Kind::kDirectory, 0, kDots});
  if (names.size() >= limit) return names;

  const std::uint64_t first = std::max(offset, kDots);
  Place place = place_of(first);
  std::vector<Name> found;
  const std::size_t room = limit - names.size();
  PFS_TRY(source_(place.after, [&](std::string_view name, store::Kind kind, std::uint64_t link_id) {
    if (place.skip > 0) {
      --place.skip;
      return true;
    }
    found.push_back({std::string(name), kind, link_id, first + found.size() + 1});
    return found.size() < room;
  }));
  remember(first, found);
  std::move(found.begin(), found.end(), std::back_inserter(names));
  return names;
}

Listing::Place Listing::place_of(std::uint64_t offset) const {
  if (offset == kDots) return {};
  Lock lock(mutex_);
  for (const Page& page : pages_) {
    const std::uint64_t last = offset - 1;
    if (last >= page.first_offset && last < page.first_offset + page.names.size()) {
      return {page.names[static_cast<std::size_t>(last - page.first_offset)], 0};
    }
  }
  return {{}, offset - kDots};
}

void Listing::remember(std::uint64_t offset, const std::vector<Name>& names) {
  if (names.empty()) return;
  Page page{offset, {}};
  page.names.reserve(names.size());
  for (const auto& name : names) page.names.push_back(name.name);
  Lock lock(mutex_);
  pages_.push_back(std::move(page));
  if (pages_.size() > kPagesKept) pages_.pop_front();
}

}  // namespace pfs::fs
