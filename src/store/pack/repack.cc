#include "store/pack/repack.h"

#include <algorithm>
#include <list>
#include <tuple>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/fault.h"
#include "store/pack/likeness.h"
#include "store/pack/object_digest.h"
#include "store/pack/sealed_pack_reader.h"

namespace pfs::store {

namespace {

constexpr int kLevel = 6;
constexpr std::size_t kDataFrame = std::size_t{256} << 10U;
constexpr std::size_t kMetaFrame = std::size_t{128} << 10U;
constexpr std::size_t kMaxObjectsInFrame = 0xffff;
constexpr std::uint64_t kPublishEvery = std::uint64_t{16} << 20U;
constexpr std::size_t kMovesAtOnce = 32768;
constexpr std::size_t kRowsAtOnce = 512;
constexpr std::uint64_t kSmall = PackSet::kSealSize / 2;
constexpr double kNamedShare = 0.8;
constexpr double kTrialGain = 0.97;
constexpr std::size_t kTrialFrames = 32;
constexpr std::size_t kNamedSamples = 512;
// Of nodes that are laid beside each other: 16 B an object, and the frames that they come from.
constexpr std::uint64_t kMaxGroupObjects = std::uint64_t{1} << 20U;
constexpr std::uint64_t kMaxGroupBytes = std::uint64_t{2} << 30U;
constexpr std::size_t kFrameCacheBytes = std::size_t{16} << 20U;

}  // namespace

struct Repack::Source {
  explicit Source(const PackSet& packs, const PackSet::SealedPack& sealed) : pack(sealed), reader(packs, sealed) {}

  PackSet::SealedPack pack;
  SealedPackReader reader;
  bool damaged = false;   // it stays
  bool rewritten = false; // all of it that is named has been appended elsewhere
};

// Where objects go, and which ones the index does not name there yet.
struct Repack::Output {
  struct Move {
    ObjectId id;
    Location from;
    Location to;
  };

  PackKind kind = PackKind::kData;
  PackSet::OpenPackPtr pack;
  std::vector<FrameObject> frame;
  std::vector<Location> frame_from;
  std::size_t frame_bytes = 0;
  std::vector<Move> moves;
  std::uint64_t unpublished_bytes = 0;
};

bool Repack::stopped() {
  if (options_.stop != nullptr && options_.stop->load(std::memory_order_relaxed)) result_.stopped = true;
  return result_.stopped;
}

Result<RepackResult> Repack::run() {
  for (const auto kind : {PackKind::kData, PackKind::kMeta}) {
    std::vector<PackSet::SealedPack> packs;
    for (const auto& pack : packs_.sealed_packs()) {
      if (pack.kind == kind && (pack.partial || !options_.partial_only)) packs.push_back(pack);
    }
    const auto small = std::count_if(packs.begin(), packs.end(), [](const auto& pack) { return pack.size < kSmall; });
    Output output;
    output.kind = kind;
    for (std::size_t next = 0; next < packs.size() && !stopped();) {
      PFS_TRY_ASSIGN(auto sources, next_sources(packs, next, small > 1));
      if (kind == PackKind::kMeta) {
        PFS_TRY(rewrite_by_likeness(sources, output));
      } else {
        for (auto& source : sources) PFS_TRY(rewrite_in_order(source, output));
      }
      PFS_TRY(close_frame(output));
      PFS_TRY(publish(output));
      PFS_TRY(remove_emptied(sources));
    }
    if (output.pack) PFS_TRY(packs_.end(output.pack));
  }
  return result_;
}

// As many packs as are worth it and fit into memory and into the space that their copies need for a while.
Result<std::vector<Repack::Source>> Repack::next_sources(const std::vector<PackSet::SealedPack>& packs, std::size_t& next,
                                                         bool several_small) {
  std::vector<Source> gaining;
  std::uint64_t objects = 0;
  std::uint64_t bytes = 0;
  for (; next < packs.size() && !stopped() && objects < kMaxGroupObjects && bytes < kMaxGroupBytes; ++next) {
    ++result_.packs_seen;
    Source source(packs_, packs[next]);
    if (auto opened = source.reader.open(); !opened) {
      spdlog::error("repack: {}; the pack is left as it is", opened.error().message);
      ++result_.damaged;
      continue;
    }
    PFS_TRY_ASSIGN(const bool worth_it, gains(source, several_small));
    if (!worth_it) continue;
    for (const auto& frame : source.reader.frames()) objects += frame.objects;
    bytes += source.pack.size;
    gaining.push_back(std::move(source));
  }
  return gaining;
}

Result<bool> Repack::gains(const Source& source, bool several_small) {
  if (several_small && source.pack.size < kSmall && !options_.partial_only) return true;
  const auto& frames = source.reader.frames();
  const std::size_t step = std::max<std::size_t>(1, frames.size() / 64);
  std::size_t looked = 0;
  std::size_t named = 0;
  for (std::size_t i = 0; i < frames.size() && looked < kNamedSamples; i += step) {
    const auto table = source.reader.read(frames[i], /*with_raw=*/false);
    if (!table) continue;  // rewriting it will tell
    for (const auto& entry : table->entries) {
      PFS_TRY_ASSIGN(const bool is, is_named(entry.id, source.reader.location(frames[i], entry)));
      named += is ? 1 : 0;
      if (++looked == kNamedSamples) break;
    }
  }
  if (static_cast<double>(named) < kNamedShare * static_cast<double>(looked)) return true;
  if (source.reader.is_repacked() || options_.partial_only) return false;
  // what resembles each other is seen when it lies side by side only, and there is little of it
  return source.pack.kind == PackKind::kMeta ? Result<bool>(true) : trial_gains(source);
}

// Some stretches of frames, compressed as they would be.
Result<bool> Repack::trial_gains(const Source& source) {
  constexpr std::size_t kStretch = 8;
  const auto& frames = source.reader.frames();
  const std::size_t step = std::max(kStretch, frames.size() / (kTrialFrames / kStretch));
  std::uint64_t before = 0;
  std::uint64_t after = 0;
  for (std::size_t first = 0; first < frames.size(); first += step) {
    std::vector<FrameObject> objects;
    std::size_t bytes = 0;
    const auto close = [&] {
      if (!objects.empty()) after += encode_frame(objects, 0, kLevel).size();
      objects.clear();
      bytes = 0;
    };
    for (std::size_t i = first; i < std::min(first + kStretch, frames.size()); ++i) {
      const auto frame = source.reader.read(frames[i]);
      if (!frame) continue;
      before += frames[i].length;
      for (const auto& entry : frame->entries) {
        if (bytes + entry.length > kDataFrame) close();
        objects.push_back({entry.id, std::string(frame->raw.bytes.substr(entry.inner, entry.length))});
        bytes += entry.length;
      }
    }
    close();
  }
  return static_cast<double>(after) <= kTrialGain * static_cast<double>(before);
}

Result<bool> Repack::is_named(const ObjectId& id, const Location& location) const {
  PFS_TRY_ASSIGN(const auto row, local_.get(Family::kIndex, object_key(id)));
  return row == location.encode();
}

Result<void> Repack::rewrite_in_order(Source& source, Output& output) {
  for (const auto& frame : source.reader.frames()) {
    if (stopped()) return {};
    const auto decoded = source.reader.read(frame);
    if (!decoded) {
      spdlog::error("repack: {}; the pack stays", decoded.error().message);
      source.damaged = true;
      continue;
    }
    for (const auto& entry : decoded->entries) {
      const auto from = source.reader.location(frame, entry);
      PFS_TRY_ASSIGN(const bool named, is_named(entry.id, from));
      if (!named) continue;
      const auto bytes = decoded->raw.bytes.substr(entry.inner, entry.length);
      if (const auto proved = prove_object(entry.id, bytes); !proved) {
        spdlog::error("repack: pack {}: {}; the pack stays", source.pack.number.value(), proved.error().message);
        source.damaged = true;
        continue;
      }
      PFS_TRY(add(output, entry.id, from, bytes));
    }
  }
  source.rewritten = true;
  return {};
}

// Twice over the packs: once for what each object resembles, then object by object in that order.
Result<void> Repack::rewrite_by_likeness(std::vector<Source>& group, Output& output) {
  struct Place {
    std::uint64_t likeness = 0;
    std::uint32_t frame = 0;   // of all frames of the group, one behind the other
    std::uint16_t object = 0;  // in its frame
    std::uint8_t rank = 0;
    auto order() const { return std::tuple(rank, likeness, frame, object); }
  };
  struct Frame {
    Source* source = nullptr;
    FramePlace place;
  };
  std::vector<Place> places;
  std::vector<Frame> frames;
  for (auto& source : group) {
    for (const auto& frame : source.reader.frames()) {
      if (stopped()) return {};
      const auto number = static_cast<std::uint32_t>(frames.size());
      frames.push_back({&source, frame});
      const auto decoded = source.reader.read(frame);
      if (!decoded) {
        spdlog::error("repack: {}; the pack stays", decoded.error().message);
        source.damaged = true;
        continue;
      }
      for (std::size_t i = 0; i < decoded->entries.size(); ++i) {
        const auto& entry = decoded->entries[i];
        PFS_TRY_ASSIGN(const bool named, is_named(entry.id, source.reader.location(frame, entry)));
        if (!named) continue;
        // commits and snapshots stay in the order of their making
        const bool of_tree = entry.id.kind == ObjectKind::kNode || entry.id.kind == ObjectKind::kList;
        const auto like = of_tree ? likeness(decoded->raw.bytes.substr(entry.inner, entry.length)) : 0;
        places.push_back({like, number, static_cast<std::uint16_t>(i), static_cast<std::uint8_t>(entry.id.kind)});
      }
    }
  }
  std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) { return a.order() < b.order(); });

  // frames that were used last; neighbours mostly come out of the same few
  std::list<std::pair<std::uint32_t, DecodedFrame>> cache;
  std::size_t cached_bytes = 0;
  for (const auto& place : places) {
    if (stopped()) return {};
    auto found = std::find_if(cache.begin(), cache.end(), [&](const auto& each) { return each.first == place.frame; });
    const auto& frame = frames[place.frame];
    if (found == cache.end()) {
      auto decoded = frame.source->reader.read(frame.place);
      if (!decoded) {
        spdlog::error("repack: {}; the pack stays", decoded.error().message);
        frame.source->damaged = true;
        continue;
      }
      cached_bytes += decoded->raw.bytes.size();
      cache.emplace_front(place.frame, std::move(*decoded));
      while (cached_bytes > kFrameCacheBytes && cache.size() > 1) {
        cached_bytes -= cache.back().second.raw.bytes.size();
        cache.pop_back();
      }
    } else {
      cache.splice(cache.begin(), cache, found);
    }
    const auto& decoded = cache.front().second;
    const auto& entry = decoded.entries[place.object];
    const auto bytes = decoded.raw.bytes.substr(entry.inner, entry.length);
    if (const auto proved = prove_object(entry.id, bytes); !proved) {
      spdlog::error("repack: pack {}: {}; the pack stays", frame.source->pack.number.value(), proved.error().message);
      frame.source->damaged = true;
      continue;
    }
    PFS_TRY(add(output, entry.id, frame.source->reader.location(frame.place, entry), bytes));
  }
  for (auto& source : group) source.rewritten = true;
  return {};
}

Result<void> Repack::add(Output& output, const ObjectId& id, const Location& from, std::string_view bytes) {
  const auto target = output.kind == PackKind::kData ? kDataFrame : kMetaFrame;
  const bool full = output.frame_bytes + bytes.size() > target || output.frame.size() == kMaxObjectsInFrame;
  if (full) PFS_TRY(close_frame(output));
  output.frame_bytes += bytes.size();
  output.frame.push_back({id, std::string(bytes)});
  output.frame_from.push_back(from);
  return {};
}

Result<void> Repack::close_frame(Output& output) {
  if (output.frame.empty()) return {};
  if (output.pack && PackSet::size_of(output.pack) >= PackSet::kSealSize) {
    PFS_TRY(publish(output));
    PFS_TRY(packs_.end(output.pack));
    output.pack.reset();
  }
  if (!output.pack) {
    PFS_TRY_ASSIGN(output.pack, packs_.begin(output.kind));
    ++result_.packs_made;
  }
  PFS_TRY_ASSIGN(const auto appended, packs_.append_to(output.pack, output.frame, kLevel));
  for (std::size_t i = 0; i < output.frame.size(); ++i) {
    output.moves.push_back({output.frame[i].id, output.frame_from[i], appended.locations[i]});
  }
  result_.bytes_after += appended.locations.front().frame_length;
  output.unpublished_bytes += output.frame_bytes;
  output.frame.clear();
  output.frame_from.clear();
  output.frame_bytes = 0;
  PFS_FAULT_POINT("store.repack.appended");
  const bool enough = output.unpublished_bytes >= kPublishEvery || output.moves.size() >= kMovesAtOnce;
  return enough ? publish(output) : Result<void>{};
}

// Where the index names another place by now, a commit stored the object again: both copies are good, and that one stays named.
// A commit that does so between the look and the batch is overruled, which is as good.
Result<void> Repack::publish(Output& output) {
  if (output.moves.empty()) return {};
  PFS_TRY(PackSet::sync(output.pack));
  PFS_FAULT_POINT("store.repack.synced");
  LocalBatch batch;
  const auto write = [&]() -> Result<void> {
    PFS_TRY(local_.write(batch));
    PFS_FAULT_POINT("store.repack.moved");
    batch.changes.clear();
    return {};
  };
  for (const auto& move : output.moves) {
    PFS_TRY_ASSIGN(const bool named, is_named(move.id, move.from));
    if (!named) continue;
    ++result_.objects;
    batch.put(Family::kIndex, object_key(move.id), move.to.encode());
    if (batch.changes.size() >= kRowsAtOnce) PFS_TRY(write());
  }
  if (!batch.empty()) PFS_TRY(write());
  output.moves.clear();
  output.unpublished_bytes = 0;
  return {};
}

// The index is asked once more, object by object: what it still names must not go, whatever the reason.
Result<void> Repack::remove_emptied(const std::vector<Source>& sources) {
  std::vector<PackNumber> emptied;
  for (const auto& source : sources) {
    if (!source.rewritten) continue;
    if (source.damaged) {
      ++result_.damaged;
      continue;
    }
    bool named = false;
    for (const auto& frame : source.reader.frames()) {
      PFS_TRY_ASSIGN(const auto table, source.reader.read(frame, /*with_raw=*/false));
      for (const auto& entry : table.entries) {
        PFS_TRY_ASSIGN(named, is_named(entry.id, source.reader.location(frame, entry)));
        if (named) break;
      }
      if (named) break;
    }
    if (named) continue;
    ++result_.packs_rewritten;
    result_.bytes_before += source.pack.size;
    emptied.push_back(source.pack.number);
    if (going_) going_(source.pack.number);
  }
  return packs_.remove(emptied);
}

}  // namespace pfs::store
