#pragma once

#include <array>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/sync.h"
#include "store/local_db.h"
#include "store/pack/hot_rows.h"
#include "store/pack/owner.h"
#include "store/pack/pack_set.h"

namespace pfs::store {

/// An object's bytes; `owner` keeps the frame they lie in.
struct ObjectBytes {
  std::shared_ptr<const std::string> owner;
  std::string_view bytes;
};

/// Content-addressed objects, wherever they are: `hot` rows of small commits, or packs through the index.
///
/// Thread-safe. Source: docs/format.md "Objects".
class Objects {
 public:
  Objects(LocalDb& local, PackSet& packs) : local_(local), packs_(packs), hot_(packs.clock()) {}

  /// The object's bytes. Frames are proved by their checksum, everything but chunks by SHA-256 too (by the caller that
  /// knows the tag). Errors: kCorrupt (it is nowhere, or damaged), kIo.
  Result<ObjectBytes> read(const ObjectId& id) const;
  Result<bool> contains(const ObjectId& id) const;

  /// What waits in `hot`; for the packer.
  HotRows& hot() { return hot_; }

 private:
  friend class ObjectWriter;
  using Frame = std::shared_ptr<const std::string>;
  struct CachedFrame {
    PackNumber pack;
    std::uint32_t offset = 0;
    Frame raw;
  };

  Result<Frame> frame_of(const Location& location) const;

  LocalDb& local_;
  PackSet& packs_;
  HotRows hot_;
  mutable Mutex mutex_{LockRank::kLeaf};
  mutable std::list<CachedFrame> frames_ PFS_GUARDED_BY(mutex_);  // most recent first, at most kFrames
  static constexpr std::size_t kFrames = 16;
};

/// Stores the new objects of one commit (or snapshot). Few and small ones become rows that ride on the commit's own
/// synced batch; more go into packs.
///
/// Not thread-safe; one a commit.
class ObjectWriter {
 public:
  /// Up to this many raw bytes a commit's objects stay in `hot`.
  static constexpr std::size_t kHotLimit = std::size_t{256} << 10U;

  explicit ObjectWriter(Objects& objects) : objects_(objects) {}

  /// Stores the object unless it is there already. `owner` groups objects of one directory for the packer.
  Result<void> add(const ObjectId& id, std::string bytes, Owner owner = 0);

  /// Everything added is stored, and durable no later than the next commit to the RefDb (or LocalDb::sync()).
  Result<void> flush();

  std::uint64_t new_bytes() const { return new_bytes_; }

 private:
  struct Pending {
    ObjectId id;
    std::string bytes;
    Owner owner = 0;
  };

  Result<void> spill();
  Result<void> add_to_frame(FrameObject object);
  Result<void> close_frame(PackKind kind);
  Result<void> write_index_rows();

  Objects& objects_;
  std::vector<Pending> small_;
  std::size_t small_bytes_ = 0;
  bool spilled_ = false;
  struct OpenFrame {
    std::vector<FrameObject> objects;
    std::size_t bytes = 0;
  };
  std::array<OpenFrame, 3> frames_;  // by PackKind
  LocalBatch index_rows_;
  std::unordered_set<PackSet::OpenPackPtr> unsynced_;  // held until their index rows are written, see PackSet::Appended
  std::unordered_set<Digest> added_;
  std::uint64_t new_bytes_ = 0;
};

}  // namespace pfs::store
