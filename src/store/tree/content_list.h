#pragma once

#include <functional>
#include <list>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/sync.h"
#include "store/pack/objects.h"
#include "store/types.h"

namespace pfs::store {

/// A run of equal chunks in a file's list.
struct ChunkRun {
  Digest digest;             ///< of one chunk's bytes
  std::uint32_t length = 0;  ///< of one chunk
  std::uint64_t repeat = 1;

  std::uint64_t bytes() const { return length * repeat; }
  bool operator==(const ChunkRun&) const = default;
};

/// Builds a finished file's Content from its chunks in order. The list is a tree whose boundaries depend on the chunks'
/// digests, so that an edit makes a path of it anew. Source: docs/format.md "Lists".
class ContentBuilder {
 public:
  /// `owner` groups what is stored for the packer.
  explicit ContentBuilder(ObjectWriter& writer, Owner owner = 0) : writer_(writer), owner_(owner) {}

  /// A chunk that is stored already, or stored by the caller.
  Result<void> add_run(const ChunkRun& run);
  /// Hashes and stores a chunk's bytes.
  Result<void> add_chunk(std::string_view bytes);
  Result<Content> finish();

  std::uint64_t size() const { return size_; }

 private:
  struct Item {
    Digest digest;
    std::uint64_t length = 0;  // of one chunk, or of everything below an inner item
    std::uint64_t repeat = 1;
  };
  Result<void> push(std::size_t level, Item item);
  Result<void> close_node(std::size_t level);

  ObjectWriter& writer_;
  const Owner owner_;
  std::vector<std::vector<Item>> levels_;
  std::optional<ChunkRun> last_;  // held back: the next chunk may be equal to it
  std::string first_bytes_;       // of a file that may stay inline
  std::uint64_t size_ = 0;
  std::uint64_t runs_ = 0;
};

/// Reads finished files.
///
/// Thread-safe.
class ContentReader {
 public:
  explicit ContentReader(const Objects& objects) : objects_(objects) {}

  /// Shape: fills `out` from `offset` on; returns how much, fewer only at the end of the file. Errors: kCorrupt, kIo.
  Result<std::size_t> read(const Content& content, std::uint64_t offset, std::span<std::byte> out) const;

  /// The chunks of [from, end of file), beginning with the one that holds byte `from`; the callback gets each run with the
  /// offset at which it begins and returns false to stop. A run may begin before `from`. Not for inline contents.
  Result<void> runs(const Content& content, std::uint64_t from,
                    const std::function<bool(std::uint64_t offset, const ChunkRun& run)>& visit) const;

 private:
  struct ListNode;
  using ListRef = std::shared_ptr<const ListNode>;

  Result<ListRef> load(const Digest& digest) const;
  Result<bool> visit_node(const Digest& digest, std::uint64_t base, std::uint64_t from,
                          const std::function<bool(std::uint64_t, const ChunkRun&)>& visit) const;

  static constexpr std::size_t kNodes = 64;
  const Objects& objects_;
  mutable Mutex mutex_{LockRank::kLeaf};
  mutable std::list<std::pair<Digest, ListRef>> recent_ PFS_GUARDED_BY(mutex_);
};

}  // namespace pfs::store
