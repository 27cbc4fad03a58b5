#include <algorithm>
#include <vector>

#include "base/fault.h"
#include "store/repo/delta_trees.h"

// Files that are staged in spools. Every write here is under the file's mutex.
//
// A file gets a spool as a new layer over what the log has of it, so nothing is copied, and what an fsync made durable stays
// where it is. A row tells of the spool before a byte goes into it; from then on the spool itself tells its size and which
// of its blocks count. What it cannot tell (the base shows less after a truncation, an extent was written over) is put
// into the row at once.

namespace pfs::store {

bool DeltaTrees::wants_spool(const FileState& state, std::uint64_t size_after) const {
  const auto& limits = staging_->limits();
  if (size_after > limits.spool_bytes) return true;
  if (!state.layers.empty() && state.layers.back().extents.size() > limits.spool_extents) return true;
  return state.overwritten > std::max(limits.overwritten_bytes, 2 * state.size);
}

Result<void> DeltaTrees::open_spool(LiveNode& file) {
  auto& state = file.state;
  std::size_t first = state.layers.size();
  std::size_t spools = 0;
  for (; first > 0 && state.layers[first - 1].epoch == file.marked; --first) spools += state.layers[first - 1].spool_number != 0;
  if (spools >= staging_->limits().spool_layers) return merge_spools(file, first);
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

// What the layers of this epoch show becomes one spool. Frozen layers stay: their commit reads them.
Result<void> DeltaTrees::merge_spools(LiveNode& file, std::size_t first) {
  auto& state = file.state;
  const StagingLog::Pin pin(*staging_);
  FileState merged = state;
  merged.layers.erase(merged.layers.begin() + static_cast<std::ptrdiff_t>(first), merged.layers.end());
  PFS_TRY_ASSIGN(const auto spool, staging_->spools().make());
  merged.add_spool(file.marked, spool);
  const auto copy = [&]() PFS_REQUIRES(file.mutex) -> Result<void> {
    PFS_TRY(spool->resize(state.size));
    for (std::size_t at = first; at < state.layers.size(); ++at) {
      const Layer& layer = state.layers[at];
      merged.layers.back().limit = std::min(merged.layers.back().limit, layer.limit);
      const auto fill = [&](std::uint64_t begin, std::uint64_t end) -> Result<void> {
        for (auto block = begin / spool->block(); block * spool->block() < std::min(end, state.size); ++block) {
          if (spool->valid(block)) continue;
          PFS_TRY(staging_->admit(spool->block()));
          PFS_TRY(fill_block(state, *spool, block));
        }
        return {};
      };
      for (const auto& [offset, extent] : layer.extents) PFS_TRY(fill(offset, offset + extent.length));
      constexpr std::uint64_t kStep = std::uint64_t{64} << 20U;
      for (std::uint64_t from = 0; layer.spool && from < state.size; from += kStep) {
        for (const auto& [begin, end] : layer.spool->valid_ranges(from, std::min(state.size, from + kStep))) PFS_TRY(fill(begin, end));
      }
    }
    spool->note_replaces();
    std::swap(state, merged);
    auto flushed = flush_row(file);
    if (!flushed) std::swap(state, merged);
    return flushed;
  };
  if (auto copied = copy(); !copied) {
    staging_->spools().release(spool->number(), 1);
    return copied;
  }
  file.rows_unsynced = true;
  for (std::size_t at = first; at < merged.layers.size(); ++at) merged.layers[at].each_staged(dropper());
  return fault_point("store.spool.merged");
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
