#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/shared_bytes.h"
#include "base/sync.h"
#include "store/blob_store.h"
#include "store/local_db.h"
#include "store/pack/pack_format.h"
#include "store/pack/pack_row.h"

namespace pfs::store {

/// The packs of a store: one open for each kind, appended to; the sealed ones in the BlobStore.
///
/// Thread-safe. A pack is sealed by its size, never by a commit. Source: docs/format.md "Packs".
class PackSet {
 public:
  static constexpr std::uint64_t kSealSize = std::uint64_t{64} << 20U;
  /// Seals at another size. For who opens it, before anything is appended.
  void seal_at(std::uint64_t size) { seal_size_ = size; }

  /// A pack that can still be appended to, or is on its way to the BlobStore.
  class OpenPack;
  using OpenPackPtr = std::shared_ptr<OpenPack>;

  /// Scans the packs that were left open: a torn tail is cut off, index rows that are missing are put back.
  static Result<std::unique_ptr<PackSet>> open(const std::string& open_directory, LocalDb& local, BlobStore& blobs,
                                               const Clock& clock);
  /// For reading what the rows name, by another process than the store's, from a checkpoint of its database: nothing is changed.
  /// `open_directory` has the packs that were open then.
  static Result<std::unique_ptr<PackSet>> open_read_only(const std::string& open_directory, LocalDb& local, BlobStore& blobs,
                                                         const Clock& clock);
  ~PackSet();

  struct Appended {
    /// To sync() before anything refers to the locations, and to hold until their index rows are written: nobody takes a
    /// pack away, sealed or not, while somebody holds it.
    OpenPackPtr pack;
    std::vector<Location> locations;
  };
  /// Compresses the objects into a frame and appends it. Locations in the order of the objects.
  /// Errors: kNoSpace, kIo; the pack is as it was.
  Result<Appended> append(PackKind kind, const std::vector<FrameObject>& objects, int level);

  /// A frame made ready to be appended, by any thread. Its objects in the order of the views.
  struct EncodedFrame {
    std::string bytes;
    std::vector<FrameEntry> entries;
  };
  EncodedFrame encode(std::span<const FrameView> objects, int level);
  Result<Appended> append(PackKind kind, const EncodedFrame& frame);

  /// Whatever was appended survives a power cut. Does nothing for a pack that was sealed since.
  /// Errors: kNoSpace, kIo; for good, and for everybody who has appended to the pack and not synced it: what is stored again
  /// goes into another one.
  static Result<void> sync(const OpenPackPtr& pack);
  /// Whether the pack was sealed since: all of its objects have their index rows then.
  static bool is_sealed(const OpenPackPtr& pack);

  /// The stored frame, unverified (decode_frame proves it).
  /// Errors: kNotFound (the pack is gone: ask the index again), kCorrupt (too short), kIo.
  Result<SharedBytes> read_frame(const Location& location) const;
  /// `length` stored bytes from `offset` on: several frames that lie side by side, with one read.
  Result<SharedBytes> read_range(PackNumber number, std::uint64_t offset, std::size_t length) const;

  /// What a sealed pack holds, sorted by digest; nullopt while it is open. Whoever finds an object here can rely on it:
  /// the pack is durable, and so are the index rows of everything in it. Errors: kCorrupt, kIo.
  Result<std::optional<std::vector<FooterEntry>>> footer(PackNumber number) const;

  const Clock& clock() const { return clock_; }

  // pack_set_rewrite.cc: for those who age and rewrite packs

  /// Seals what was opened at `when` or before and has been written.
  Result<void> seal_opened_until(Timestamp when);
  /// A pack that only the caller appends to; it is marked as made by a repack. Seal it, or it is sealed at the next open.
  Result<OpenPackPtr> begin(PackKind kind);
  Result<Appended> append_to(const OpenPackPtr& pack, const std::vector<FrameObject>& objects, int level);
  static std::uint64_t size_of(const OpenPackPtr& pack);
  /// Footer, sync, and into the BlobStore; one without frames is removed. Only for packs of begin().
  Result<void> end(const OpenPackPtr& pack);

  struct SealedPack {
    PackNumber number;
    PackKind kind = PackKind::kData;
    std::uint64_t size = 0;  ///< bytes, footer included
    bool partial = false;    ///< as PackRow's
  };
  /// In the order of their numbers, without those that somebody holds.
  std::vector<SealedPack> sealed_packs() const;
  /// Bytes of a sealed pack. Shape: exactly `size` of them. Errors: kNotFound, kCorrupt (shorter), kIo.
  Result<SharedBytes> read_sealed(PackNumber number, std::uint64_t offset, std::size_t size) const;
  /// Takes sealed packs away: no index row points to them, and nobody holds them. Syncs the rows that say so first.
  Result<void> remove(const std::vector<PackNumber>& packs);
  /// Objects of these sealed packs are going to be taken from the index, while others of them stay.
  Result<void> mark_partial(const std::vector<PackNumber>& packs);
  /// Those of which that was said, also before this start: their footers name more than the index does.
  std::vector<PackNumber> partial_packs() const;

 private:
  struct Sealed {
    BlobName blob;
    PackKind kind = PackKind::kData;
    std::uint64_t size = 0;
    bool partial = false;
    std::weak_ptr<OpenPack> holder;  // whoever appended to it may still have index rows to write
  };
  PackSet(std::string open_directory, LocalDb& local, BlobStore& blobs, const Clock& clock);

  /// Shape: the packs whose removal was cut short.
  Result<std::vector<std::pair<PackNumber, BlobName>>> load_rows();
  Result<void> end_removals(const std::vector<std::pair<PackNumber, BlobName>>& condemned);
  Result<void> recover(const std::string& file_name);
  Result<void> seal_left_over();
  Result<OpenPackPtr> create(PackKind kind, bool repacked = false);
  /// Writes a frame behind the others; the locations of its objects.
  Result<std::vector<Location>> append_frame(OpenPack& pack, const EncodedFrame& frame)
      PFS_REQUIRES(mutex_);
  void put_next_number(LocalBatch& batch) const;
  /// The current pack of that kind, a fresh one when it is full.
  Result<OpenPackPtr> writable(PackKind kind);
  Result<void> seal(const OpenPackPtr& pack);
  /// Of a pack that is not current any more and could not be synced.
  void retire(const OpenPackPtr& pack);
  bool takes_more(const OpenPackPtr& pack) const PFS_REQUIRES(mutex_);

  const std::string open_directory_;
  LocalDb& local_;
  BlobStore& blobs_;
  std::uint64_t seal_size_ = kSealSize;
  const Clock& clock_;
  std::atomic<std::uint64_t> sequence_{1};  // orders frames; a number drawn and not used does no harm

  mutable Mutex mutex_{LockRank::kStorage};
  std::uint64_t next_number_ PFS_GUARDED_BY(mutex_) = 1;
  std::unordered_map<PackNumber, PackRow> opened_ PFS_GUARDED_BY(mutex_);  // what rows say of packs left open
  std::map<PackKind, OpenPackPtr> current_ PFS_GUARDED_BY(mutex_);
  std::unordered_map<PackNumber, OpenPackPtr> open_ PFS_GUARDED_BY(mutex_);      // current ones, those being sealed, retired ones
  std::map<PackNumber, Sealed> sealed_ PFS_GUARDED_BY(mutex_);
};

}  // namespace pfs::store
