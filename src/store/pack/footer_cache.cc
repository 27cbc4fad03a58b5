#include "store/pack/footer_cache.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include <spdlog/spdlog.h>

namespace pfs::store {

std::optional<Location> FooterCache::find(const ObjectId& id) {
  Lock lock(mutex_);
  std::size_t searched = 0;
  for (auto it = footers_.begin(); it != footers_.end() && searched < kSearched; ++it, ++searched) {
    const auto& entries = *it->entries;
    const auto found = std::lower_bound(entries.begin(), entries.end(), id, [](const FooterEntry& entry, const ObjectId& wanted) {
      return std::tie(entry.id.digest, entry.id.kind) < std::tie(wanted.digest, wanted.kind);
    });
    if (found == entries.end() || found->id != id) continue;
    const Location location{it->pack, found->frame_offset, found->frame_length, found->inner, found->length};
    if (it != footers_.begin()) footers_.splice(footers_.begin(), footers_, it);
    return location;
  }
  return std::nullopt;
}

Result<void> FooterCache::hit(PackNumber pack) {
  const auto is_it = [pack](const Footer& footer) { return footer.pack == pack; };
  {
    Lock lock(mutex_);
    if (distrusted_.contains(pack)) return {};
    if (const auto known = std::find_if(footers_.begin(), footers_.end(), is_it); known != footers_.end()) {
      footers_.splice(footers_.begin(), footers_, known);
      return {};
    }
  }
  auto entries = packs_.footer(pack);
  // a repack has removed it since its number was read: the index names another one now
  if (!entries && entries.error().code == Code::kNotFound) return {};
  if (!entries && entries.error().code == Code::kCorrupt) {
    // the index has said where the object lies: without the footer others are only found more slowly
    spdlog::warn("{}; its objects are looked up one by one", entries.error().message);
    entries = std::optional(std::vector<FooterEntry>());  // remembered, so that this is said once
  }
  if (!entries) return std::move(entries).error();
  if (!*entries) return {};
  Footer footer{pack, std::make_shared<const std::vector<FooterEntry>>(std::move(**entries))};
  Lock lock(mutex_);
  if (distrusted_.contains(pack)) return {};
  if (std::find_if(footers_.begin(), footers_.end(), is_it) != footers_.end()) return {};  // another thread was faster
  bytes_ += footer.bytes();
  footers_.push_front(std::move(footer));
  while (bytes_ > kBytes && footers_.size() > 1) {
    bytes_ -= footers_.back().bytes();
    footers_.pop_back();
  }
  return {};
}

void FooterCache::forget(PackNumber pack) {
  Lock lock(mutex_);
  distrusted_.erase(pack);
  forget_locked(pack);
}

void FooterCache::distrust(PackNumber pack) {
  Lock lock(mutex_);
  distrusted_.insert(pack);
  forget_locked(pack);
}

void FooterCache::forget_locked(PackNumber pack) {
  for (auto it = footers_.begin(); it != footers_.end(); ++it) {
    if (it->pack != pack) continue;
    bytes_ -= it->bytes();
    footers_.erase(it);
    return;
  }
}

}  // namespace pfs::store
