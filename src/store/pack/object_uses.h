#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "base/sync.h"
#include "store/pack/pack_format.h"

namespace pfs::store {

/// Which objects are being made use of, so that a collection takes none that somebody is about to refer to.
///
/// Whoever stores objects, or finds that they are there already, holds a Use from before the first one until what refers to them is
/// written, and touches each before looking for it. A collection begins a new *round*, then looks at what the rows refer to. An object
/// that nothing referred to then, and that was not touched in the round (nor in the one before, while a Use of that time is held), is
/// nobody's: taking it excludes a touch beside it. Which objects were touched is remembered by a filter, which may name some too
/// many: they stay until the next collection.
///
/// Thread-safe. Memory: 4 MiB a round, from its first touch on, of two rounds at most.
class ObjectUses {
 public:
  /// Keeps a round's touches in force; hold it as long as what refers to the objects is not written.
  using Use = std::shared_ptr<void>;

  ObjectUses();
  ObjectUses(const ObjectUses&) = delete;
  ObjectUses& operator=(const ObjectUses&) = delete;

  Use begin() PFS_EXCLUDES(mutex_);

  /// Touches an object and looks for it, with nobody taking it in between. `look` may read rows and packs.
  Result<bool> touch_and(const ObjectId& id, const std::function<Result<bool>()>& look);
  void touch(const ObjectId& id);

  /// Somebody refers to an object, and to all that it leads to, by a copy of what refers to it already.
  void refer(const ObjectId& id) PFS_EXCLUDES(mutex_);
  /// What refer() was told since the round began and leads to others; it is not collected any more from here on.
  std::vector<ObjectId> take_referred() PFS_EXCLUDES(mutex_);

  /// Uses of now belong to the round before from here on. Its touches count until those are over.
  void begin_round() PFS_EXCLUDES(mutex_);
  /// Whether all that began before the round are over. While they are not, what they have touched stays.
  bool earlier_ended() const PFS_EXCLUDES(mutex_);
  /// From here on what the uses of before have touched counts no more, where all of them are over; to be asked before it is
  /// looked at what the rows refer to.
  void settle_earlier() PFS_EXCLUDES(mutex_);

  static bool same_shard(const ObjectId& a, const ObjectId& b) { return a.digest.bytes().front() == b.digest.bytes().front(); }
  /// Calls `take` for the objects that were not touched, with nobody touching one meanwhile. They have one first byte of the digest.
  Result<void> take_untouched(const std::vector<ObjectId>& ids, const std::function<Result<void>(const std::vector<ObjectId>&)>& take);

 private:
  static constexpr std::size_t kShards = 256;
  static constexpr std::size_t kBits = std::size_t{1} << 17U;  // a shard's and round's
  using Bits = std::vector<std::uint64_t>;
  struct Shard {
    // as a look below it reads rows, which is unsynced and short
    mutable Mutex mutex{LockRank::kInodeTable};
    Bits now PFS_GUARDED_BY(mutex);
    Bits before PFS_GUARDED_BY(mutex);
  };
  static std::array<std::size_t, 4> places(const ObjectId& id);
  static void set(Bits& bits, const ObjectId& id);
  static bool has(const Bits& bits, const ObjectId& id);
  Shard& shard_of(const ObjectId& id) const { return (*shards_)[static_cast<std::uint8_t>(id.digest.bytes().front())]; }

  std::unique_ptr<std::array<Shard, kShards>> shards_;
  mutable Mutex mutex_{LockRank::kLeaf};
  std::shared_ptr<void> round_ PFS_GUARDED_BY(mutex_);                // held by each Use of the round
  std::vector<std::weak_ptr<void>> earlier_ PFS_GUARDED_BY(mutex_);  // of rounds that were
  std::atomic<bool> gathers_{false};  // so that most references take no lock
  std::vector<ObjectId> referred_ PFS_GUARDED_BY(mutex_);
};

}  // namespace pfs::store
