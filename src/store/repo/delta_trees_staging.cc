#include <algorithm>
#include <chrono>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include <spdlog/spdlog.h>

#include "base/fault.h"
#include "store/repo/delta_trees.h"

// fsync, what rows say of staged bytes after a restart, and clearing staging up.

namespace pfs::store {

namespace {

// What is copied before it is synced and taken over: a sync for so much.
constexpr std::uint64_t kMovedBytesAtOnce = std::uint64_t{8} << 20U;
constexpr std::size_t kMovedRunsAtOnce = 4096;

constexpr std::chrono::seconds kQuietFor{1};
constexpr std::chrono::seconds kQuietAgain{10};  // what readers keep, or what could not be synced

}  // namespace

// What a power cut may bring back: rows of the database up to some moment, records of the log whose checksum holds, blocks
// of spools that were written back. A row may then be newer than the bytes it refers to, never older than what this
// has returned for: whatever changed a row that a file needs set `rows_unsynced`. Numbers of segments and spools are not used
// again while a row may refer to them, so what is missing is missing: settle_rows() takes it out, and no file shows another's bytes.
Result<void> DeltaTrees::sync(const NodePtr& node) {
  if (node->is_directory()) return parts_.local->sync();
  bool rows = false;
  bool log = false;
  std::optional<StagingLog::Pin> pin;  // a spool that gives way to a truncation beside this is synced still
  std::vector<SpoolPtr> spools;
  const auto look = [&]() PFS_REQUIRES(node->mutex) {
    rows = std::exchange(node->rows_unsynced, false) || node->syncs > 0;
    log = std::exchange(node->log_unsynced, false) || node->syncs > 0;
    ++node->syncs;
    for (const auto& layer : node->state.layers) {
      if (layer.spool) spools.push_back(layer.spool);
      for (const auto& [offset, extent] : layer.extents) {
        const auto* at = std::get_if<StagedAt>(&extent.source);
        if (at == nullptr || !at->is_in_spool()) continue;
        if (auto found = staging_->spools().find(at->spool()); found && *found) spools.push_back(*found);
      }
    }
    if (!spools.empty()) pin.emplace(*staging_);
  };
  bool looked = false;
  {
    Lock lock(node->mutex);
    if (!node->rows_unsynced) {
      look();
      looked = true;
    }
  }
  if (!looked) {
    // whoever changes its rows holds the mutex until they are written: what is synced below is all of it
    Lock lock(mutex_);
    Lock file_lock(node->mutex);
    look();
  }
  const std::uint64_t asked = rows && (log || !spools.empty()) ? row_syncer_->begin() : 0;
  Result<void> outcome;
  if (log) outcome = staging_->sync();
  for (const auto& spool : spools) {
    if (outcome) outcome = spool->sync();
  }
  if (rows) {
    auto synced = asked > 0 ? row_syncer_->wait(asked) : parts_.local->sync();
    if (outcome) outcome = std::move(synced);
  }
  Lock lock(node->mutex);
  --node->syncs;
  if (!outcome) {
    node->rows_unsynced = node->rows_unsynced || rows;
    node->log_unsynced = node->log_unsynced || log;
  }
  return outcome;
}

// Rows that lag behind may still refer to what nobody claims, and a truncation is in a segment where nothing else lives: rows
// are brought up to date before anything is deleted. What took the place of the deleted must be safe by then.
Result<void> DeltaTrees::release_staging() {
  if (clearing_.exchange(true)) return {};
  const auto clear = [&]() -> Result<void> {
    auto gone = staging_->unclaimed();
    const auto sparse = staging_->sparse_segments();
    if (gone.empty() && sparse.empty()) return {};
    if (!sparse.empty()) {
      PFS_TRY(move_sparse(sparse));
      gone = staging_->unclaimed();
    }
    {
      Lock lock(mutex_);
      PFS_TRY(flush_rows());
    }
    PFS_TRY(staging_->sync());
    PFS_TRY(staging_->spools().sync_replacing());
    PFS_TRY(parts_.local->sync());
    PFS_FAULT_POINT("store.staging.remove");
    staging_->remove(gone);
    return {};
  };
  auto cleared = clear();
  staging_->cleared();
  clearing_ = false;
  return cleared;
}

void DeltaTrees::clear_if_wanted() {
  if (!staging_->wants_clearing()) return;
  if (auto cleared = release_staging(); !cleared) spdlog::warn("staging: not cleared up: {}", cleared.error().message);
}

// Not at once: a commit, or more that goes, is mostly about to come, and one sync is enough for all of it.
void DeltaTrees::clear_when_quiet() {
  reap();
  auto dead = staging_->spools().unclaimed();
  const auto now = parts_.clock->steady();
  {
    Lock lock(leaf_);
    if (dead != dead_spools_) {
      dead_spools_ = std::move(dead);
      dead_since_ = now;
      return;
    }
    if (dead.empty() || now - dead_since_ < kQuietFor) return;
    dead_since_ = now + kQuietAgain;
  }
  if (auto cleared = release_staging(); !cleared) spdlog::warn("staging: not cleared up: {}", cleared.error().message);
}

bool DeltaTrees::clear_for_room() {
  reap_all();
  const auto usage = staging_->usage();
  if (usage.bytes <= usage.live) return false;
  if (auto cleared = release_staging(); !cleared) {
    spdlog::warn("staging: not cleared up: {}", cleared.error().message);
    return false;
  }
  return staging_->usage().bytes < usage.bytes;  // else readers keep all of it
}

// Rows lead to copies only once those are synced: what they take the place of may have been, and any sync of the database makes
// the rows durable. Not while a commit is being finished: its rows refer to the same bytes and do not change.
Result<void> DeltaTrees::move_sparse(const std::vector<std::uint64_t>& segments) {
  PFS_TRY_ASSIGN(const auto files, files_in(segments));
  std::vector<Copied> copies;
  std::uint64_t bytes = 0;
  Result<void> outcome;
  for (const auto file : files) {
    const std::size_t before = copies.size();
    const auto copied = copy_staged(file, segments, copies);
    for (std::size_t copy = before; copy < copies.size(); ++copy) bytes += copies[copy].length;
    if (!copied) outcome = copied.error();
    if (!copied || !*copied) break;
    if (bytes < kMovedBytesAtOnce && copies.size() < kMovedRunsAtOnce) continue;
    outcome = place_copies(copies);
    if (!outcome) break;
    bytes = 0;
  }
  auto placed = place_copies(copies);
  return outcome ? std::move(placed) : std::move(outcome);
}

Result<std::set<FileId>> DeltaTrees::files_in(const std::vector<std::uint64_t>& segments) {
  std::set<FileId> files;
  Result<void> outcome;
  std::uint64_t last = 0;
  {
    Lock lock(mutex_);
    if (last_frozen().value() != 0) return files;
    PFS_TRY(flush_rows());
  }
  PFS_TRY(parts_.local->scan(Family::kInode, "I", "J", [&](std::string_view key, std::string_view value) {
    const auto parsed = parse_numbered_key(key);
    const auto state = FileState::decode(value);
    if (!parsed || !state) {
      outcome = parsed ? state.error() : parsed.error();
      return false;
    }
    if (parsed->number == last) return true;
    last = parsed->number;
    state->each_staged([&](const StagedAt& at, std::uint64_t) {
      if (std::find(segments.begin(), segments.end(), at.segment) != segments.end()) files.insert(FileId(last));
    });
    return true;
  }));
  PFS_TRY(std::move(outcome));
  return files;
}

Result<std::optional<FileState>> DeltaTrees::movable_state(FileId file) {
  if (unnamed_.contains(file)) return std::optional<FileState>();
  if (const NodePtr loaded = files_.find(file)) {
    Lock lock(loaded->mutex);
    if (loaded->file != file || loaded->link != NodeState::kLinked) return std::optional<FileState>();
    return std::optional(loaded->state);
  }
  PFS_TRY_ASSIGN(const auto newest, newest_numbered(file_begin(file), file_end(file), kNewest, nullptr));
  if (!newest) return std::optional<FileState>();
  PFS_TRY_ASSIGN(auto state, FileState::decode(newest->second, staging_.get()));
  return std::optional(std::move(state));
}

// With nothing held: records do not change, and nobody else deletes segments meanwhile. Pieces that follow each other in the
// file become one record.
Result<bool> DeltaTrees::copy_staged(FileId file, const std::vector<std::uint64_t>& segments, std::vector<Copied>& copies) {
  constexpr std::uint64_t kLargest = std::uint64_t{1} << 20U;
  std::optional<FileState> state;
  {
    Lock lock(mutex_);
    if (last_frozen().value() != 0) return false;
    PFS_TRY_ASSIGN(state, movable_state(file));
  }
  if (!state) return true;
  for (const auto& layer : state->layers) {
    Copied run;
    const auto copy = [&]() -> Result<void> {
      if (run.from.empty()) return {};
      return copy_run(*state, layer.epoch, std::exchange(run, Copied{}), copies);
    };
    for (const auto& [offset, extent] : layer.extents) {
      const auto* at = std::get_if<StagedAt>(&extent.source);
      const bool moves = at != nullptr && std::find(segments.begin(), segments.end(), at->segment) != segments.end();
      if (!moves || offset != run.offset + run.length || run.length + extent.length > kLargest) PFS_TRY(copy());
      if (!moves) continue;
      if (run.from.empty()) {
        run.file = file;
        run.offset = offset;
      }
      run.from.push_back(extent);
      run.length += extent.length;
    }
    PFS_TRY(copy());
  }
  return true;
}

Result<void> DeltaTrees::copy_run(const FileState& state, Epoch epoch, Copied run, std::vector<Copied>& copies) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(run.length));
  std::size_t done = 0;
  for (const auto& piece : run.from) {
    const auto part = std::span(bytes).subspan(done, static_cast<std::size_t>(piece.length));
    PFS_TRY(staging_->read(std::get<StagedAt>(piece.source), part));
    done += part.size();
  }
  StagingRecord record;
  record.kind = StagingRecord::Kind::kMoved;
  record.file = run.file;
  record.epoch = epoch;
  record.offset = run.offset;
  record.size_after = state.size;
  record.mtime = state.attributes.mtime;
  PFS_TRY(staging_->append(record, bytes));
  run.to = record.at;
  copies.push_back(std::move(run));
  return fault_point("store.staging.moved");
}

// Copies of what was written over, folded or removed meanwhile are garbage, and so are all that cannot be synced.
Result<void> DeltaTrees::place_copies(std::vector<Copied>& copies) {
  if (copies.empty()) return {};
  auto outcome = staging_->sync();
  for (auto begin = copies.begin(); outcome && begin != copies.end();) {
    const auto end = std::find_if(begin, copies.end(), [&](const Copied& copy) { return copy.file != begin->file; });
    outcome = put_copies(begin->file, {begin, end});
    begin = end;
  }
  for (const auto& copy : copies) {
    if (!copy.placed) {
      staging_->release(copy.to, copy.length);
      continue;
    }
    for (const auto& piece : copy.from) staging_->release(std::get<StagedAt>(piece.source), piece.length);
  }
  copies.clear();
  return outcome;
}

// Where the file still has what was copied, in whatever layer: what lies at a place of the log lies there for good.
bool DeltaTrees::take_copies(FileState& state, std::span<Copied> copies) {
  bool any = false;
  for (auto& copy : copies) {
    for (auto& layer : state.layers) {
      const auto begin = layer.extents.find(copy.offset);
      auto end = begin;
      auto piece = copy.from.begin();
      for (auto at = copy.offset; piece != copy.from.end() && end != layer.extents.end(); ++piece, ++end) {
        if (end->first != at || !(end->second == *piece)) break;
        at += piece->length;
      }
      if (piece != copy.from.end()) continue;
      layer.extents.emplace_hint(layer.extents.erase(begin, end), copy.offset, Extent{copy.length, copy.to});
      copy.placed = any = true;
      break;
    }
  }
  return any;
}

// File by file, so that nobody waits for long.
Result<void> DeltaTrees::put_copies(FileId file, std::span<Copied> copies) {
  Lock lock(mutex_);
  if (last_frozen().value() != 0 || unnamed_.contains(file)) return {};
  Result<void> put;
  if (const NodePtr loaded = files_.find(file)) {
    Lock file_lock(loaded->mutex);
    if (loaded->file != file || loaded->link != NodeState::kLinked) return {};
    FileState state = loaded->state;
    if (!take_copies(state, copies)) return {};
    std::swap(loaded->state, state);
    put = flush_row(*loaded);
    if (put) loaded->rows_unsynced = true;
    else std::swap(loaded->state, state);
  } else {
    PFS_TRY_ASSIGN(const auto newest, newest_numbered(file_begin(file), file_end(file), kNewest, nullptr));
    if (!newest) return {};
    PFS_TRY_ASSIGN(auto state, FileState::decode(newest->second, staging_.get()));
    if (!take_copies(state, copies)) return {};
    LocalBatch batch;
    batch.put(Family::kInode, file_key(file, newest->first), state.encode());
    put = parts_.local->write(batch);
  }
  if (!put) {
    for (auto& copy : copies) copy.placed = false;
  }
  return put;
}

// Takes out of the rows what a power cut took, brings those up to date whose bytes are in spools, and claims what the newest
// of each file refers to: its layers are all there are. Notes which files have several names.
Result<void> DeltaTrees::settle_rows() {
  Result<void> outcome;
  std::uint64_t last = 0;
  std::uint64_t last_epoch = 0;
  std::unordered_map<FileId, std::uint64_t> linked;
  LocalBatch batch;
  PFS_TRY(parts_.local->scan(Family::kInode, "I", "J", [&](std::string_view key, std::string_view value) {
    const auto parsed = parse_numbered_key(key);
    auto state = FileState::decode(value, staging_.get());
    if (!parsed || !state) {
      outcome = parsed ? std::move(state).error() : parsed.error();
      return false;
    }
    const bool newest = parsed->number != last;
    last = parsed->number;
    last_epoch = std::max(last_epoch, parsed->epoch.value());
    const bool lost = state->drop_lost(*staging_);
    if (lost) spdlog::warn("file {}: bytes that were never synced did not survive", last);
    const bool followed = newest && state->follow_spool();
    if (lost || followed) batch.put(Family::kInode, std::string(key), state->encode());
    if (newest) {
      if (state->link_id != 0) linked[FileId(last)] = state->link_id;
      state->each_staged([&](const StagedAt& at, std::uint64_t bytes) { staging_->claim(at, bytes); });
      staging_->note_used(state->applied);
    }
    return true;
  }));
  PFS_TRY(std::move(outcome));
  // a freeze whose counters did not survive: rows of the epoch that it began may have
  epoch_ = std::max(epoch_.load(), last_epoch);
  {
    Lock lock(mutex_);
    linked_files_ = std::move(linked);
  }
  return parts_.local->write(batch);
}

// What the files of a dropped tree refer to. Those that somebody still holds, be it the kernel, keep theirs until the last
// one lets go.
Result<void> DeltaTrees::release_rows(FileId begin, FileId end) {
  Result<void> outcome;
  std::vector<NodePtr> held;
  std::uint64_t last = 0;
  PFS_TRY(parts_.local->scan(Family::kInode, file_begin(begin), file_begin(end), [&](std::string_view key, std::string_view value) PFS_NO_ANALYSIS {
    const auto parsed = parse_numbered_key(key);
    const auto state = FileState::decode(value);
    if (!parsed || !state) {
      outcome = parsed ? state.error() : parsed.error();
      return false;
    }
    if (parsed->number == last) return true;
    last = parsed->number;
    cut_ahead_->forget(FileId(last));
    const auto unnamed = unnamed_.find(FileId(last));
    if (NodePtr loaded = files_.find(FileId(last))) {
      held.push_back(std::move(loaded));
    } else if (unnamed == unnamed_.end() || unnamed->second) {  // else what is left of it is about to be dropped
      state->each_staged(dropper());
    }
    return true;
  }));
  for (const NodePtr& node : held) {
    Lock lock(node->mutex);
    unnamed_.emplace(node->file, false);
    if (node->link == NodeState::kLinked) node->link = NodeState::kOrphaned;
    node->stale_row = false;
    Lock leaf(leaf_);
    stale_.erase(node);
  }
  return outcome;
}

// What is loaded below a directory, whose files may be written while they are being read for a tree.
void DeltaTrees::seal_below(LiveNode& directory) {
  for (const auto& [name, weak] : directory.children) {
    const auto child = weak.lock();
    if (!child) continue;
    if (child->is_directory()) {
      seal_below(*child);
    } else {
      Lock lock(child->mutex);
      child->state.seal_spools();
    }
  }
}

}  // namespace pfs::store
