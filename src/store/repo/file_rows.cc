#include "store/repo/file_rows.h"

namespace pfs::store {

namespace {

// To a file whose number is so near it is cheaper to step over the rows in between than to seek.
constexpr std::uint64_t kNear = 8;
constexpr std::size_t kUntilRenewed = 1024;

}  // namespace

Result<void> FileRows::each(FileId file, const Visit& visit) {
  const auto begin = file_begin(file);
  const auto end = file_end(file);
  PFS_TRY(go_to(file, begin));
  while (at_row_ && cursor_->key() < end) {
    PFS_TRY_ASSIGN(const auto parsed, parse_numbered_key(cursor_->key()));
    if (!visit(parsed.epoch, cursor_->key(), cursor_->value())) return {};
    PFS_TRY_ASSIGN(at_row_, cursor_->next());
  }
  return {};
}

// To the first row of the file, or behind where it would be.
Result<void> FileRows::go_to(FileId file, const std::string& begin) {
  if (++looked_for_ % kUntilRenewed == 0) cursor_.reset();
  const bool near = cursor_ && at_row_ && file > last_ && file.value() - last_.value() <= kNear;
  last_ = file;
  if (near) {
    while (at_row_ && cursor_->key() < begin) {
      PFS_TRY_ASSIGN(at_row_, cursor_->next());
    }
    return {};
  }
  if (!cursor_) cursor_ = local_.cursor(Family::kInode, file_begin(FileId(0)), end_, at_);
  PFS_TRY_ASSIGN(at_row_, cursor_->seek(begin));
  return {};
}

}  // namespace pfs::store
