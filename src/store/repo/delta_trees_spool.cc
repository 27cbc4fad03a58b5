#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "base/fault.h"
#include "store/repo/delta_trees.h"

// Files that are staged in spools. Every write here is under the file's mutex, but for those into a spool that nobody has yet.
//
// A file gets a spool as a new layer over what the log has of it, so nothing is copied, and what an fsync made durable stays
// where it is. A row tells of the spool before a byte goes into it; from then on the spool itself tells its size and which
// of its blocks count. What it cannot tell (the base shows less after a truncation, an extent was written over) is put
// into the row at once.

namespace pfs::store {

namespace {

// The first of the layers of `epoch`, which is the newest one.
std::vector<Layer>::const_iterator first_layer(const FileState& state, Epoch epoch) {
  return std::find_if(state.layers.begin(), state.layers.end(), [&](const Layer& layer) { return layer.epoch >= epoch; });
}

}  // namespace

bool DeltaTrees::wants_spool(const FileState& state, std::uint64_t size_after) const {
  const auto& limits = staging_->limits();
  if (size_after > limits.spool_bytes) return true;
  if (!state.layers.empty() && state.layers.back().extents.size() > limits.spool_extents) return true;
  return state.overwritten > std::max(limits.overwritten_bytes, 2 * state.size);
}

Result<void> DeltaTrees::open_spool(LiveNode& file) {
  auto& state = file.state;
  PFS_TRY(staging_->admit(1));
  PFS_TRY_ASSIGN(const auto spool, staging_->spools().make());
  Result<void> ready = spool->resize(state.size);
  const auto overwritten = state.overwritten;
  if (ready) {
    state.add_spool(file.marked, spool);
    ready = flush_row(file);
    if (!ready) {
      state.layers.pop_back();
      state.overwritten = overwritten;
    }
  }
  if (!ready) {
    staging_->spools().release(spool->number(), 1);
    return ready;
  }
  file.rows_unsynced = true;
  return fault_point("store.spool.opened");
}

bool DeltaTrees::wants_merge(const LiveNode& file) const {
  const auto& state = file.state;
  if (!ready_for_write(file) || state.writable_spool(file.marked) != nullptr || !wants_spool(state, state.size)) return false;
  const auto spools = std::count_if(first_layer(state, file.marked), state.layers.end(),
                                    [](const Layer& layer) { return layer.spool_number != 0; });
  return static_cast<std::size_t>(spools) >= staging_->limits().spool_layers;
}

// What the layers of this epoch show becomes one spool. Frozen layers stay: their commit reads them. What was merged may have been
// synced, so the spool is before a row names it alone; nothing is held meanwhile, and a file that was changed has one spool more.
Result<void> DeltaTrees::merge_spools(const NodePtr& file) {
  std::optional<StagingLog::Pin> pin;
  FileState before;
  Epoch epoch;
  {
    Lock lock(file->mutex);
    if (!wants_merge(*file)) return {};
    pin.emplace(*staging_);
    before = file->state;
    epoch = file->marked;
  }
  PFS_TRY_ASSIGN(const auto spool, staging_->spools().make());
  Layer merged{epoch, before.size, {}, spool->number(), spool};
  auto done = fill_merged(before, merged);
  if (done) done = spool->sync();
  bool taken = false;
  if (done) {
    Lock lock(file->mutex);
    if (begin_write(file)) {
      auto replaced = replace_layers(*file, before, std::move(merged));
      if (replaced) taken = *replaced;
      else done = std::move(replaced).error();
    }
  }
  if (!taken) staging_->spools().release(spool->number(), 1);
  if (!done && done.error().code == Code::kNoSpace) return {};  // what is written may need less
  PFS_TRY(std::move(done));
  return fault_point("store.spool.merged");
}

// Needs no lock: none of these layers is written to any more.
Result<void> DeltaTrees::fill_merged(const FileState& state, Layer& merged) const {
  Spool& spool = *merged.spool;
  PFS_TRY(spool.resize(state.size));
  const auto fill = [&](std::uint64_t begin, std::uint64_t end) -> Result<void> {
    for (auto block = begin / spool.block(); block * spool.block() < std::min(end, state.size); ++block) {
      if (spool.valid(block)) continue;
      PFS_TRY(staging_->admit(spool.block()));
      PFS_TRY(fill_block(state, spool, block));
    }
    return {};
  };
  for (auto layer = first_layer(state, merged.epoch); layer != state.layers.end(); ++layer) {
    merged.limit = std::min(merged.limit, layer->limit);
    for (const auto& [offset, extent] : layer->extents) PFS_TRY(fill(offset, offset + extent.length));
    constexpr std::uint64_t kStep = std::uint64_t{64} << 20U;
    const auto next = [&](std::uint64_t from) { return layer->spool ? layer->spool->next_valid(from) : Spool::kNone; };
    for (auto from = next(0); from < state.size; from = next(from + kStep)) {
      for (const auto& [begin, end] : layer->spool->valid_ranges(from, std::min(state.size, from + kStep))) PFS_TRY(fill(begin, end));
    }
  }
  return {};
}

// Where the file's layers of that epoch are still those of `before`. Shape: whether they were.
Result<bool> DeltaTrees::replace_layers(LiveNode& file, const FileState& before, Layer merged) {
  auto& state = file.state;
  const auto first = static_cast<std::size_t>(first_layer(state, merged.epoch) - state.layers.begin());
  const auto begin = state.layers.begin() + static_cast<std::ptrdiff_t>(first);
  if (file.marked != merged.epoch || state.size != before.size ||
      !std::equal(begin, state.layers.end(), first_layer(before, merged.epoch), before.layers.end())) {
    return false;
  }
  std::vector<Layer> replaced(std::make_move_iterator(begin), std::make_move_iterator(state.layers.end()));
  state.layers.erase(begin, state.layers.end());
  const auto overwritten = std::exchange(state.overwritten, 0);
  state.layers.push_back(std::move(merged));
  if (auto flushed = flush_row(file); !flushed) {
    state.layers.pop_back();
    std::move(replaced.begin(), replaced.end(), std::back_inserter(state.layers));
    state.overwritten = overwritten;
    return std::move(flushed).error();
  }
  file.rows_unsynced = true;
  for (const auto& layer : replaced) layer.each_staged(dropper());
  return true;
}

// Writes into a block that is not valid yet what the file shows there, whole, so that the block is right at every moment:
// a kill between this and the write that needs it leaves the file as it was.
Result<void> DeltaTrees::fill_block(const FileState& state, Spool& spool, std::uint64_t block) const {
  const std::uint64_t begin = block * spool.block();
  if (begin >= state.size) return {};
  const auto pieces = state.pieces_of(begin, spool.block());
  std::vector<std::byte> bytes(static_cast<std::size_t>(std::min(spool.block(), state.size - begin)));
  PFS_TRY(read_pieces(pieces, *staging_, *parts_.contents, begin, bytes));
  PFS_TRY(spool.write(begin, bytes));
  return fault_point("store.spool.filled");
}

Result<void> DeltaTrees::write_spooled(LiveNode& file, Spool& spool, std::uint64_t offset, std::span<const std::byte> bytes) {
  auto& state = file.state;
  const std::uint64_t end = offset + bytes.size();
  PFS_TRY(staging_->admit(spool.added_by(offset, bytes.size())));
  const std::uint64_t first = offset / spool.block();
  const std::uint64_t last = (end - 1) / spool.block();
  {
    const StagingLog::Pin pin(*staging_);
    if (offset % spool.block() != 0 && !spool.valid(first)) PFS_TRY(fill_block(state, spool, first));
    if (end % spool.block() != 0 && end < state.size && !spool.valid(last)) PFS_TRY(fill_block(state, spool, last));
  }
  PFS_TRY(spool.write(offset, bytes));
  Layer& layer = state.layers.back();
  bool uncovered = false;
  if (!layer.extents.empty()) {
    const auto before = layer.extents.lower_bound(end);
    uncovered = before != layer.extents.begin() && std::prev(before)->first + std::prev(before)->second.length > offset;
  }
  state.size = std::max(state.size, end);
  state.attributes.mtime = state.attributes.ctime = parts_.clock->now();
  if (!uncovered) return {};
  // until the row knows it, the extent hides what was written
  spool.note_replaces();
  state.clear(offset, end, dropper());
  file.rows_unsynced = true;
  return flush_row(file);
}

// The spool first: its size alone says where the file ends, so a kill before the row is put leaves it truncated. Growing
// needs no row at all.
Result<void> DeltaTrees::truncate_spooled(LiveNode& file, Spool& spool, std::uint64_t size) {
  auto& state = file.state;
  const bool hides = size < state.size && (state.layers.back().limit > size || !state.layers.back().extents.empty());
  PFS_TRY(spool.resize(size));
  PFS_FAULT_POINT("store.spool.truncated");
  state.truncate(file.marked, size, dropper());
  state.attributes.mtime = state.attributes.ctime = parts_.clock->now();
  if (!hides) return {};
  spool.note_replaces();
  file.rows_unsynced = true;
  return flush_row(file);
}

}  // namespace pfs::store
