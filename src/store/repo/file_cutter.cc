#include <algorithm>
#include <memory>
#include <span>

#include "store/chunk/chunker.h"
#include "store/repo/file_state.h"

namespace pfs::store {

namespace {

// Reads an open file forward for the chunker: little around a small edit, more at a time to whoever goes on.
class Window {
 public:
  Window(const FileState& file, const StagingLog& log, const ContentReader& contents)
      : file_(file), log_(log), contents_(contents) {}

  // At least `wanted` bytes from `offset` on, or all that are left.
  Result<std::string_view> from(std::uint64_t offset, std::size_t wanted) {
    if (offset < begin_ || offset > begin_ + size_) {
      begin_ = offset;
      size_ = 0;
      forward_ = 0;
    }
    const auto skip = static_cast<std::size_t>(offset - begin_);
    const auto left = file_.size - offset;
    if (size_ - skip < std::min<std::uint64_t>(wanted, left)) PFS_TRY(read_on(skip, wanted, left));
    const auto passed = static_cast<std::size_t>(offset - begin_);
    return std::string_view(bytes_.get() + passed, size_ - passed);
  }

 private:
  static constexpr std::size_t kMaxStep = std::size_t{4} << 20U;

  Result<void> read_on(std::size_t skip, std::size_t wanted, std::uint64_t left) {
    const auto kept = size_ - skip;
    const auto step = std::min(forward_ / 2, kMaxStep);
    const auto more = static_cast<std::size_t>(std::min<std::uint64_t>(std::max(wanted - kept, step), left - kept));
    if (kept + more > room_) {
      room_ = kept + more;
      auto bytes = std::make_unique_for_overwrite<char[]>(room_);
      std::copy_n(bytes_.get() + skip, kept, bytes.get());
      bytes_ = std::move(bytes);
    } else {
      std::copy_n(bytes_.get() + skip, kept, bytes_.get());
    }
    begin_ += skip;
    size_ = kept;
    const auto at = begin_ + kept;
    PFS_TRY_ASSIGN(const auto got, read_pieces(file_.pieces_of(at, more), log_, contents_, at,
                                               std::as_writable_bytes(std::span(bytes_.get() + kept, more))));
    size_ += got;
    forward_ += got;
    return {};
  }

  const FileState& file_;
  const StagingLog& log_;
  const ContentReader& contents_;
  std::uint64_t begin_ = 0;
  std::size_t size_ = 0;
  std::size_t room_ = 0;
  std::size_t forward_ = 0;  // bytes that were read one after the other
  std::unique_ptr<char[]> bytes_;  // not a string: that would be filled with zeros first
};

// Cuts a changed file again. Old chunks stay where cutting stands at the beginning of one and nothing in it has changed;
// they are not looked at but at the edges of what changed. The last chunk of the base was ended by the end of the file: it
// stays only where the file still ends there. Nor are the zeros of long holes looked at, so that the size of a file, which
// costs nobody anything, is not what a commit costs.
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
      if (const auto* before = cut_before(at)) {
        PFS_TRY(builder_.add_run({before->digest, before->length, 1}));
        at += before->length;
        continue;
      }
      PFS_TRY_ASSIGN(const auto zeros_to, hole_end(at));
      if (zeros_to - at >= kLongHole) {
        PFS_TRY_ASSIGN(at, add_hole(at, zeros_to));
        continue;
      }
      PFS_TRY_ASSIGN(const auto chunk, next_chunk(at));
      PFS_TRY(builder_.add_chunk(chunk));
      at += chunk.size();
    }
    return builder_.finish();
  }

 private:
  // Below it a hole is cut like other bytes: to pass over one, all chunks before it must have been hashed.
  static constexpr std::uint64_t kLongHole = 4 * Chunker::kMax;

  // Most chunks end within kLikely; only for the others the bytes are brought that the longest one needs.
  Result<std::string_view> next_chunk(std::uint64_t at) {
    constexpr std::size_t kLikely = 2 * Chunker::kTarget;
    PFS_TRY_ASSIGN(auto bytes, window_.from(at, kLikely));
    auto length = Chunker::cut(bytes);
    if (length == bytes.size() && length < Chunker::kMax && at + length < file_.size) {
      PFS_TRY_ASSIGN(bytes, window_.from(at, Chunker::kMax));
      length = Chunker::cut(bytes);
    }
    return bytes.substr(0, length);
  }

  // How far nothing but zeros come from `at` on, as far as that can be told without reading.
  Result<std::uint64_t> hole_end(std::uint64_t at) {
    std::uint64_t end = at;
    while (end < file_.size && end >= data_to_) {
      const auto piece = file_.piece_at(end);
      std::uint64_t to = end + piece.length;
      bool zeros = std::holds_alternative<std::monostate>(piece.source);
      if (const auto* slice = std::get_if<Slice>(&piece.source); slice != nullptr && slice->content.form != Content::Form::kInline) {
        PFS_TRY(contents_.runs(slice->content, slice->offset, [&](std::uint64_t begin, const ChunkRun& run) {
          zeros = run.digest == chunk_of_zeros().digest;
          to = std::min(to, end + (begin + run.bytes() - slice->offset));
          return false;
        }));
      }
      if (!zeros) {
        data_to_ = to;
        break;
      }
      end = to;
    }
    return end;
  }

  // Cuts the hole [at, end), but for its last chunks: those are also made of what lies behind it. Where kMax zeros follow, what
  // lies behind those makes no difference. Returns how far that went.
  Result<std::uint64_t> add_hole(std::uint64_t at, std::uint64_t end) {
    const auto& zeros = chunk_of_zeros();
    const std::uint64_t count = (end - at - Chunker::kMax) / zeros.length + 1;
    if (!zeros_stored_) PFS_TRY(builder_.add_chunk(std::string(zeros.length, '\0')));
    const std::uint64_t more = zeros_stored_ ? count : count - 1;
    zeros_stored_ = true;
    if (more > 0) PFS_TRY(builder_.add_run({zeros.digest, zeros.length, more}));
    return at + count * zeros.length;
  }

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
  std::uint64_t data_to_ = 0;  // so far data goes on from where a hole was looked for last
  bool zeros_stored_ = false;  // by this file
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
