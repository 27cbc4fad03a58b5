#include <unistd.h>

#include <fmt/format.h>

#include "base/fault.h"
#include "store/pack/open_pack.h"
#include "store/pack/pack_row.h"
#include "store/pack/pack_set.h"

// What ageing and rewriting packs needs of them.

namespace pfs::store {

Result<void> PackSet::seal_opened_until(Timestamp when) {
  std::vector<OpenPackPtr> aged;
  {
    Lock lock(mutex_);
    for (auto& [kind, current] : current_) {
      if (current && current->has_frames() && current->opened_ <= when) aged.push_back(std::exchange(current, nullptr));
    }
  }
  // one that cannot be sealed now stays readable where it is, and is sealed at the next open
  for (const auto& pack : aged) {
    if (pack->failed()) retire(pack);
    else PFS_TRY(seal(pack));
  }
  return {};
}

Result<PackSet::OpenPackPtr> PackSet::begin(PackKind kind) {
  PFS_TRY_ASSIGN(auto pack, create(kind, /*repacked=*/true));
  Lock lock(mutex_);
  open_[pack->number_] = pack;
  return pack;
}

Result<PackSet::Appended> PackSet::append_to(const OpenPackPtr& pack, const std::vector<FrameObject>& objects, int level) {
  std::vector<FrameView> views;
  views.reserve(objects.size());
  for (const auto& object : objects) views.push_back({object.id, object.bytes});
  const EncodedFrame frame = encode(views, level);
  Lock lock(mutex_);
  PFS_TRY_ASSIGN(auto locations, append_frame(*pack, frame));
  return Appended{pack, std::move(locations)};
}

std::uint64_t PackSet::size_of(const OpenPackPtr& pack) { return pack->size_; }

Result<void> PackSet::end(const OpenPackPtr& pack) {
  if (pack->has_frames()) return seal(pack);
  {
    Lock lock(mutex_);
    open_.erase(pack->number_);
  }
  // its row stays: it says that the number was given
  if (::unlink(pack->file_.path().c_str()) != 0) return error_from_errno(errno, "remove " + pack->file_.path());
  return {};
}

std::vector<PackSet::SealedPack> PackSet::sealed_packs() const {
  std::vector<SealedPack> packs;
  Lock lock(mutex_);
  for (const auto& [number, sealed] : sealed_) {
    if (sealed.holder.expired()) packs.push_back({number, sealed.kind, sealed.size, sealed.partial});
  }
  return packs;
}

Result<SharedBytes> PackSet::read_sealed(PackNumber number, std::uint64_t offset, std::size_t size) const {
  BlobName blob;
  {
    Lock lock(mutex_);
    const auto sealed = sealed_.find(number);
    if (sealed == sealed_.end()) return Error{Code::kNotFound, fmt::format("pack {}: it is gone", number.value())};
    blob = sealed->second.blob;
  }
  ByteRoom room(size);
  PFS_TRY_ASSIGN(const auto got, blobs_.get(blob, offset, room.span()));
  if (got != size) return Error{Code::kCorrupt, fmt::format("pack {}: ends at {}", number.value(), offset + got)};
  return std::move(room).share();
}

void PackSet::put_next_number(LocalBatch& batch) const {
  Lock lock(mutex_);
  batch.put(Family::kPack, pack_key(PackNumber(0)), encode_next_number(next_number_));
}

Result<void> PackSet::mark_partial(const std::vector<PackNumber>& packs) {
  LocalBatch rows;
  {
    Lock lock(mutex_);
    for (const auto number : packs) {
      const auto sealed = sealed_.find(number);
      if (sealed == sealed_.end() || sealed->second.partial) continue;
      sealed->second.partial = true;
      rows.put(Family::kPack, pack_key(number),
               PackRow{sealed->second.kind, PackState::kSealed, sealed->second.size, sealed->second.blob, clock_.now(), true}.encode());
    }
  }
  return rows.empty() ? Result<void>() : local_.write(rows);
}

std::vector<PackNumber> PackSet::partial_packs() const {
  std::vector<PackNumber> packs;
  Lock lock(mutex_);
  for (const auto& [number, sealed] : sealed_) {
    if (sealed.partial) packs.push_back(number);
  }
  return packs;
}

// Order: the rows that say so are durable, and with them all that was written before (where the objects are now); then
// the files go, then the rows. A crash between leaves condemned packs, whose removal the next open ends.
Result<void> PackSet::remove(const std::vector<PackNumber>& packs) {
  LocalBatch condemned;
  LocalBatch gone;
  std::vector<BlobName> blobs;
  {
    Lock lock(mutex_);
    for (const auto number : packs) {
      const auto sealed = sealed_.find(number);
      if (sealed == sealed_.end()) continue;
      condemned.put(Family::kPack, pack_key(number),
                    PackRow{sealed->second.kind, PackState::kCondemned, sealed->second.size, sealed->second.blob, clock_.now(), false}.encode());
      gone.erase(Family::kPack, pack_key(number));
      blobs.push_back(sealed->second.blob);
    }
  }
  if (blobs.empty()) return {};
  PFS_TRY(local_.write(condemned));
  PFS_TRY(local_.sync());
  PFS_FAULT_POINT("store.pack.condemned");
  {
    Lock lock(mutex_);
    for (const auto number : packs) sealed_.erase(number);
  }
  for (const auto& blob : blobs) PFS_TRY(blobs_.remove(blob));
  PFS_FAULT_POINT("store.pack.removed");
  put_next_number(gone);
  return local_.write(gone);
}

}  // namespace pfs::store
