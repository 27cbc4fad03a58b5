#include "store/pack/object_uses.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace pfs::store {

ObjectUses::ObjectUses() : shards_(std::make_unique<std::array<Shard, kShards>>()), round_(std::make_shared<int>(0)) {}

ObjectUses::Use ObjectUses::begin() {
  Lock lock(mutex_);
  return round_;
}

// A digest is as random as a hash of it would be; its first byte chooses the shard.
std::array<std::size_t, 4> ObjectUses::places(const ObjectId& id) {
  std::array<std::size_t, 4> places{};
  for (std::size_t i = 0; i < places.size(); ++i) {
    std::uint32_t part = 0;
    std::memcpy(&part, id.digest.bytes().data() + 1 + i * sizeof part, sizeof part);
    places[i] = (part ^ static_cast<std::uint32_t>(id.kind)) % kBits;
  }
  return places;
}

void ObjectUses::set(Bits& bits, const ObjectId& id) {
  if (bits.empty()) bits.resize(kBits / 64);
  for (const auto place : places(id)) bits[place / 64] |= std::uint64_t{1} << (place % 64);
}

bool ObjectUses::has(const Bits& bits, const ObjectId& id) {
  if (bits.empty()) return false;
  const auto all = places(id);
  return std::all_of(all.begin(), all.end(), [&](std::size_t place) { return ((bits[place / 64] >> (place % 64)) & 1U) != 0; });
}

Result<bool> ObjectUses::touch_and(const ObjectId& id, const std::function<Result<bool>()>& look) {
  Shard& shard = shard_of(id);
  Lock lock(shard.mutex);
  set(shard.now, id);
  return look();
}

void ObjectUses::touch(const ObjectId& id) {
  Shard& shard = shard_of(id);
  Lock lock(shard.mutex);
  set(shard.now, id);
}

// The round before last is forgotten by the shards only where nothing of it goes on: else what it has touched is kept with the last
// one's. Who begins beside this is still of the earlier round, whichever of the two its touches fall into.
void ObjectUses::begin_round() {
  gathers_ = true;
  const bool all_ended = earlier_ended();
  for (auto& shard : *shards_) {
    Lock lock(shard.mutex);
    if (all_ended || shard.before.empty()) {
      shard.before = std::move(shard.now);
    } else {
      for (std::size_t i = 0; i < shard.now.size(); ++i) shard.before[i] |= shard.now[i];
    }
    shard.now = Bits();
  }
  Lock lock(mutex_);
  std::erase_if(earlier_, [](const auto& round) { return round.expired(); });
  earlier_.push_back(std::exchange(round_, std::make_shared<int>(0)));
}

void ObjectUses::refer(const ObjectId& id) {
  if (!gathers_) return;
  touch(id);
  if (id.kind != ObjectKind::kNode && id.kind != ObjectKind::kList) return;
  Lock lock(mutex_);
  if (gathers_) referred_.push_back(id);
}

std::vector<ObjectId> ObjectUses::take_referred() {
  Lock lock(mutex_);
  gathers_ = false;
  return std::exchange(referred_, {});
}

bool ObjectUses::earlier_ended() const {
  Lock lock(mutex_);
  return std::all_of(earlier_.begin(), earlier_.end(), [](const auto& round) { return round.expired(); });
}

void ObjectUses::settle_earlier() {
  if (!earlier_ended()) return;
  for (auto& shard : *shards_) {
    Lock lock(shard.mutex);
    shard.before = Bits();
  }
}

Result<void> ObjectUses::take_untouched(const std::vector<ObjectId>& ids,
                                        const std::function<Result<void>(const std::vector<ObjectId>&)>& take) {
  if (ids.empty()) return {};
  Shard& shard = shard_of(ids.front());
  Lock lock(shard.mutex);
  std::vector<ObjectId> untouched;
  for (const auto& id : ids) {
    if (!has(shard.now, id) && !has(shard.before, id)) untouched.push_back(id);
  }
  return untouched.empty() ? Result<void>() : take(untouched);
}

}  // namespace pfs::store
