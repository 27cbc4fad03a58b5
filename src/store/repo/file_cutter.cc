#include <algorithm>
#include <string>

#include "store/chunk/chunker.h"
#include "store/repo/file_state.h"

namespace pfs::store {

namespace {

// Reads an open file forward in large steps for the chunker.
class Window {
 public:
  Window(const FileState& file, const StagingLog& log, const ContentReader& contents)
      : file_(file), log_(log), contents_(contents) {}

  // At least Chunker::kMax bytes from `offset` on, or all that are left.
  Result<std::string_view> from(std::uint64_t offset) {
    const std::uint64_t needed = std::min<std::uint64_t>(Chunker::kMax, file_.size - offset);
    if (offset < begin_ || offset + needed > begin_ + bytes_.size()) {
      constexpr std::size_t kStep = std::size_t{4} << 20U;
      bytes_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kStep, file_.size - offset)));
      PFS_TRY_ASSIGN(const auto got, read_pieces(file_.pieces_of(offset, bytes_.size()), log_, contents_, offset,
                                                 std::as_writable_bytes(std::span(bytes_))));
      bytes_.resize(got);
      begin_ = offset;
    }
    return std::string_view(bytes_).substr(static_cast<std::size_t>(offset - begin_));
  }

 private:
  const FileState& file_;
  const StagingLog& log_;
  const ContentReader& contents_;
  std::uint64_t begin_ = 0;
  std::string bytes_;
};

}  // namespace

Result<Content> finish_file(const FileState& file, const StagingLog& log, const ContentReader& contents, ObjectWriter& writer,
                            Owner owner) {
  const auto changed = file.changed();
  if (changed.empty() && file.size == file.base.size) return file.base;
  if (file.size <= Content::kMaxInline) {
    Content content;
    content.size = file.size;
    content.bytes.resize(static_cast<std::size_t>(file.size));
    PFS_TRY(read_pieces(file.pieces_of(0, file.size), log, contents, 0, std::as_writable_bytes(std::span(content.bytes))));
    return content;
  }
  ContentBuilder builder(writer, owner);
  Window window(file, log, contents);
  std::uint64_t at = 0;
  auto next_change = changed.begin();

  // Cuts afresh from `at` until an old boundary, given by `chunk_begin`, is met or passed.
  const auto cut_to = [&](std::uint64_t boundary) -> Result<void> {
    while (at < boundary) {
      PFS_TRY_ASSIGN(const auto bytes, window.from(at));
      const auto length = Chunker::cut(bytes);
      PFS_TRY(builder.add_chunk(bytes.substr(0, length)));
      at += length;
    }
    return {};
  };

  // An old chunk stays when cutting stands at its beginning and nothing in it has changed. The last chunk of the base was
  // ended by the end of the file: it stays only where the file still ends there.
  Result<void> outcome;
  PFS_TRY(contents.runs(file.base, 0, [&](std::uint64_t begin, const ChunkRun& run) {
    for (std::uint64_t i = 0; i < run.repeat; ++i) {
      const std::uint64_t chunk_begin = begin + i * run.length;
      const std::uint64_t chunk_end = chunk_begin + run.length;
      if (chunk_begin >= file.size) return false;
      outcome = cut_to(chunk_begin);
      if (!outcome) return false;
      if (at != chunk_begin) continue;  // the new cuts have passed this boundary
      while (next_change != changed.end() && next_change->end <= chunk_begin) ++next_change;
      const bool touched = next_change != changed.end() && next_change->begin < chunk_end;
      const bool cut_by_end = chunk_end == file.base.size && file.size != file.base.size;
      if (touched || cut_by_end || chunk_end > file.size) continue;
      outcome = builder.add_run({run.digest, run.length, 1});
      if (!outcome) return false;
      at = chunk_end;
    }
    return true;
  }));
  PFS_TRY(std::move(outcome));
  PFS_TRY(cut_to(file.size));
  return builder.finish();
}

}  // namespace pfs::store
