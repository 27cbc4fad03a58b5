#pragma once

#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/shared_bytes.h"
#include "base/sync.h"
#include "store/local_db.h"
#include "store/pack/footer_cache.h"
#include "store/pack/hot_rows.h"
#include "store/pack/object_uses.h"
#include "store/pack/owner.h"
#include "store/pack/pack_set.h"
#include "store/pack/work_pool.h"

namespace pfs::store {

/// Content-addressed objects, wherever they are: `hot` rows of small commits, or packs through the index.
///
/// Thread-safe. Source: docs/format.md "Objects".
class Objects {
 public:
  Objects(LocalDb& local, PackSet& packs) : local_(local), packs_(packs), footers_(packs), hot_(packs.clock()) {
    for (const auto pack : packs.partial_packs()) footers_.distrust(pack);
  }

  /// The object's bytes; their owner is the frame they lie in. Frames are proved by their checksum, everything but chunks by SHA-256 too (by the caller that
  /// knows the tag). Errors: kCorrupt (it is nowhere, or damaged), kIo.
  Result<SharedBytes> read(const ObjectId& id) const;
  Result<bool> contains(const ObjectId& id) const;
  /// The same for who is going to refer to the object, with a use from before on: no collection takes it meanwhile.
  Result<bool> claim(const ObjectId& id) const {
    return uses_.touch_and(id, [&] { return contains(id); });
  }
  ObjectUses& uses() const { return uses_; }

  /// Chunks that are wanted together, as neighbours in a file are: frames that lie side by side are read at once. What was
  /// decoded goes to the caller alone. Shape: as long as `ids`, in their order. Errors: as read().
  Result<std::vector<SharedBytes>> read_together(std::span<const ObjectId> ids) const;

  /// A pack is going, or what is in it is: from now on nothing counts as stored because it is in there.
  void forget_pack(PackNumber pack) { footers_.forget(pack); }
  /// Objects of the pack may go from the index: what its footer says is not relied upon any more.
  void distrust_pack(PackNumber pack) { footers_.distrust(pack); }

  /// Threads for hashing, compressing and decoding.
  WorkPool& pool() const { return pool_; }
  /// What waits in `hot`; for the packer.
  HotRows& hot() { return hot_; }

 private:
  friend class ObjectWriter;
  struct CachedFrame {
    PackNumber pack;
    std::uint32_t offset = 0;
    SharedBytes raw;
  };

  Result<SharedBytes> frame_of(const Location& location) const;
  Result<std::vector<std::pair<Location, SharedBytes>>> frames_of(std::vector<Location> locations) const;
  /// Where a packed object is; nullopt when it is in none.
  Result<std::optional<Location>> locate(const ObjectId& id) const;

  LocalDb& local_;
  PackSet& packs_;
  mutable FooterCache footers_;
  mutable ObjectUses uses_;
  HotRows hot_;
  mutable WorkPool pool_;
  mutable Mutex mutex_{LockRank::kLeaf};
  mutable std::list<CachedFrame> frames_ PFS_GUARDED_BY(mutex_);  // most recent first
  mutable std::size_t frame_bytes_ PFS_GUARDED_BY(mutex_) = 0;    // of those, decoded
  // What the edits of one commit touch at their edges is read by the writes and again by the commit.
  static constexpr std::size_t kFrameBytes = std::size_t{8} << 20U;
};

}  // namespace pfs::store
