#pragma once

#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/sync.h"
#include "store/pack/object_writer.h"
#include "store/tree/list_node.h"
#include "store/tree/read_ahead.h"
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

/// The chunk that zeros are cut into where at least Chunker::kMax of them follow: so a hole is a run of it, but for its end.
const ChunkRun& chunk_of_zeros();

class ContentReader;

/// Builds a finished file's Content from its chunks in order. The list is a tree whose boundaries depend on the chunks'
/// digests, so that an edit makes a path of it anew. Source: docs/format.md "Lists".
class ContentBuilder {
 public:
  /// `owner` groups what is stored for the packer.
  explicit ContentBuilder(ObjectWriter& writer, Owner owner = 0) : writer_(writer), owner_(owner) {}

  /// A chunk that is stored already, or stored by the caller.
  Result<void> add_run(const ChunkRun& run);
  /// Stores a chunk's bytes. Few are hashed here; a big file's are handed to the pool.
  Result<void> add_chunk(std::string_view bytes);
  /// The chunks of [from, to) of another content, where its nodes fit as whole subtrees that nobody looks into.
  /// Shape: `from` and `to` are beginnings of its chunks, or its end.
  Result<void> add_part(const ContentReader& reader, const Content& content, std::uint64_t from, std::uint64_t to);
  Result<Content> finish();

  std::uint64_t size() const { return size_; }

 private:
  struct Waiting {
    ObjectWriter::BatchPtr batch;
    std::vector<std::uint32_t> lengths;
  };
  Result<void> hand_over();
  Result<void> take_hashed(bool all);
  Result<void> take(const ChunkRun& run);
  bool stands_between_nodes(std::size_t level) const;
  Result<void> push(std::size_t level, ListNode::Item item);
  Result<void> close_node(std::size_t level);

  ObjectWriter& writer_;
  const Owner owner_;
  std::vector<std::vector<ListNode::Item>> levels_;
  std::optional<ChunkRun> last_;  // held back: the next chunk may be equal to it
  std::string first_bytes_;       // of a file that may stay inline
  std::uint64_t size_ = 0;
  std::uint64_t runs_ = 0;
  std::uint64_t hashed_here_ = 0;
  std::string gathered_;  // chunks that are handed over next
  std::vector<std::uint32_t> gathered_lengths_;
  std::deque<Waiting> waiting_;  // handed over, their digests not taken yet
};

/// Reads finished files, ahead of those who read them forward.
///
/// Thread-safe.
class ContentReader {
 public:
  explicit ContentReader(const Objects& objects) : objects_(objects), ahead_(objects) {}

  /// Shape: fills `out` from `offset` on; returns how much, fewer only at the end of the file. Errors: kCorrupt, kIo.
  Result<std::size_t> read(const Content& content, std::uint64_t offset, std::span<std::byte> out) const;

  /// The chunks of [from, end of file), beginning with the one that holds byte `from`; the callback gets each run with the
  /// offset at which it begins and returns false to stop. A run may begin before `from`. Not for inline contents.
  Result<void> runs(const Content& content, std::uint64_t from,
                    const std::function<bool(std::uint64_t offset, const ChunkRun& run)>& visit) const;

  /// A node of a list's tree below its root, not loaded.
  struct NodeRef {
    Digest digest;
    unsigned level = 0;
    std::uint64_t begin = 0;  ///< in the file
    std::uint64_t bytes = 0;
  };
  /// What makes up [from, to), in order: each node that lies in it is offered to `take`, and gone into when that returns
  /// false; of a leaf gone into, `run` gets the runs, cut to the range. `from` and `to` as for ContentBuilder::add_part().
  Result<void> walk(const Content& content, std::uint64_t from, std::uint64_t to,
                    const std::function<Result<bool>(const NodeRef&)>& take,
                    const std::function<Result<void>(const ChunkRun&)>& run) const;

 private:
  using ListRef = std::shared_ptr<const ListNode>;

  Result<ListRef> load(const Digest& digest) const;
  Result<void> fetch_ahead(const Content& content, const ReadAhead::ReaderPtr& reader, std::uint64_t offset, std::uint64_t end) const;
  Result<bool> visit_node(const Digest& digest, std::uint64_t base, std::uint64_t from,
                          const std::function<bool(std::uint64_t, const ChunkRun&)>& visit) const;

  struct Walk;
  Result<void> walk_node(const Walk& walk, const Digest& digest, std::uint64_t base) const;

  static constexpr std::size_t kNodes = 64;
  const Objects& objects_;
  mutable Mutex mutex_{LockRank::kLeaf};
  mutable std::list<std::pair<Digest, ListRef>> recent_ PFS_GUARDED_BY(mutex_);
  mutable ReadAhead ahead_;
};

}  // namespace pfs::store
