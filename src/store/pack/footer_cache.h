#pragma once

#include <list>
#include <memory>
#include <optional>
#include <unordered_set>
#include <vector>

#include "base/sync.h"
#include "store/pack/pack_set.h"

namespace pfs::store {

/// Footers of the sealed packs in which objects were found of late. Files are stored chunk after chunk, so where one chunk
/// was found its neighbours are: they are found here and not by a read of the index each.
///
/// Thread-safe. What it finds is durable and has its index row (PackSet::footer()).
class FooterCache {
 public:
  static constexpr std::size_t kBytes = std::size_t{32} << 20U;  ///< of all footers together
  static constexpr std::size_t kSearched = 4;                    ///< the packs hit last; a search in all would cost more than the index

  explicit FooterCache(const PackSet& packs) : packs_(packs) {}

  std::optional<Location> find(const ObjectId& id) PFS_EXCLUDES(mutex_);
  /// An object was found in that pack by the index: its footer is loaded. Nothing happens for a pack that is open.
  Result<void> hit(PackNumber pack) PFS_EXCLUDES(mutex_);
  /// The pack's objects are not to be relied upon any more.
  void forget(PackNumber pack) PFS_EXCLUDES(mutex_);
  /// The same for good: the index names less than the footer does.
  void distrust(PackNumber pack) PFS_EXCLUDES(mutex_);

 private:
  void forget_locked(PackNumber pack) PFS_REQUIRES(mutex_);

  struct Footer {
    PackNumber pack;
    std::shared_ptr<const std::vector<FooterEntry>> entries;  // sorted by digest and kind
    std::size_t bytes() const { return entries->size() * sizeof(FooterEntry); }
  };
  const PackSet& packs_;
  Mutex mutex_{LockRank::kLeaf};
  std::list<Footer> footers_ PFS_GUARDED_BY(mutex_);  // hit last first
  std::size_t bytes_ PFS_GUARDED_BY(mutex_) = 0;
  std::unordered_set<PackNumber> distrusted_ PFS_GUARDED_BY(mutex_);
};

}  // namespace pfs::store
