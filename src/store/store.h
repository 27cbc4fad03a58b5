#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "store/blob_store.h"
#include "store/catalog.h"
#include "store/commit_policy.h"
#include "store/live_trees.h"
#include "store/local_db.h"
#include "store/ref_db.h"
#include "store/staging_limits.h"
#include "store/tree_reader.h"

namespace pfs::store {

/// When objects of small commits are moved from the database into packs, and how fast.
struct PackingOptions {
  bool automatic = true;  ///< false: by Store::pack() only (tests, tools)
  /// A turn begins when so many bytes of objects wait, or the oldest has waited so long.
  std::uint64_t hot_bytes = std::uint64_t{64} << 20U;
  std::chrono::milliseconds hot_age = std::chrono::minutes(10);
  /// An open pack is sealed when it is so old, whatever its size.
  std::chrono::milliseconds seal_age = std::chrono::hours(1);
  /// How often it is looked.
  std::chrono::milliseconds look_every{500};
  /// Raw bytes moved in a second, so that commits beside it have the disk (0: no bound); without a bound, too, while twice
  /// `hot_bytes` wait.
  std::uint64_t bytes_per_second = std::uint64_t{32} << 20U;
};

struct RepackOptions {
  const std::atomic<bool>* stop = nullptr;  ///< set by another thread: it ends at the next frame, with what it has done
  bool partial_only = false;  ///< packs alone that a collection has taken from
};

struct RepackResult {
  std::uint64_t packs_seen = 0;
  std::uint64_t packs_rewritten = 0;  ///< and removed
  std::uint64_t packs_made = 0;
  std::uint64_t objects = 0;       ///< moved
  std::uint64_t bytes_before = 0;  ///< of the packs that were rewritten
  std::uint64_t bytes_after = 0;   ///< of the frames that took their place
  std::uint64_t damaged = 0;       ///< packs that were left as they are, because something in them is damaged
  bool stopped = false;
};

struct ObjectTotals {
  std::uint64_t objects = 0;
  std::uint64_t bytes = 0;  ///< raw
};

struct CollectOptions {
  bool dry_run = false;                      ///< finds out what would go, and takes nothing
  const std::atomic<bool>* stop = nullptr;  ///< set by another thread: kCancelled, with what was taken by then
  /// Looks through a view of the store (mark_view()), in a process of its own where memory is to be bounded.
  std::function<Result<void>(const std::string& store_path, const std::string& view)> mark;
};

struct CollectResult {
  ObjectTotals live;    ///< something leads to them
  ObjectTotals dead;    ///< nothing did
  ObjectTotals taken;   ///< of those
  ObjectTotals in_use;  ///< of those, what somebody has come to use meanwhile, or may have: the next collection takes what is dead of it
  RepackResult repacked;  ///< what it has gained
};

struct StoreOptions {
  std::string path;            ///< made when it is not there
  const Clock* clock = nullptr;  ///< must outlive the store
  /// When commits are made of branches that have no settings of their own.
  CommitPolicy policy;
  /// A file without a write for this long is not being written any more, whoever has it open.
  std::chrono::milliseconds idle_after{10000};
  std::uint64_t seal_pack_at = std::uint64_t{64} << 20U;  ///< bytes; packs of any size are read
  StagingLimits staging;             ///< usually as they are
  std::uint64_t ballast_bytes = 0;   ///< room kept for finishing on a full disk; 0: 256 MiB, less on a small one
  bool automatic_commits = true;  ///< false: commits are made on request only (tests, tools)
  PackingOptions packing;
};

/// A versioned store in a directory of this machine; usable by itself, without a mount, jobs or a network.
///
/// One process has it open at a time. Thread-safe. Closing (the destructor) finishes nothing: what was changed is
/// in the open commits and goes on at the next open.
class Store {
 public:
  /// Errors: kBusy (another process has it; names its pid), kUnsupported (made by a newer version), kCorrupt, kIo.
  static Result<std::unique_ptr<Store>> open(const StoreOptions& options);
  virtual ~Store() = default;

  virtual Catalog& catalog() = 0;
  virtual LiveTrees& trees() = 0;
  virtual const TreeReader& tree_reader() const = 0;
  virtual RefDb& refs() = 0;
  virtual LocalDb& local() = 0;
  /// A random number of the store's own, kept for ever: 32 hex digits.
  virtual const std::string& id() const = 0;

  /// Both are told of what happens from then on; nullptr to stop. Neither is owned.
  virtual void set_publish_hook(PublishHook* hook) = 0;
  virtual void set_observer(TreeObserver* observer) = 0;
  virtual TreeObserver* observer() const = 0;

  /// Finishes the commits that were being finished when a process was killed; the hook must be set by then.
  virtual Result<void> resume() = 0;
  /// Starts the thread that finishes quiet branches (after resume()).
  virtual void start_automatic_commits() = 0;
  /// Finishes every automatic open commit that has changes, and stops the thread.
  virtual Result<void> finish_all() = 0;

  /// Moves the objects of all finished small commits into packs now, as fast as it can.
  virtual Result<void> pack() = 0;
  /// Rewrites sealed packs that gain by it: compressed harder, without what is in them for nothing, small ones together.
  /// Readers and writers go on beside it; an interrupted or killed one loses nothing, and the next goes on.
  /// Errors: kBusy (one is running), kNoSpace, kIo.
  virtual Result<RepackResult> repack(const RepackOptions& options) = 0;
  /// Takes the objects that nothing leads to any more, and makes room of what they took. Readers and writers go on beside it; one that
  /// is killed has lost nothing, and the next goes on. Errors: kBusy (one is running, or a repack), kCorrupt (something that is
  /// referred to is damaged: nothing is taken), kCancelled, kNoSpace, kIo.
  virtual Result<CollectResult> collect(const CollectOptions& options) = 0;

  struct Space {
    std::uint64_t total_bytes = 0;
    std::uint64_t free_bytes = 0;
    std::uint64_t staged_bytes = 0;  ///< wait for commits
    std::uint64_t live_bytes = 0;    ///< of those, what open files refer to
  };
  virtual Result<Space> space() const = 0;
};

}  // namespace pfs::store
