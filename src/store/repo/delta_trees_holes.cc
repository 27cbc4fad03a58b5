#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "store/repo/delta_trees.h"

namespace pfs::store {

namespace {

// A long hole is cut into the one chunk that zeros always make, but for its two ends. So holes are found by a digest.
bool is_hole(const ChunkRun& run) { return run.length == chunk_of_zeros().length && run.digest == chunk_of_zeros().digest; }

// In [from, end) of a finished content.
Result<std::optional<std::uint64_t>> seek_content(const ContentReader& contents, const Content& content, std::uint64_t from,
                                                  std::uint64_t end, Seek wanted) {
  std::optional<std::uint64_t> found;
  if (content.form == Content::Form::kInline) {
    if (wanted == Seek::kData) found = from;
    return found;
  }
  PFS_TRY(contents.runs(content, from, [&](std::uint64_t begin, const ChunkRun& run) {
    if (begin >= end) return false;
    if (is_hole(run) == (wanted == Seek::kHole)) found = std::max(begin, from);
    return !found;
  }));
  return found;
}

Result<std::optional<std::uint64_t>> seek_piece(const ContentReader& contents, const FileState::Piece& piece, Seek wanted) {
  if (const auto* slice = std::get_if<Slice>(&piece.source)) {
    const std::uint64_t from = slice->offset;
    PFS_TRY_ASSIGN(auto found, seek_content(contents, slice->content, from, from + piece.length, wanted));
    if (found) *found += piece.offset - from;
    return found;
  }
  const bool is_data = std::holds_alternative<StagedAt>(piece.source);
  return is_data == (wanted == Seek::kData) ? std::optional(piece.offset) : std::nullopt;
}

}  // namespace

Result<std::optional<std::uint64_t>> DeltaTrees::seek(const NodePtr& file, std::uint64_t offset, Seek wanted) {
  if (file->is_directory()) return Error{Code::kIsDirectory, fmt::format("{}: is a directory", path(file))};
  std::uint64_t size = 0;
  for (std::uint64_t at = offset;;) {
    FileState::Piece piece;
    {
      Lock lock(file->mutex);
      size = file->state.size;
      if (at >= size) break;
      piece = file->state.piece_at(at);
    }
    PFS_TRY_ASSIGN(const auto found, seek_piece(*parts_.contents, piece, wanted));
    if (found) return found;
    at += piece.length;
  }
  return wanted == Seek::kHole && offset < size ? std::optional(size) : std::nullopt;
}

}  // namespace pfs::store
