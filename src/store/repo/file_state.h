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
};

/// A range of an open file and where its bytes are.
struct Extent {
  std::uint64_t length = 0;
  std::variant<StagedAt, Slice> source;

  /// The same extent without its first `bytes`.
  Extent without_front(std::uint64_t bytes) const;
};

/// What one epoch changed of a file's bytes. A sealed layer (an older epoch's) never changes.
struct Layer {
  Epoch epoch;
  std::uint64_t limit = 0;  ///< bytes of what lies below that still show; truncation lowers it
  std::map<std::uint64_t, Extent> extents;
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

  static FileState from_entry(const Entry& entry);

  std::string encode() const;
  static Result<FileState> decode(std::string_view row);

  /// The layer of `epoch`, made on top of the others when it is not there yet (they are sealed from then on).
  Layer& layer_of(Epoch epoch);

  /// Puts an extent at `offset` of the top layer, over whatever was there, and grows the file to hold it. Bytes of staged
  /// extents that it covers are handed to `drop`.
  using Drop = std::function<void(const StagedAt&, std::uint64_t bytes)>;
  void put(Epoch epoch, std::uint64_t offset, Extent extent, const Drop& drop);
  void truncate(Epoch epoch, std::uint64_t new_size, const Drop& drop);
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

  /// Ranges that may differ from `base`, sorted and disjoint; what lies in none of them is the base's byte for byte.
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

/// Cuts an open file into chunks: begins again at the chunk that holds the first changed byte and takes the old chunks up
/// where their boundaries come back, so that the result is what cutting the whole file afresh would give.
Result<Content> finish_file(const FileState& file, const StagingLog& log, const ContentReader& contents, ObjectWriter& writer,
                            Owner owner = 0);

/// A codec for Contents inside rows.
void encode_content_row(Encoder& out, const Content& content);
Content decode_content_row(Decoder& in);

}  // namespace pfs::store
