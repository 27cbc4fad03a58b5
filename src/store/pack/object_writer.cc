#include "store/pack/object_writer.h"

#include <algorithm>
#include <utility>

#include "base/codec.h"
#include "base/fault.h"
#include "store/chunk/sha256.h"

namespace pfs::store {

namespace {

constexpr std::size_t kFrameTarget = std::size_t{64} << 10U;
constexpr int kIngestLevel = 1;
// What one task hashes and compresses: a few frames, so that handing it over costs nothing beside them.
constexpr std::size_t kBatchTarget = std::size_t{256} << 10U;
// Rows of a big commit are written in slices, each after a sync of its packs, so that memory stays bounded.
constexpr std::size_t kIndexRowsAtOnce = 16384;

}  // namespace

// Objects end to end on their way into frames.
struct ObjectWriter::Batch {
  struct Item {
    ObjectId id;
    std::uint32_t length = 0;
  };
  enum class Stage { kUnhashed, kHashing, kHashed, kEncoded };

  PackKind kind = PackKind::kData;
  std::string bytes;
  std::vector<Item> items;
  std::size_t raw = 0;
  std::vector<PackSet::EncodedFrame> frames;
  Stage stage = Stage::kHashed;  // guarded by ObjectWriter::mutex_; what it has passed does not change any more
};

ObjectWriter::~ObjectWriter() {
  {
    Lock lock(mutex_);
    if (!failure_) failure_ = Error{Code::kCancelled, "the commit was given up"};
  }
  wait_for_all();
}

Result<void> ObjectWriter::add(const ObjectId& id, std::string bytes, std::uint64_t owner) {
  auto& mine = of(pack_kind_of(id.kind));
  if (mine.spilled) return add_to_batch(id, bytes);
  {
    Lock lock(mutex_);
    if (added_.contains(id.digest)) return {};
  }
  PFS_TRY_ASSIGN(const bool there, objects_.claim(id));
  if (there) return {};
  {
    Lock lock(mutex_);
    added_.insert(id.digest);
  }
  mine.small_bytes += bytes.size();
  mine.small.push_back({id, std::move(bytes), owner});
  return mine.small_bytes > kHotLimit ? spill(pack_kind_of(id.kind)) : Result<void>{};
}

Result<void> ObjectWriter::spill(PackKind kind) {
  auto& mine = of(kind);
  mine.spilled = true;
  const auto small = std::exchange(mine.small, {});
  mine.small_bytes = 0;
  {
    // they are to be looked up again with the others
    Lock lock(mutex_);
    for (const auto& pending : small) added_.erase(pending.id.digest);
  }
  for (const auto& pending : small) PFS_TRY(add_to_batch(pending.id, pending.bytes));
  return {};
}

Result<void> ObjectWriter::add_to_batch(const ObjectId& id, std::string_view bytes) {
  auto& batch = of(pack_kind_of(id.kind)).filling;
  if (!batch) {
    batch = std::make_shared<Batch>();
    batch->kind = pack_kind_of(id.kind);
    batch->bytes.reserve(kBatchTarget + kFrameTarget);
  }
  batch->items.push_back({id, static_cast<std::uint32_t>(bytes.size())});
  batch->bytes += bytes;
  return batch->bytes.size() >= kBatchTarget ? hand_over(std::exchange(batch, nullptr)) : Result<void>{};
}

Result<ObjectWriter::BatchPtr> ObjectWriter::add_chunks(std::string bytes, const std::vector<std::uint32_t>& lengths) {
  auto& mine = of(PackKind::kData);
  if (!mine.spilled) PFS_TRY(spill(PackKind::kData));
  // what came before goes first, so that a file's frames lie side by side
  if (mine.filling) PFS_TRY(hand_over(std::exchange(mine.filling, nullptr)));
  auto batch = std::make_shared<Batch>();
  batch->bytes = std::move(bytes);
  batch->stage = Batch::Stage::kUnhashed;
  for (const auto length : lengths) batch->items.push_back({{ObjectKind::kChunk, {}}, length});
  PFS_TRY(hand_over(batch));
  return batch;
}

Result<void> ObjectWriter::hand_over(const BatchPtr& batch) {
  batch->raw = batch->bytes.size();
  bool unhashed = false;
  {
    Lock lock(mutex_);
    while (in_flight_ > 0 && in_flight_ + batch->raw > kInFlight && !failure_) changed_.wait(mutex_);
    if (failure_) return *failure_;
    in_flight_ += batch->raw;
    order_.push_back(batch);
    ++under_way_;
    unhashed = batch->stage == Batch::Stage::kUnhashed;
  }
  if (!unhashed) {
    objects_.pool().submit(WorkPool::Turn::kLater, [this, batch] { store(batch); });
    return {};
  }
  objects_.pool().submit(WorkPool::Turn::kSoon, [this, batch] {
    // whoever hashes it has it stored: the pool here, digests() there
    if (hash(*batch)) return store(batch);
    Lock lock(mutex_);
    --under_way_;
    changed_.notify_all();
  });
  return {};
}

// False when another thread has begun to.
bool ObjectWriter::hash(Batch& batch) {
  {
    Lock lock(mutex_);
    if (batch.stage != Batch::Stage::kUnhashed) return false;
    batch.stage = Batch::Stage::kHashing;
  }
  std::string_view rest = batch.bytes;
  for (auto& item : batch.items) {
    item.id.digest = sha256(rest.substr(0, item.length));
    rest.remove_prefix(item.length);
  }
  Lock lock(mutex_);
  batch.stage = Batch::Stage::kHashed;
  changed_.notify_all();
  return true;
}

bool ObjectWriter::hashed(const BatchPtr& batch) {
  Lock lock(mutex_);
  return batch->stage >= Batch::Stage::kHashed;
}

std::vector<Digest> ObjectWriter::digests(const BatchPtr& batch) {
  if (hash(*batch)) {
    {
      Lock lock(mutex_);
      ++under_way_;
    }
    objects_.pool().submit(WorkPool::Turn::kLater, [this, batch] { store(batch); });
  }
  {
    Lock lock(mutex_);
    while (batch->stage < Batch::Stage::kHashed) changed_.wait(mutex_);
  }
  std::vector<Digest> digests;
  digests.reserve(batch->items.size());
  for (const auto& item : batch->items) digests.push_back(item.id.digest);
  return digests;
}

void ObjectWriter::store(const BatchPtr& batch) {
  auto made = make_frames(*batch);
  std::string().swap(batch->bytes);
  {
    Lock lock(mutex_);
    if (!made && !failure_) failure_ = std::move(made).error();
    batch->stage = Batch::Stage::kEncoded;
    changed_.notify_all();
  }
  append_in_order();
  Lock lock(mutex_);
  --under_way_;
  changed_.notify_all();
}

Result<void> ObjectWriter::make_frames(Batch& batch) {
  std::vector<FrameView> fresh;
  {
    Lock lock(mutex_);
    if (failure_) return {};
    std::string_view rest = batch.bytes;
    for (const auto& item : batch.items) {
      // an equal one may be on its way already
      if (added_.insert(item.id.digest).second) fresh.push_back({item.id, rest.substr(0, item.length)});
      rest.remove_prefix(item.length);
    }
  }
  std::vector<Digest> known;
  std::vector<FrameView> frame;
  std::size_t bytes = 0;
  const auto close_frame = [&] {
    if (!frame.empty()) batch.frames.push_back(objects_.packs_.encode(frame, kIngestLevel));
    frame.clear();
    bytes = 0;
  };
  for (const auto& object : fresh) {
    PFS_TRY_ASSIGN(const bool there, objects_.claim(object.id));
    if (there) {
      known.push_back(object.id.digest);
      continue;
    }
    if (bytes + object.bytes.size() > kFrameTarget) close_frame();
    bytes += object.bytes.size();
    frame.push_back(object);
  }
  close_frame();
  if (known.empty()) return {};
  Lock lock(mutex_);
  for (const auto& digest : known) added_.erase(digest);
  return {};
}

// Whoever makes the oldest batch ready appends it and what is ready behind it; the others go on compressing.
void ObjectWriter::append_in_order() {
  mutex_.lock();
  if (!appending_) {
    appending_ = true;
    while (!order_.empty() && order_.front()->stage == Batch::Stage::kEncoded) {
      const auto batch = std::move(order_.front());
      order_.pop_front();
      const bool failed = failure_.has_value();
      mutex_.unlock();
      auto appended = failed ? Result<void>{} : append(*batch);
      std::vector<PackSet::EncodedFrame>().swap(batch->frames);  // who waits for its digests may have it for long
      mutex_.lock();
      if (!appended && !failure_) failure_ = std::move(appended).error();
      in_flight_ -= batch->raw;
      changed_.notify_all();
    }
    appending_ = false;
    changed_.notify_all();
  }
  mutex_.unlock();
}

Result<void> ObjectWriter::append(const Batch& batch) {
  for (const auto& frame : batch.frames) {
    PFS_TRY_ASSIGN(auto appended, objects_.packs_.append(batch.kind, frame));
    for (std::size_t i = 0; i < frame.entries.size(); ++i) rows_.push_back({frame.entries[i].id, appended.locations[i]});
    unsynced_[appended.locations.front().pack] = std::move(appended.pack);
  }
  return rows_.size() >= kIndexRowsAtOnce ? write_index_rows() : Result<void>{};
}

// A row must not point at bytes that a power cut can take away: another commit could find it and rely on it.
Result<void> ObjectWriter::write_index_rows() {
  for (const auto& [number, pack] : unsynced_) PFS_TRY(PackSet::sync(pack));
  PFS_FAULT_POINT("store.objects.packs_synced");
  // in their order in the index, which takes them faster so
  std::sort(rows_.begin(), rows_.end(), [](const Row& a, const Row& b) { return a.id < b.id; });
  LocalBatch batch;
  for (const auto& row : rows_) {
    // a pack that was sealed brought its rows with it
    if (PackSet::is_sealed(unsynced_.at(row.location.pack))) continue;
    batch.put(Family::kIndex, object_key(row.id), row.location.encode());
  }
  if (!batch.empty()) PFS_TRY(objects_.local_.write(batch));
  unsynced_.clear();
  Lock lock(mutex_);
  for (const auto& row : rows_) added_.erase(row.id.digest);
  rows_.clear();
  return {};
}

void ObjectWriter::wait_for_all() {
  Lock lock(mutex_);
  while (under_way_ > 0 || appending_) changed_.wait(mutex_);
}

Result<void> ObjectWriter::flush() {
  PFS_FAULT_POINT("store.objects.flush");
  bool spilled = false;
  for (auto& mine : kinds_) {
    spilled = spilled || mine.spilled;
    if (mine.filling) PFS_TRY(hand_over(std::exchange(mine.filling, nullptr)));
  }
  if (spilled) {
    wait_for_all();
    {
      Lock lock(mutex_);
      if (failure_) return *failure_;
    }
    PFS_TRY(write_index_rows());
  }
  LocalBatch rows;
  std::uint64_t bytes = 0;
  for (auto& mine : kinds_) {
    for (const auto& pending : mine.small) {
      rows.put(Family::kHot, object_key(pending.id), objects_.hot_.encode(pending.owner, pending.bytes));
      bytes += pending.bytes.size();
    }
    mine = {};  // what follows, as the commit itself, rides on the same synced batch again
  }
  if (!rows.empty()) {
    PFS_TRY(objects_.local_.write(rows));
    objects_.hot_.added(bytes);
  }
  return objects_.local_.barrier();
}

}  // namespace pfs::store
