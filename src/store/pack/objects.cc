#include "store/pack/objects.h"

#include <fmt/format.h>

#include "base/fault.h"

namespace pfs::store {

namespace {

constexpr std::size_t kFrameTarget = std::size_t{64} << 10U;
constexpr int kIngestLevel = 1;
// Rows of a big commit are written in slices, each after a sync of its packs, so that memory stays bounded.
constexpr std::size_t kIndexRowsAtOnce = 16384;

}  // namespace

// The packer puts an object's index row and erases its `hot` row in one batch, so whoever misses the one and looks for the
// other afterwards finds it: first `hot`, then the index, never the other way round. A repack points the index to the new
// pack before the old one goes: whoever finds no pack asks the index again, as long as it names another place.
Result<ObjectBytes> Objects::read(const ObjectId& id) const {
  const std::string key = object_key(id);
  PFS_TRY_ASSIGN(auto row, local_.get(Family::kHot, key));
  if (row) {
    PFS_TRY_ASSIGN(const auto decoded, HotRows::decode(*row));
    const auto head = row->size() - decoded.bytes.size();
    auto owner = std::make_shared<const std::string>(std::move(*row));
    return ObjectBytes{owner, std::string_view(*owner).substr(head)};
  }
  std::optional<Location> tried;
  for (;;) {
    PFS_TRY_ASSIGN(const auto index_row, local_.get(Family::kIndex, key));
    if (!index_row) {
      return Error{Code::kCorrupt, fmt::format("object {} of kind {}: it is not in the store", id.digest.hex(), static_cast<int>(id.kind))};
    }
    PFS_TRY_ASSIGN(const auto location, Location::decode(*index_row));
    auto frame = frame_of(location);
    if (!frame && frame.error().code == Code::kNotFound) {
      if (tried == location) return Error{Code::kCorrupt, std::move(frame).error().message};
      tried = location;
      continue;
    }
    if (!frame) return std::move(frame).error();
    if (std::uint64_t{location.inner} + location.length > (*frame)->size()) {
      return Error{Code::kCorrupt, fmt::format("object {}: its index row points past its frame", id.digest.hex())};
    }
    const std::string_view bytes = std::string_view(**frame).substr(location.inner, location.length);
    return ObjectBytes{std::move(*frame), bytes};
  }
}

Result<bool> Objects::contains(const ObjectId& id) const {
  const std::string key = object_key(id);
  PFS_TRY_ASSIGN(const auto row, local_.get(Family::kHot, key));
  if (row) return true;
  PFS_TRY_ASSIGN(const auto index_row, local_.get(Family::kIndex, key));
  return index_row.has_value();
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
  PFS_FAULT_POINT("store.objects.packs_synced");
  PFS_TRY(objects_.local_.write(index_rows_));
  index_rows_ = {};
  unsynced_.clear();
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
      rows.put(Family::kHot, object_key(pending.id), objects_.hot_.encode(pending.owner, pending.bytes));
    }
    PFS_TRY(objects_.local_.write(rows));
    objects_.hot_.added(small_bytes_);
    small_.clear();
    small_bytes_ = 0;
  }
  return objects_.local_.barrier();
}

}  // namespace pfs::store
