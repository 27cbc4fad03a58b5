#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/sync.h"
#include "store/local_db.h"
#include "store/pack/hot_rows.h"
#include "store/pack/pack_set.h"
#include "store/store.h"

namespace pfs::store {

/// Moves the objects of small commits from `hot` rows into packs, in bulk, what is alike side by side; writes a snapshot of
/// the refs with each turn; seals packs by age.
///
/// Owns one thread, "pfs-packer", from start() to stop(). Thread-safe. Holds no lock while it reads, compresses, writes or
/// syncs: readers and commits go on. At every moment each object is in `hot`, or in a synced pack with an index row, or in
/// both. Source: docs/format.md "Packs", "Order of writes".
class Packer {
 public:
  /// A snapshot of the refs, as the objects that are to be stored.
  struct RefObjects {
    std::vector<FrameObject> objects;
    Seq until;             ///< how far it tells; as `since` where nothing happened
    bool complete = true;  ///< false: there is more to tell, ask again
  };
  struct Parts {
    LocalDb* local = nullptr;
    PackSet* packs = nullptr;
    HotRows* hot = nullptr;
    /// What happened to the refs after `since`; empty: no snapshots are written.
    std::function<Result<RefObjects>(Seq since)> refs;
    const Clock* clock = nullptr;
  };
  Packer(Parts parts, const PackingOptions& options) : parts_(std::move(parts)), options_(options) {}
  Packer(const Packer&) = delete;
  Packer& operator=(const Packer&) = delete;
  ~Packer() { stop(); }

  void start() PFS_EXCLUDES(mutex_);
  /// A turn under way ends after the frame it is at.
  void stop() PFS_EXCLUDES(mutex_);

  struct Turn {
    std::uint64_t objects = 0;
    std::uint64_t raw_bytes = 0;
    std::uint64_t stored_bytes = 0;  ///< frames, their tables included
    std::uint64_t damaged = 0;       ///< rows that are not what they are named; they stay where they are
  };
  /// Moves everything that is in `hot` now, as fast as it can; waits for a turn that is under way.
  Result<Turn> turn() PFS_EXCLUDES(mutex_);

 private:
  struct Candidate;
  struct Moving;

  void run();
  /// Whether a turn is due, by size or by age.
  bool due() const;
  Result<Turn> one_turn(bool paced);
  Result<std::vector<Candidate>> candidates(HotRows::Waiting& found, bool& all) const;
  Result<void> move(const std::vector<Candidate>& candidates, bool paced, Turn& turn);
  Result<void> close_frame(Moving& moving, Turn& turn);
  /// What was appended becomes what the index names; the rows in `hot` go with it.
  Result<void> publish(Moving& moving);
  Result<void> write_snapshot(const RefObjects& refs);
  Result<RefObjects> refs_since_last() const;
  /// Waits until so many bytes may have been moved since `began`.
  void pace(std::uint64_t bytes, std::chrono::steady_clock::time_point began) PFS_EXCLUDES(mutex_);
  bool stopping() const PFS_EXCLUDES(mutex_);

  const Parts parts_;
  const PackingOptions options_;
  mutable Mutex mutex_{LockRank::kLeaf};
  Condition changed_;
  bool stopping_ PFS_GUARDED_BY(mutex_) = false;
  bool turning_ PFS_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace pfs::store
