#pragma once

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/sync.h"
#include "store/pack/objects.h"

namespace pfs::store {

/// Stores the new objects of one commit (or snapshot). Few and small ones become rows that ride on the commit's own
/// synced batch, and no other thread hears of them. More go into packs: the pool hashes what was not hashed, looks it up and
/// compresses it, and the frames are appended in the order in which their objects came. Chunks and nodes are counted apart:
/// a commit of much data has few nodes, and no second pack to sync because of them.
///
/// Used by one thread, but for digests(), which any may ask for; one a commit. An error of the pool's is told by the next call.
class ObjectWriter {
 public:
  /// Up to this many raw bytes a commit's chunks stay in `hot`, and so many of its nodes.
  static constexpr std::size_t kHotLimit = std::size_t{256} << 10U;
  /// Raw bytes on their way into packs; whoever brings more waits.
  static constexpr std::size_t kInFlight = std::size_t{32} << 20U;

  explicit ObjectWriter(Objects& objects) : objects_(objects), use_(objects.uses().begin()) {}
  /// Waits for what is under way; what was not flushed is nobody's.
  ~ObjectWriter();
  ObjectWriter(const ObjectWriter&) = delete;
  ObjectWriter& operator=(const ObjectWriter&) = delete;

  /// Stores the object unless it is there already. `owner` groups objects of one directory for the packer.
  Result<void> add(const ObjectId& id, std::string bytes, std::uint64_t owner = 0);

  /// Chunks of one file that are handed over together, their digests told later.
  struct Batch;
  using BatchPtr = std::shared_ptr<Batch>;
  /// Hands over chunks that lie end to end in `bytes`.
  Result<BatchPtr> add_chunks(std::string bytes, const std::vector<std::uint32_t>& lengths);
  /// Whether digests() would not have to work or wait.
  bool hashed(const BatchPtr& batch) PFS_EXCLUDES(mutex_);
  /// The chunks' digests, in order. Hashes them itself where no thread has begun.
  std::vector<Digest> digests(const BatchPtr& batch) PFS_EXCLUDES(mutex_);

  /// Everything added is stored, and durable no later than the next commit to the RefDb (or LocalDb::sync()).
  Result<void> flush();

 private:
  struct Pending {
    ObjectId id;
    std::string bytes;
    std::uint64_t owner = 0;
  };

  Result<void> spill(PackKind kind);
  Result<void> add_to_batch(const ObjectId& id, std::string_view bytes);
  Result<void> hand_over(const BatchPtr& batch) PFS_EXCLUDES(mutex_);
  bool hash(Batch& batch) PFS_EXCLUDES(mutex_);
  void store(const BatchPtr& batch) PFS_EXCLUDES(mutex_);
  Result<void> make_frames(Batch& batch) PFS_EXCLUDES(mutex_);
  void append_in_order() PFS_EXCLUDES(mutex_);
  Result<void> append(const Batch& batch) PFS_EXCLUDES(mutex_);
  Result<void> write_index_rows() PFS_EXCLUDES(mutex_);
  void wait_for_all() PFS_EXCLUDES(mutex_);

  Objects& objects_;
  const ObjectUses::Use use_;

  // the caller's
  struct OfKind {
    std::vector<Pending> small;
    std::size_t small_bytes = 0;
    bool spilled = false;
    BatchPtr filling;
  };
  OfKind& of(PackKind kind) { return kinds_[static_cast<std::size_t>(kind)]; }
  std::array<OfKind, 3> kinds_;  // by PackKind

  Mutex mutex_{LockRank::kLeaf};
  Condition changed_;
  std::deque<BatchPtr> order_ PFS_GUARDED_BY(mutex_);  // handed over and not appended
  std::size_t in_flight_ PFS_GUARDED_BY(mutex_) = 0;   // bytes of those
  std::size_t under_way_ PFS_GUARDED_BY(mutex_) = 0;   // tasks that the pool has
  bool appending_ PFS_GUARDED_BY(mutex_) = false;
  std::optional<Error> failure_ PFS_GUARDED_BY(mutex_);
  std::unordered_set<Digest> added_ PFS_GUARDED_BY(mutex_);  // new, and without an index row yet

  // of whoever appends: one thread at a time, told by appending_
  struct Row {
    ObjectId id;
    Location location;
  };
  std::vector<Row> rows_;
  std::unordered_map<PackNumber, PackSet::OpenPackPtr> unsynced_;
};

}  // namespace pfs::store
