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
#include "base/file.h"
#include "base/sync.h"
#include "store/blob_store.h"
#include "store/chunk/sha256.h"
#include "store/local_db.h"
#include "store/pack/pack_format.h"

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
  ~PackSet();

  struct Appended {
    OpenPackPtr pack;  ///< to sync() before anything refers to the locations
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
  static Result<void> sync(const OpenPackPtr& pack);
  /// Whether the pack was sealed since: all of its objects have their index rows then.
  static bool is_sealed(const OpenPackPtr& pack);

  /// The stored frame, unverified (decode_frame proves it). Errors: kCorrupt (no such pack, too short), kIo.
  Result<std::string> read_frame(const Location& location) const;
  /// `length` stored bytes from `offset` on: several frames that lie side by side, with one read.
  Result<std::string> read_range(PackNumber number, std::uint64_t offset, std::size_t length) const;

  /// What a sealed pack holds, sorted by digest; nullopt while it is open. Whoever finds an object here can rely on it:
  /// the pack is durable, and so are the index rows of everything in it. Errors: kCorrupt, kIo.
  Result<std::optional<std::vector<FooterEntry>>> footer(PackNumber number) const;

 private:
  PackSet(std::string open_directory, LocalDb& local, BlobStore& blobs, const Clock& clock);

  Result<void> load_rows();
  Result<void> recover(const std::string& file_name);
  Result<OpenPackPtr> create(PackKind kind);
  /// The current pack of that kind, a fresh one when it is full.
  Result<OpenPackPtr> writable(PackKind kind);
  Result<void> seal(const OpenPackPtr& pack);

  struct Sealed {
    BlobName blob;
    std::uint64_t size = 0;
  };

  const std::string open_directory_;
  LocalDb& local_;
  BlobStore& blobs_;
  std::uint64_t seal_size_ = kSealSize;
  const Clock& clock_;
  std::atomic<std::uint64_t> sequence_{1};  // orders frames; a number drawn and not used does no harm

  mutable Mutex mutex_{LockRank::kStorage};
  std::uint64_t next_number_ PFS_GUARDED_BY(mutex_) = 1;
  std::map<PackKind, OpenPackPtr> current_ PFS_GUARDED_BY(mutex_);
  std::unordered_map<PackNumber, OpenPackPtr> open_ PFS_GUARDED_BY(mutex_);      // current ones, and those being sealed
  std::unordered_map<PackNumber, Sealed> sealed_ PFS_GUARDED_BY(mutex_);
};

}  // namespace pfs::store
