#include "store/pack/objects.h"

#include <fmt/format.h>

#include "base/codec.h"
#include "base/fault.h"

namespace pfs::store {

namespace {

constexpr std::size_t kFrameTarget = std::size_t{64} << 10U;
constexpr int kIngestLevel = 1;
// Rows of a big commit are written in slices, each after a sync of its packs, so that memory stays bounded.
constexpr std::size_t kIndexRowsAtOnce = 16384;

std::string object_key(const ObjectId& id) {
  return Encoder().u32(0).u8(static_cast<std::uint8_t>(id.kind)).raw(id.digest.bytes()).str();
}

}  // namespace

Result<ObjectBytes> Objects::read(const ObjectId& id) const {
  const std::string key = object_key(id);
  // twice: between a miss in `hot` and a miss in the index the packer may have moved it, and a pack may have gone
  for (int attempt = 0; attempt < 2; ++attempt) {
    PFS_TRY_ASSIGN(auto row, local_.get(Family::kHot, key));
    if (row) {
      constexpr std::size_t kHead = 1 + 8;
      if (row->size() < kHead) return Error{Code::kCorrupt, fmt::format("object {}: damaged row", id.digest.hex())};
      auto owner = std::make_shared<const std::string>(std::move(*row));
      return ObjectBytes{owner, std::string_view(*owner).substr(kHead)};
    }
    PFS_TRY_ASSIGN(const auto index_row, local_.get(Family::kIndex, key));
    if (!index_row) continue;
    PFS_TRY_ASSIGN(const auto location, Location::decode(*index_row));
    PFS_TRY_ASSIGN(auto frame, frame_of(location));
    if (std::uint64_t{location.inner} + location.length > frame->size()) {
      return Error{Code::kCorrupt, fmt::format("object {}: its index row points past its frame", id.digest.hex())};
    }
    const std::string_view bytes = std::string_view(*frame).substr(location.inner, location.length);
    return ObjectBytes{std::move(frame), bytes};
  }
  return Error{Code::kCorrupt, fmt::format("object {} of kind {}: it is not in the store", id.digest.hex(), static_cast<int>(id.kind))};
}

Result<bool> Objects::contains(const ObjectId& id) const {
  const std::string key = object_key(id);
  PFS_TRY_ASSIGN(const auto index_row, local_.get(Family::kIndex, key));
  if (index_row) return true;
  PFS_TRY_ASSIGN(const auto row, local_.get(Family::kHot, key));
  return row.has_value();
}

Result<Objects::Frame> Objects::frame_of(const Location& location) const {
  {
    Lock lock(mutex_);
    for (auto it = frames_.begin(); it != frames_.end(); ++it) {
      if (it->pack == location.pack && it->offset == location.frame_offset) {
        frames_.splice(frames_.begin(), frames_, it);
        return it->raw;
      }
    }
  }
  PFS_TRY_ASSIGN(const auto stored, packs_.read_frame(location));
  auto decoded = decode_frame(stored);
  if (!decoded) {
    return std::move(decoded).error().within(fmt::format("pack {} at {}", location.pack.value(), location.frame_offset));
  }
  auto raw = std::make_shared<const std::string>(std::move(decoded->raw));
  Lock lock(mutex_);
  frames_.push_front({location.pack, location.frame_offset, raw});
  if (frames_.size() > kFrames) frames_.pop_back();
  return raw;
}

Result<void> ObjectWriter::add(const ObjectId& id, std::string bytes, std::uint64_t owner) {
  if (added_.contains(id.digest)) return {};
  PFS_TRY_ASSIGN(const bool there, objects_.contains(id));
  if (there) return {};
  added_.insert(id.digest);
  new_bytes_ += bytes.size();
  if (spilled_) return add_to_frame({id, std::move(bytes)});
  small_bytes_ += bytes.size();
  small_.push_back({id, std::move(bytes), owner});
  return small_bytes_ > kHotLimit ? spill() : Result<void>{};
}

Result<void> ObjectWriter::spill() {
  spilled_ = true;
  for (auto& pending : small_) PFS_TRY(add_to_frame({pending.id, std::move(pending.bytes)}));
  small_.clear();
  return {};
}

Result<void> ObjectWriter::add_to_frame(FrameObject object) {
  const PackKind kind = pack_kind_of(object.id.kind);
  auto& frame = frames_[static_cast<std::size_t>(kind)];
  if (frame.bytes + object.bytes.size() > kFrameTarget && !frame.objects.empty()) PFS_TRY(close_frame(kind));
  frame.bytes += object.bytes.size();
  frame.objects.push_back(std::move(object));
  return {};
}

Result<void> ObjectWriter::close_frame(PackKind kind) {
  auto& frame = frames_[static_cast<std::size_t>(kind)];
  if (frame.objects.empty()) return {};
  PFS_TRY_ASSIGN(auto appended, objects_.packs_.append(kind, frame.objects, kIngestLevel));
  for (std::size_t i = 0; i < frame.objects.size(); ++i) {
    index_rows_.put(Family::kIndex, object_key(frame.objects[i].id), appended.locations[i].encode());
  }
  unsynced_.insert(std::move(appended.pack));
  frame = {};
  return index_rows_.changes.size() >= kIndexRowsAtOnce ? write_index_rows() : Result<void>{};
}

// A row must not point at bytes that a power cut can take away: another commit could find it and rely on it.
Result<void> ObjectWriter::write_index_rows() {
  for (const auto& pack : unsynced_) PFS_TRY(PackSet::sync(pack));
  unsynced_.clear();
  PFS_FAULT_POINT("store.objects.packs_synced");
  PFS_TRY(objects_.local_.write(index_rows_));
  index_rows_ = {};
  return {};
}

Result<void> ObjectWriter::flush() {
  PFS_FAULT_POINT("store.objects.flush");
  if (spilled_) {
    PFS_TRY(close_frame(PackKind::kData));
    PFS_TRY(close_frame(PackKind::kMeta));
    PFS_TRY(write_index_rows());
  } else if (!small_.empty()) {
    LocalBatch rows;
    for (const auto& pending : small_) {
      rows.put(Family::kHot, object_key(pending.id), Encoder().u8(1).u64(pending.owner).raw(pending.bytes).str());
    }
    PFS_TRY(objects_.local_.write(rows));
    small_.clear();
    small_bytes_ = 0;
  }
  return objects_.local_.barrier();
}

}  // namespace pfs::store
