#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/codec.h"
#include "base/result.h"
#include "store/repo/staging_log.h"
#include "store/tree/content_list.h"
#include "store/types.h"

namespace pfs::store {

/// Part of a finished content, referred to by an open file after a reference copy of a range. Slices exist in open
/// commits only; finishing cuts them again.
struct Slice {
  Content content;
  std::uint64_t offset = 0;

  bool operator==(const Slice&) const = default;
};

/// A range of an open file and where its bytes are.
struct Extent {
  std::uint64_t length = 0;
  std::variant<StagedAt, Slice> source;

  /// The same extent without its first `bytes`.
  Extent without_front(std::uint64_t bytes) const;
  bool operator==(const Extent&) const = default;
};

/// What was changed of a file's bytes in an epoch, or in a part of one: a spool makes a layer of its own. Only the last
/// layer changes, and only while its epoch is the present one and its spool is not sealed.
struct Layer {
  Epoch epoch;
  std::uint64_t limit = 0;  ///< bytes of what lies below that still show; truncation lowers it
  std::map<std::uint64_t, Extent> extents;
  std::uint64_t spool_number = 0;  ///< 0: none. Its valid blocks lie under the extents
  SpoolPtr spool;                  ///< null where decode() was not told where to find it

  /// Every staged byte that it refers to; its spool as one byte.
  void each_staged(const std::function<void(const StagedAt&, std::uint64_t bytes)>& visit) const;
  bool operator==(const Layer&) const = default;
};

/// An open file: a finished base and the layers over it. A value; whoever holds one copies or locks it.
struct FileState {
  Attributes attributes;
  std::uint64_t size = 0;
  Content base;
  std::vector<Layer> layers;  ///< oldest first; the last one is written to
  Xattrs xattrs;
  std::uint64_t link_id = 0;
  std::uint64_t applied = 0;  ///< the last record of the staging log that is in here
  bool finished = false;      ///< `base` is what it was in a commit, or in what it was copied from
  std::uint64_t overwritten = 0;  ///< staged bytes that were written over since the top layer began; not in rows

  static FileState from_entry(const Entry& entry);

  std::string encode() const;
  /// With `staging` its layers can show what their spools hold. Errors: kCorrupt.
  static Result<FileState> decode(std::string_view row, StagingLog* staging = nullptr);

  /// The layer of `epoch` that takes extents, made on top of the others when it is not there yet (they are sealed from then on).
  Layer& layer_of(Epoch epoch);
  /// The spool that bytes of `epoch` go to; null when they go to the log.
  Spool* writable_spool(Epoch epoch) const;
  void add_spool(Epoch epoch, SpoolPtr spool);
  /// Its spools never change from here on: somebody else refers to them, or reads them for a commit.
  void seal_spools() const;
  /// After a power cut a row may be newer than the bytes that it refers to: nobody was told that those are safe. Takes them
  /// out, so that what lies below shows. Returns whether there were any.
  bool drop_lost(const StagingLog& staging);
  /// A newest row lags behind a spool on top, which knows size and time. Returns whether it did.
  bool follow_spool();

  /// Puts an extent at `offset` of the top layer, over whatever was there, and grows the file to hold it. Bytes of staged
  /// extents that it covers are handed to `drop`.
  using Drop = std::function<void(const StagedAt&, std::uint64_t bytes)>;
  void put(Epoch epoch, std::uint64_t offset, Extent extent, const Drop& drop);
  void truncate(Epoch epoch, std::uint64_t new_size, const Drop& drop);
  /// Takes [begin, end) out of the top layer's extents: its spool has those bytes now.
  void clear(std::uint64_t begin, std::uint64_t end, const Drop& drop);
  /// A commit leaves the file out: whatever was changed of it belongs to `epoch`, which comes after that commit.
  void carry_to(Epoch epoch);
  /// The layers up to `epoch` have become `content`.
  void fold(Epoch epoch, const Content& content, const Drop& drop);

  /// The bytes of [offset, offset + length) piece by piece, in order: where each comes from.
  struct Piece {
    std::uint64_t offset = 0;  ///< in this file
    std::uint64_t length = 0;
    std::variant<std::monostate, StagedAt, Slice> source;  ///< monostate: zeros
  };
  void pieces(std::uint64_t offset, std::uint64_t length, const std::function<void(const Piece&)>& visit) const;
  std::vector<Piece> pieces_of(std::uint64_t offset, std::uint64_t length) const;
  /// The piece that begins at `offset`, which lies in the file, with as much behind it as comes from there too; of a spool's bytes
  /// it may be less. Its cost follows the layers, not its length.
  Piece piece_at(std::uint64_t offset) const;

  /// Ranges that may differ from `base`, sorted, disjoint, with room for a chunk between them; what lies in none of them is the base's byte for byte.
  struct Range {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };
  std::vector<Range> changed() const;

  /// Every staged byte that the layers refer to.
  void each_staged(const Drop& visit) const;
};

/// Reads an open file's bytes: what FileState::pieces_of(offset, out.size()) said. The caller holds a StagingLog::Pin from
/// before it asked. Shape: how many; fewer than asked only at the end of the file.
Result<std::size_t> read_pieces(const std::vector<FileState::Piece>& pieces, const StagingLog& log,
                                const ContentReader& contents, std::uint64_t offset, std::span<std::byte> out);

/// A chunk of an open file that is stored already.
struct CutChunk {
  std::uint64_t offset = 0;  ///< in the file
  std::uint32_t length = 0;
  Digest digest;
};

/// Cuts an open file into chunks: begins again at the chunk that holds the first changed byte and takes the old chunks up
/// where their boundaries come back, so that the result is what cutting the whole file afresh would give. `cut` is what it begins with as far as that was cut before, in order.
Result<Content> finish_file(const FileState& file, const StagingLog& log, const ContentReader& contents, ObjectWriter& writer,
                            Owner owner = 0, const std::vector<CutChunk>& cut = {});

/// A codec for Contents inside rows.
void encode_content_row(Encoder& out, const Content& content);
Content decode_content_row(Decoder& in);

}  // namespace pfs::store
