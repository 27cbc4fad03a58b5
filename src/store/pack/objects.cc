#include "store/pack/objects.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/fault.h"

namespace pfs::store {

namespace {

// Neighbouring frames are read together up to so many bytes.
constexpr std::size_t kReadAtOnce = std::size_t{1} << 20U;

}  // namespace

// The packer puts an object's index row and erases its `hot` row in one batch, so whoever misses the one and looks for the
// other afterwards finds it: first `hot`, then the index, never the other way round. A repack points the index to the new
// pack before the old one goes: whoever finds no pack asks the index again, as long as it names another place.
Result<SharedBytes> Objects::read(const ObjectId& id) const {
  const std::string key = object_key(id);
  PFS_TRY_ASSIGN(auto row, local_.get(Family::kHot, key));
  if (row) {
    PFS_TRY_ASSIGN(const auto decoded, HotRows::decode(*row));
    const auto head = row->size() - decoded.bytes.size();
    auto owner = std::make_shared<const std::string>(std::move(*row));
    return SharedBytes{owner, std::string_view(*owner).substr(head)};
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
    if (std::uint64_t{location.inner} + location.length > frame->bytes.size()) {
      return Error{Code::kCorrupt, fmt::format("object {}: its index row points past its frame", id.digest.hex())};
    }
    return frame->part(location.inner, location.length);
  }
}

Result<std::optional<Location>> Objects::locate(const ObjectId& id) const {
  if (const auto known = footers_.find(id)) return known;
  PFS_TRY_ASSIGN(const auto row, local_.get(Family::kIndex, object_key(id)));
  if (!row) return std::optional<Location>{};
  PFS_TRY_ASSIGN(const auto location, Location::decode(*row));
  PFS_TRY(footers_.hit(location.pack));
  return std::optional(location);
}

// First `hot`, then the index: what is moved from the one to the other is in the index before it leaves `hot`.
Result<bool> Objects::contains(const ObjectId& id) const {
  if (footers_.find(id)) return true;
  PFS_TRY_ASSIGN(const auto row, local_.get(Family::kHot, object_key(id)));
  if (row) return true;
  PFS_TRY_ASSIGN(const auto location, locate(id));
  return location.has_value();
}

// Each frame once, with as few reads as they allow.
Result<std::vector<std::pair<Location, SharedBytes>>> Objects::frames_of(std::vector<Location> locations) const {
  const auto place = [](const Location& at) { return std::pair(at.pack, at.frame_offset); };
  std::sort(locations.begin(), locations.end(), [&](const auto& a, const auto& b) { return place(a) < place(b); });
  locations.erase(std::unique(locations.begin(), locations.end(), [&](const auto& a, const auto& b) { return place(a) == place(b); }),
                  locations.end());
  std::vector<std::pair<Location, SharedBytes>> frames;
  for (auto first = locations.begin(); first != locations.end();) {
    auto last = first;
    std::uint64_t end = std::uint64_t{first->frame_offset} + first->frame_length;
    while (std::next(last) != locations.end() && std::next(last)->pack == first->pack && std::next(last)->frame_offset == end &&
           end + std::next(last)->frame_length - first->frame_offset <= kReadAtOnce) {
      ++last;
      end += last->frame_length;
    }
    PFS_TRY_ASSIGN(const auto stored, packs_.read_range(first->pack, first->frame_offset, end - first->frame_offset));
    for (auto it = first; it != std::next(last); ++it) {
      auto decoded = decode_frame(stored.part(it->frame_offset - first->frame_offset, it->frame_length));
      if (!decoded) return std::move(decoded).error().within(fmt::format("pack {} at {}", it->pack.value(), it->frame_offset));
      frames.emplace_back(*it, std::move(decoded->raw));
    }
    first = std::next(last);
  }
  return frames;
}

Result<std::vector<SharedBytes>> Objects::read_together(std::span<const ObjectId> ids) const {
  std::vector<std::optional<Location>> where;
  std::vector<Location> packed;
  for (const auto& id : ids) {
    PFS_TRY_ASSIGN(const auto location, locate(id));
    where.push_back(location);
    if (location) packed.push_back(*location);
  }
  // a pack that went since is no error: each object is then looked for by itself
  const auto frames = frames_of(std::move(packed));
  std::vector<SharedBytes> objects;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const SharedBytes* frame = nullptr;
    if (frames && where[i]) {
      const auto found = std::lower_bound(frames->begin(), frames->end(), *where[i], [](const auto& a, const Location& b) {
        return std::pair(a.first.pack, a.first.frame_offset) < std::pair(b.pack, b.frame_offset);
      });
      frame = &found->second;
    }
    if (frame == nullptr || std::uint64_t{where[i]->inner} + where[i]->length > frame->bytes.size()) {
      PFS_TRY_ASSIGN(auto object, read(ids[i]));
      objects.push_back(std::move(object));
      continue;
    }
    objects.push_back(frame->part(where[i]->inner, where[i]->length));
  }
  return objects;
}

Result<SharedBytes> Objects::frame_of(const Location& location) const {
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
  Lock lock(mutex_);
  frames_.push_front({location.pack, location.frame_offset, decoded->raw});
  frame_bytes_ += decoded->raw.bytes.size();
  while (frame_bytes_ > kFrameBytes && frames_.size() > 1) {
    frame_bytes_ -= frames_.back().raw.bytes.size();
    frames_.pop_back();
  }
  return decoded->raw;
}

}  // namespace pfs::store
