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
      // a small edit needs little; whoever goes on reading gets more at a time
      const bool goes_on = offset >= begin_ && offset <= begin_ + bytes_.size();
      step_ = goes_on ? std::min(step_ * 2, kMaxStep) : kMinStep;
      bytes_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(step_, file_.size - offset)));
      PFS_TRY_ASSIGN(const auto got, read_pieces(file_.pieces_of(offset, bytes_.size()), log_, contents_, offset,
                                                 std::as_writable_bytes(std::span(bytes_))));
      bytes_.resize(got);
      begin_ = offset;
    }
    return std::string_view(bytes_).substr(static_cast<std::size_t>(offset - begin_));
  }

 private:
  static constexpr std::size_t kMinStep = 3 * Chunker::kMax;  // a small edit, what is cut again around it, and what a cut may look at
  static constexpr std::size_t kMaxStep = std::size_t{4} << 20U;
  const FileState& file_;
  const StagingLog& log_;
  const ContentReader& contents_;
  std::uint64_t begin_ = 0;
  std::size_t step_ = kMinStep;
  std::string bytes_;
};

// Cuts a changed file again. Old chunks stay where cutting stands at the beginning of one and nothing in it has changed;
// they are not looked at but at the edges of what changed. The last chunk of the base was ended by the end of the file: it
// stays only where the file still ends there.
class Recut {
 public:
  Recut(const FileState& file, const std::vector<FileState::Range>& changed, const StagingLog& log, const ContentReader& contents,
        ObjectWriter& writer, Owner owner, const std::vector<CutChunk>& cut)
      : file_(file), changed_(changed), cut_(cut), contents_(contents), window_(file, log, contents), builder_(writer, owner),
        next_(changed.begin()), next_cut_(cut.begin()) {}

  Result<Content> run() {
    std::uint64_t at = 0;
    while (at < file_.size) {
      PFS_TRY_ASSIGN(const auto stays_to, old_chunks_stay(at));
      if (stays_to > at) {
        PFS_TRY(builder_.add_part(contents_, file_.base, at, stays_to));
        at = stays_to;
        continue;
      }
      if (const auto* chunk = cut_before(at)) {
        PFS_TRY(builder_.add_run({chunk->digest, chunk->length, 1}));
        at += chunk->length;
        continue;
      }
      PFS_TRY_ASSIGN(const auto bytes, window_.from(at));
      const auto length = Chunker::cut(bytes);
      PFS_TRY(builder_.add_chunk(bytes.substr(0, length)));
      at += length;
    }
    return builder_.finish();
  }

 private:
  // The chunk that begins at `at` and was cut before. Where the file was cut off since, its last chunk is another one.
  const CutChunk* cut_before(std::uint64_t at) {
    while (next_cut_ != cut_.end() && next_cut_->offset < at) ++next_cut_;
    if (next_cut_ == cut_.end() || next_cut_->offset != at || at + next_cut_->length > file_.size) return nullptr;
    return &*next_cut_;
  }

  // How far the old chunks stay from `at` on: `at` where none does, or where no old chunk begins there.
  Result<std::uint64_t> old_chunks_stay(std::uint64_t at) {
    const auto& base = file_.base;
    while (next_ != changed_.end() && next_->end <= at) ++next_;
    if (at >= base.size || base.form == Content::Form::kInline) return at;
    std::uint64_t end = file_.size;  // the chunk that holds this byte does not stay
    if (base.size < file_.size) end = base.size - 1;
    if (next_ != changed_.end()) end = std::min(end, next_->begin);
    if (end <= at) return at;
    PFS_TRY_ASSIGN(const auto here, chunk_begin(at));
    if (here != at || end == base.size) return here == at ? end : at;
    return chunk_begin(end);
  }

  // Where the old chunk begins that holds byte `at`.
  Result<std::uint64_t> chunk_begin(std::uint64_t at) const {
    std::uint64_t found = at;
    PFS_TRY(contents_.runs(file_.base, at, [&](std::uint64_t begin, const ChunkRun& run) {
      found = begin + (at - begin) / run.length * run.length;
      return false;
    }));
    return found;
  }

  const FileState& file_;
  const std::vector<FileState::Range>& changed_;
  const std::vector<CutChunk>& cut_;
  const ContentReader& contents_;
  Window window_;
  ContentBuilder builder_;
  std::vector<FileState::Range>::const_iterator next_;
  std::vector<CutChunk>::const_iterator next_cut_;
};

}  // namespace

Result<Content> finish_file(const FileState& file, const StagingLog& log, const ContentReader& contents, ObjectWriter& writer,
                            Owner owner, const std::vector<CutChunk>& cut) {
  const auto changed = file.changed();
  if (changed.empty() && file.size == file.base.size) return file.base;
  if (file.size <= Content::kMaxInline) {
    Content content;
    content.size = file.size;
    content.bytes.resize(static_cast<std::size_t>(file.size));
    PFS_TRY(read_pieces(file.pieces_of(0, file.size), log, contents, 0, std::as_writable_bytes(std::span(content.bytes))));
    return content;
  }
  return Recut(file, changed, log, contents, writer, owner, cut).run();
}

}  // namespace pfs::store
