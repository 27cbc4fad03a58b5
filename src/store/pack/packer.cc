#include "store/pack/packer.h"

#include <pthread.h>

#include <algorithm>
#include <tuple>
#include <unordered_set>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/fault.h"
#include "store/pack/object_digest.h"
#include "store/pack/pack_row.h"

namespace pfs::store {

namespace {

constexpr std::size_t kPackedFrameTarget = std::size_t{128} << 10U;
// Sizes do not depend on the level where most bytes are digests; in files' bytes level 3 finds some 6 % more.
// Source: bench/experiments/RESULTS.md.
constexpr int kMetaLevel = 1;
constexpr int kDataLevel = 3;
// Raw bytes between two syncs of the pack, and rows in a batch, so that a synced commit behind one waits for little.
constexpr std::uint64_t kPublishEvery = std::uint64_t{8} << 20U;
constexpr std::size_t kRowsAtOnce = 512;
// What one turn looks at: 24 MiB of memory. More waits for the next, which follows at once.
constexpr std::size_t kMaxCandidates = std::size_t{512} << 10U;
constexpr auto kAfterFailure = std::chrono::seconds(30);
// Beside the packs' rows in the family `pack`: version u8, Seq u64 that snapshots of refs have told until.
constexpr std::string_view kSnapshotKey = "R";

}  // namespace

struct Packer::Candidate {
  Owner owner = 0;
  std::uint64_t sequence = 0;
  ObjectId id;

  auto order() const { return std::tuple(pack_kind_of(id.kind), owner, sequence); }
};

// A turn's state between two publishings.
struct Packer::Moving {
  std::vector<FrameObject> frame;
  std::size_t frame_bytes = 0;
  std::unordered_set<PackSet::OpenPackPtr> packs;  // held until their index rows are written
  LocalBatch rows;
  std::uint64_t unpublished_bytes = 0;
};

void Packer::start() {
  {
    Lock lock(mutex_);
    stopping_ = false;
  }
  thread_ = std::thread([this] { run(); });
}

void Packer::stop() {
  {
    Lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool Packer::stopping() const {
  Lock lock(mutex_);
  return stopping_;
}

bool Packer::due() const {
  const auto waiting = parts_.hot->waiting();
  if (!waiting.oldest) return false;
  const auto age = std::chrono::nanoseconds(parts_.clock->now().nanoseconds - waiting.oldest->nanoseconds);
  return waiting.bytes >= options_.hot_bytes || age >= options_.hot_age;
}

void Packer::run() {
  pthread_setname_np(pthread_self(), "pfs-packer");
  // what an earlier process left in `hot`
  HotRows::Waiting found;
  bool all = false;
  parts_.hot->begin_count();
  if (const auto rows = candidates(found, all)) parts_.hot->end_count(found);
  auto pause = options_.look_every;
  for (;;) {
    {
      Lock lock(mutex_);
      if (!stopping_) changed_.wait_for(mutex_, pause);
      if (stopping_) return;
    }
    pause = options_.look_every;
    Result<void> done;
    if (due()) {
      auto turn = one_turn(/*paced=*/true);
      if (!turn) done = std::move(turn).error();
      else if (turn->damaged > 0) pause = kAfterFailure;
    }
    const auto opened_until = Timestamp{parts_.clock->now().nanoseconds - std::chrono::nanoseconds(options_.seal_age).count()};
    if (done) done = parts_.packs->seal_opened_until(opened_until);
    if (!done) {
      spdlog::error("packer: {}; what it was to move stays where it is", done.error().message);
      pause = kAfterFailure;
    }
  }
}

Result<Packer::Turn> Packer::turn() { return one_turn(/*paced=*/false); }

// The refs are read before `hot`: a commit's objects were there before its refs were, so that whatever the snapshot names is
// in packs when the snapshot is.
Result<Packer::Turn> Packer::one_turn(bool paced) {
  {
    Lock lock(mutex_);
    while (turning_) changed_.wait(mutex_);
    turning_ = true;
  }
  const auto work = [&]() -> Result<Turn> {
    Turn turn;
    for (bool more = true; more && !stopping();) {
      PFS_TRY_ASSIGN(const auto refs, refs_since_last());
      PFS_TRY(parts_.local->sync());

      HotRows::Waiting found;
      bool all = false;
      parts_.hot->begin_count();
      PFS_TRY_ASSIGN(const auto rows, candidates(found, all));
      parts_.hot->end_count(found);
      const auto damaged_before = turn.damaged;
      PFS_TRY(move(rows, paced, turn));
      if (stopping()) break;
      if (all) {
        // what is left is what came meanwhile, and what is damaged
        HotRows::Waiting left;
        if (turn.damaged > damaged_before) left.oldest = found.oldest;
        parts_.hot->end_count(left);
      }
      // a turn that moved a part only names nothing yet
      if (all && !refs.objects.empty()) PFS_TRY(write_snapshot(refs));
      more = !all || !refs.complete;
    }
    return turn;
  };
  auto done = work();
  {
    Lock lock(mutex_);
    turning_ = false;
  }
  changed_.notify_all();
  return done;
}

Result<std::vector<Packer::Candidate>> Packer::candidates(HotRows::Waiting& found, bool& all) const {
  std::vector<Candidate> candidates;
  all = true;
  PFS_TRY(parts_.local->scan(Family::kHot, "", "", [&](std::string_view key, std::string_view value) {
    const auto row = HotRows::decode(value);
    const auto id = decode_object_key(key);
    if (!row || !id) {
      spdlog::error("{}; it stays in the database", (!row ? row.error() : id.error()).message);
      return true;
    }
    if (candidates.size() == kMaxCandidates) {
      all = false;
      return false;
    }
    candidates.push_back({row->owner, row->sequence, *id});
    const Timestamp made{static_cast<std::int64_t>(row->sequence)};
    found.bytes += row->bytes.size();
    found.oldest = found.oldest ? std::min(*found.oldest, made) : made;
    return true;
  }));
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) { return a.order() < b.order(); });
  return candidates;
}

Result<void> Packer::move(const std::vector<Candidate>& candidates, bool paced, Turn& turn) {
  const auto began = std::chrono::steady_clock::now();
  std::uint64_t moved = 0;
  Moving moving;
  PackKind kind = PackKind::kData;
  for (const auto& candidate : candidates) {
    const std::string key = object_key(candidate.id);
    PFS_TRY_ASSIGN(const auto value, parts_.local->get(Family::kHot, key));
    if (!value) continue;
    PFS_TRY_ASSIGN(const auto row, HotRows::decode(*value));
    // There already: a turn was killed behind its sync, or a big commit had the same object.
    PFS_TRY_ASSIGN(const auto there, parts_.local->get(Family::kIndex, key));
    if (there) {
      moving.rows.erase(Family::kHot, key);
      parts_.hot->removed(row.bytes.size());
      continue;
    }
    if (const auto proved = prove_object(candidate.id, row.bytes); !proved) {
      spdlog::error("{}; it stays in the database", proved.error().message);
      ++turn.damaged;
      continue;
    }
    const auto next = pack_kind_of(candidate.id.kind);
    if (!moving.frame.empty() && (next != kind || moving.frame_bytes + row.bytes.size() > kPackedFrameTarget)) {
      PFS_TRY(close_frame(moving, turn));
      if (moving.unpublished_bytes >= kPublishEvery) PFS_TRY(publish(moving));
      if (paced) pace(moved, began);
      if (stopping()) break;
    }
    kind = next;
    moved += row.bytes.size();
    moving.frame_bytes += row.bytes.size();
    moving.frame.push_back({candidate.id, std::string(row.bytes)});
  }
  if (!moving.frame.empty() && !stopping()) PFS_TRY(close_frame(moving, turn));
  return publish(moving);
}

Result<void> Packer::close_frame(Moving& moving, Turn& turn) {
  const auto kind = pack_kind_of(moving.frame.front().id.kind);
  PFS_TRY_ASSIGN(auto appended, parts_.packs->append(kind, moving.frame, kind == PackKind::kMeta ? kMetaLevel : kDataLevel));
  PFS_FAULT_POINT("store.packer.appended");
  for (std::size_t i = 0; i < moving.frame.size(); ++i) {
    const std::string key = object_key(moving.frame[i].id);
    moving.rows.put(Family::kIndex, key, appended.locations[i].encode());
    moving.rows.erase(Family::kHot, key);
  }
  turn.objects += moving.frame.size();
  turn.raw_bytes += moving.frame_bytes;
  turn.stored_bytes += appended.locations.front().frame_length;
  moving.packs.insert(std::move(appended.pack));
  moving.unpublished_bytes += moving.frame_bytes;
  parts_.hot->removed(moving.frame_bytes);
  moving.frame.clear();
  moving.frame_bytes = 0;
  return {};
}

Result<void> Packer::publish(Moving& moving) {
  for (const auto& pack : moving.packs) PFS_TRY(PackSet::sync(pack));
  PFS_FAULT_POINT("store.packer.synced");
  // An object's two rows are in one batch: its erasure comes behind its index row, and batches end behind an erasure.
  LocalBatch batch;
  for (auto& change : moving.rows.changes) {
    const bool whole = !change.value.has_value();
    batch.changes.push_back(std::move(change));
    if (!whole || batch.changes.size() < kRowsAtOnce) continue;
    PFS_TRY(parts_.local->write(batch));
    PFS_FAULT_POINT("store.packer.moved");
    batch.changes.clear();
  }
  if (!batch.empty()) {
    PFS_TRY(parts_.local->write(batch));
    PFS_FAULT_POINT("store.packer.moved");
  }
  moving.rows = {};
  moving.packs.clear();
  moving.unpublished_bytes = 0;
  return {};
}

Result<Packer::RefObjects> Packer::refs_since_last() const {
  if (!parts_.refs) return RefObjects{};
  Seq since;
  PFS_TRY_ASSIGN(const auto row, parts_.local->get(Family::kPack, kSnapshotKey));
  if (row) {
    PFS_TRY_ASSIGN(const auto until, decode_snapshot_until(*row));
    since = Seq(until);
  }
  PFS_TRY_ASSIGN(auto refs, parts_.refs(since));
  if (refs.until == since) refs.objects.clear();
  return refs;
}

Result<void> Packer::write_snapshot(const RefObjects& refs) {
  LocalBatch rows;
  std::unordered_set<PackSet::OpenPackPtr> packs;
  for (const auto& object : refs.objects) {
    PFS_TRY_ASSIGN(auto appended, parts_.packs->append(PackKind::kMeta, {object}, kDataLevel));
    rows.put(Family::kIndex, object_key(object.id), appended.locations.front().encode());
    packs.insert(std::move(appended.pack));
  }
  for (const auto& pack : packs) PFS_TRY(PackSet::sync(pack));
  PFS_FAULT_POINT("store.packer.snapshot");
  rows.put(Family::kPack, std::string(kSnapshotKey), encode_snapshot_until(refs.until.value()));
  return parts_.local->write(rows);
}

void Packer::pace(std::uint64_t bytes, std::chrono::steady_clock::time_point began) {
  if (options_.bytes_per_second == 0 || parts_.hot->waiting().bytes >= 2 * options_.hot_bytes) return;
  const auto due = began + std::chrono::milliseconds(bytes * 1000 / options_.bytes_per_second);
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(due - std::chrono::steady_clock::now());
    if (left.count() <= 0) return;
    Lock lock(mutex_);
    if (stopping_) return;
    changed_.wait_for(mutex_, left);
  }
}

}  // namespace pfs::store
