#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/fault.h"
#include "store/repo/delta_trees.h"

namespace pfs::store {

namespace {

constexpr std::uint64_t kMaxFileSize = std::uint64_t{1} << 60U;

}  // namespace

FileState::Drop DeltaTrees::dropper() {
  return [this](const StagedAt& at, std::uint64_t bytes) { staging_->release(at, bytes); };
}

// A write goes ahead under the file's mutex alone once the file's rows are those of the current epoch, which it asks for by
// begin_write(). freeze() raises the epoch first and then takes each stale file's mutex: a write that saw the old epoch is in
// the frozen rows.
bool DeltaTrees::ready_for_write(const LiveNode& file) const {
  return file.file && file.marked.value() == epoch_ && !file.folding;
}

Result<void> DeltaTrees::prepare_write(const NodePtr& file) {
  {
    Lock lock(file->mutex);
    if (ready_for_write(*file)) return {};
  }
  Lock lock(mutex_);
  wait_while_held(*file);
  return prepare_write_locked(file);
}

Result<void> DeltaTrees::prepare_write_locked(const NodePtr& file) {
  if (file->kind != Kind::kFile) return Error{Code::kInvalid, fmt::format("{}: not a regular file", path_locked(*file))};
  const auto where = state_locked(*file);
  if (where == NodeState::kOrphaned) {
    return Error{Code::kStale, fmt::format("{}: its branch points elsewhere now; open it again", path_locked(*file))};
  }
  if (where == NodeState::kRemoved) {  // unlinked and still open: it needs no rows, only an identity
    PFS_TRY_ASSIGN(const auto number, new_id(*root_of(*file).info));
    Lock lock(file->mutex);
    if (!file->file) file->file = FileId(number);
    file->marked = Epoch(epoch_);
    return {};
  }
  PFS_TRY(check_changeable(*file->parent));
  PFS_TRY(open_link(file));
  Change change;
  PFS_TRY(mark_directory(*file->parent, change));
  bool fresh = false;
  {
    Lock lock(file->mutex);
    fresh = !file->file;
  }
  if (fresh) {
    PFS_TRY_ASSIGN(const auto number, new_id(*root_of(*file).info));
    Lock lock(file->mutex);
    file->file = FileId(number);
  }
  // Other branches' commits have raised the epoch since. Where none is made of this one, nobody needs the file as it was then:
  // else every one of those commits would leave it a layer.
  const auto& info = *root_of(*file).info;
  bool carried = false;
  if (!info.frozen && info.joined.empty()) {
    Lock lock(file->mutex);
    carried = !file->state.layers.empty() && file->marked.value() < epoch_;
    if (carried) {
      file->state.carry_to(Epoch(epoch_));
      change.batch.erase(Family::kInode, file_key(file->file, file->marked));
    }
  }
  PFS_TRY(put_names(*file, change));
  if (auto applied = apply(change); !applied) {
    Lock lock(file->mutex);
    if (fresh) file->file = {};
    return applied;
  }
  Lock lock(file->mutex);
  if (carried) cut_ahead_->carried(*file, Epoch(epoch_));
  file->marked = Epoch(epoch_);
  files_.put(file->file, file);
  note_change(*file);
  return {};
}

// Listed before the epoch is looked at: freeze() raises the epoch and then goes through the list, so either it waits for this
// write, or this write sees the new epoch.
bool DeltaTrees::begin_write(const NodePtr& file) {
  note_stale(file);
  return ready_for_write(*file);
}

void DeltaTrees::note_stale(const NodePtr& file) {
  file->last_write = parts_.clock->steady();
  if (file->stale_row || file->link == NodeState::kRemoved) return;
  file->stale_row = true;
  Lock lock(leaf_);
  stale_.insert(file);
}

Result<void> DeltaTrees::write_ready(LiveNode& file, std::uint64_t offset, std::span<const std::byte> bytes) {
  if (bytes.empty()) return {};
  const std::uint64_t size_after = std::max<std::uint64_t>(file.state.size, offset + bytes.size());
  if (file.state.writable_spool(file.marked) == nullptr && wants_spool(file.state, size_after)) PFS_TRY(open_spool(file));
  auto* spool = file.state.writable_spool(file.marked);
  // told whatever comes of it: a part of the bytes may have been written
  auto written = spool != nullptr ? write_spooled(file, *spool, offset, bytes) : write_logged(file, offset, bytes);
  cut_ahead_->wrote(file, offset);
  return written;
}

Result<void> DeltaTrees::write_logged(LiveNode& file, std::uint64_t offset, std::span<const std::byte> bytes) {
  PFS_TRY(staging_->admit(bytes.size()));
  StagingRecord record;
  record.file = file.file;
  record.epoch = file.marked;
  record.offset = offset;
  record.mtime = parts_.clock->now();
  record.size_after = std::max<std::uint64_t>(file.state.size, offset + bytes.size());
  PFS_TRY(staging_->append(record, bytes));
  file.state.put(file.marked, offset, Extent{bytes.size(), record.at}, dropper());
  file.state.applied = record.sequence;
  file.state.attributes.mtime = file.state.attributes.ctime = record.mtime;
  file.log_unsynced = true;
  return {};
}

Result<void> DeltaTrees::truncate_ready(LiveNode& file, std::uint64_t size) {
  if (size > kMaxFileSize) return Error{Code::kTooLarge, fmt::format("{} bytes are more than a file can have", size)};
  cut_ahead_->changed(file);
  if (auto* spool = file.state.writable_spool(file.marked); spool != nullptr && size > 0) return truncate_spooled(file, *spool, size);
  StagingRecord record;
  record.kind = StagingRecord::Kind::kTruncate;
  record.file = file.file;
  record.epoch = file.marked;
  record.mtime = parts_.clock->now();
  record.size_after = size;
  PFS_TRY(staging_->append(record, {}));
  file.state.truncate(file.marked, size, dropper());
  file.state.applied = record.sequence;
  file.state.attributes.mtime = file.state.attributes.ctime = record.mtime;
  file.log_unsynced = true;
  return {};
}

Result<void> DeltaTrees::write(const NodePtr& file, std::uint64_t offset, std::span<const std::byte> bytes) {
  if (offset > kMaxFileSize || bytes.size() > kMaxFileSize - offset) {
    return Error{Code::kTooLarge, fmt::format("{} bytes at {} are more than a file can have", bytes.size(), offset)};
  }
  for (bool cleared = false;;) {
    clear_if_wanted();
    PFS_TRY(prepare_write(file));
    if (!cleared) PFS_TRY(merge_spools(file));
    Result<void> written;
    {
      Lock lock(file->mutex);
      if (!begin_write(file)) continue;
      written = write_ready(*file, offset, bytes);
    }
    if (written || written.error().code != Code::kNoSpace || cleared || !clear_for_room()) return written;
    cleared = true;
  }
}

Result<std::uint64_t> DeltaTrees::append(const NodePtr& file, std::span<const std::byte> bytes) {
  for (bool cleared = false;;) {
    clear_if_wanted();
    PFS_TRY(prepare_write(file));
    if (!cleared) PFS_TRY(merge_spools(file));
    std::uint64_t offset = 0;
    Result<void> written;
    {
      Lock lock(file->mutex);
      if (!begin_write(file)) continue;
      offset = file->state.size;
      written = write_ready(*file, offset, bytes);
    }
    if (written) return offset;
    if (written.error().code != Code::kNoSpace || cleared || !clear_for_room()) return std::move(written).error();
    cleared = true;
  }
}

namespace {

// Whether copying [offset, offset + length) of `source` into `target` makes, or goes on making, a copy of the whole: the
// target then refers to the source's content itself, and finishing has nothing to cut.
bool extends_copy(const FileState& target, const Content& source, std::uint64_t source_offset, std::uint64_t target_offset) {
  if (source_offset != target_offset || target.size != target_offset) return false;
  if (target.size == 0) return true;
  return target.base == source && target.layers.size() == 1 && target.layers.back().extents.empty() &&
         target.layers.back().spool_number == 0 && target.layers.back().limit == target.size;
}

}  // namespace

Result<std::uint64_t> DeltaTrees::copy_range(const NodePtr& source, std::uint64_t source_offset, const NodePtr& target,
                                             std::uint64_t target_offset, std::uint64_t length) {
  if (source->is_directory() || target->is_directory()) {
    return Error{Code::kIsDirectory, fmt::format("{}: is a directory", path(source->is_directory() ? source : target))};
  }
  const StagingLog::Pin pin(*staging_);
  std::vector<FileState::Piece> pieces;
  Content content;
  bool clean = false;
  std::uint64_t size = 0;
  {
    Lock lock(source->mutex);
    size = source->state.size;
    if (source_offset >= size) return std::uint64_t{0};
    length = std::min(length, size - source_offset);
    clean = source->state.layers.empty() && source->state.size == source->state.base.size;
    content = source->state.base;
    if (!clean) {
      source->state.seal_spools();  // from now on shared
      pieces = source->state.pieces_of(source_offset, length);
    }
  }
  if (target_offset > kMaxFileSize || length > kMaxFileSize - target_offset) {
    return Error{Code::kTooLarge, fmt::format("{} bytes at {} are more than a file can have", length, target_offset)};
  }
  if (source == target && source_offset < target_offset + length && target_offset < source_offset + length) {
    return Error{Code::kInvalid, fmt::format("{}: the ranges overlap", path(source))};
  }
  if (clean) pieces = {{source_offset, length, Slice{content, source_offset}}};
  for (const auto& piece : pieces) {
    if (const auto* slice = std::get_if<Slice>(&piece.source)) refer_to(slice->content);
  }
  for (;;) {
    bool being_finished = false;
    Epoch looked_in;
    {
      Lock lock(mutex_);
      being_finished = last_frozen() != Epoch{};
      looked_in = Epoch(epoch_);
    }
    PFS_FAULT_POINT("store.copy.looked");
    PFS_TRY(prepare_write(target));
    Lock lock(target->mutex);
    // what is frozen after we looked raises the epoch
    if (!begin_write(target) || target->marked != looked_in) continue;
    auto& state = target->state;
    cut_ahead_->changed(*target);
    // while a commit is being made the file's base may yet become what the commit has: only layers go over it
    if (clean && !being_finished && extends_copy(state, content, source_offset, target_offset)) {
      const std::uint64_t copied = target_offset + length;
      state.fold(Epoch(~std::uint64_t{0}), content, dropper());
      state.finished = false;  // no commit has had it
      if (copied < content.size) state.layers.push_back({target->marked, copied, {}, 0, nullptr});
      state.size = copied;
    } else {
      for (const auto& piece : pieces) {
        const std::uint64_t at = target_offset + (piece.offset - source_offset);
        if (const auto* staged = std::get_if<StagedAt>(&piece.source)) {
          staging_->claim(*staged, piece.length);
          state.put(target->marked, at, Extent{piece.length, *staged}, dropper());
        } else if (const auto* slice = std::get_if<Slice>(&piece.source)) {
          state.put(target->marked, at, Extent{piece.length, *slice}, dropper());
        } else if (at >= state.size) {
          state.truncate(target->marked, at + piece.length, dropper());  // a hole
        } else {
          const std::vector<std::byte> zeros(static_cast<std::size_t>(std::min<std::uint64_t>(piece.length, 1U << 20U)));
          for (std::uint64_t done = 0; done < piece.length; done += zeros.size()) {
            const auto part = std::min<std::uint64_t>(zeros.size(), piece.length - done);
            PFS_TRY(write_ready(*target, at + done, std::span(zeros).first(static_cast<std::size_t>(part))));
          }
        }
      }
    }
    if (auto* spool = state.writable_spool(target->marked); spool != nullptr && spool->size() != state.size) {
      PFS_TRY(spool->resize(state.size));
    }
    state.attributes.mtime = state.attributes.ctime = parts_.clock->now();
    // neither the log nor a spool knows of it: the row must
    target->rows_unsynced = target->log_unsynced = true;
    PFS_TRY(flush_row(*target));
    return length;
  }
}

Result<void> DeltaTrees::flush_row(LiveNode& file) {
  if (file.link == NodeState::kLinked && file.file) {
    LocalBatch batch;
    batch.put(Family::kInode, file_key(file.file, file.marked), file.state.encode());
    PFS_TRY(parts_.local->write(batch));
  }
  return {};
}

// Brings the rows of all files up to date; those that are open for writing stay listed.
Result<void> DeltaTrees::flush_rows() {
  std::vector<NodePtr> files;
  {
    Lock lock(leaf_);
    files.assign(stale_.begin(), stale_.end());
  }
  for (const auto& file : files) {
    Lock lock(file->mutex);
    if (!file->stale_row) continue;
    PFS_TRY(flush_row(*file));
    if (file->writers > 0) continue;
    file->stale_row = false;
    Lock leaf(leaf_);
    stale_.erase(file);
  }
  return {};
}

void DeltaTrees::opened_for_write(const NodePtr& file, pid_t pid) {
  Lock lock(file->mutex);
  ++file->writers;
  file->writer = pid;
}

void DeltaTrees::released_for_write(const NodePtr& file) {
  reap();
  bool written = false;
  {
    Lock lock(file->mutex);
    if (--file->writers > 0) return;
    written = file->stale_row && !file->folding;
    if (written) {
      if (auto flushed = flush_row(*file); !flushed) {
        spdlog::warn("a file's row lags behind the staging log: {}", flushed.error().message);
        return;
      }
      file->stale_row = false;
      Lock leaf(leaf_);
      stale_.erase(file);
    }
  }
  std::optional<BranchRef> closed;
  {
    Lock lock(mutex_);
    if (state_locked(*file) != NodeState::kLinked) return;
    if (written) note_change(*file);
    const auto& info = *root_of(*file).info;
    if (info.commits_at_close && info.changed) closed = info.branch;
  }
  if (closed && on_close_) on_close_(*closed);
}

}  // namespace pfs::store
