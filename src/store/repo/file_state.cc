#include "store/repo/file_state.h"

#include <algorithm>
#include <cstring>

#include "base/codec.h"
#include "store/chunk/chunker.h"

namespace pfs::store {

namespace {

constexpr std::uint8_t kRowVersion = 2;
constexpr std::uint8_t kFirstRowVersion = 1;  // does not tell whether the base was finished
constexpr std::uint8_t kStaged = 1;
constexpr std::uint8_t kSlice = 2;
constexpr std::uint8_t kSpooled = 3;
constexpr std::uint64_t kMaxOffset = std::uint64_t{1} << 62U;

void encode_attributes(Encoder& out, const Attributes& attributes) {
  out.u8(static_cast<std::uint8_t>(attributes.kind)).varint(attributes.mode).varint(attributes.uid).varint(attributes.gid);
  out.varint(attributes.rdev).signed_varint(attributes.mtime.nanoseconds).signed_varint(attributes.ctime.nanoseconds);
}

Attributes decode_attributes(Decoder& in) {
  Attributes attributes;
  const auto kind = in.u8();
  if (kind < 1 || kind > 7) in.fail();
  attributes.kind = static_cast<Kind>(kind);
  attributes.mode = static_cast<std::uint32_t>(in.varint());
  attributes.uid = static_cast<std::uint32_t>(in.varint());
  attributes.gid = static_cast<std::uint32_t>(in.varint());
  attributes.rdev = in.varint();
  attributes.mtime.nanoseconds = in.signed_varint();
  attributes.ctime.nanoseconds = in.signed_varint();
  return attributes;
}

void drop_extent(const Extent& extent, const FileState::Drop& drop) {
  if (const auto* staged = std::get_if<StagedAt>(&extent.source)) drop(*staged, extent.length);
}

// Takes [begin, end) out of a layer, splitting the extents at its edges.
void clear_range(Layer& layer, std::uint64_t begin, std::uint64_t end, const FileState::Drop& drop) {
  auto& extents = layer.extents;
  auto it = extents.upper_bound(begin);
  if (it != extents.begin() && std::prev(it)->first + std::prev(it)->second.length > begin) --it;
  while (it != extents.end() && it->first < end) {
    const std::uint64_t from = it->first;
    const Extent old = std::move(it->second);
    const std::uint64_t to = from + old.length;
    it = extents.erase(it);
    if (from < begin) {
      Extent front = old;
      front.length = begin - from;
      extents.emplace(from, std::move(front));
    }
    Extent middle = from < begin ? old.without_front(begin - from) : old;
    middle.length = std::min(to, end) - std::max(from, begin);
    drop_extent(middle, drop);
    if (to > end) it = std::next(extents.emplace(end, old.without_front(end - from)).first);
  }
}

}  // namespace

void encode_content_row(Encoder& out, const Content& content) {
  out.u8(static_cast<std::uint8_t>(content.form)).varint(content.size);
  out.bytes(content.form == Content::Form::kInline ? std::string_view(content.bytes) : content.digest.bytes());
}

Content decode_content_row(Decoder& in) {
  Content content;
  const auto form = in.u8();
  if (form > 2) in.fail();
  content.form = static_cast<Content::Form>(form);
  content.size = in.varint();
  const auto bytes = in.bytes();
  if (content.form == Content::Form::kInline) {
    content.bytes = bytes;
    if (bytes.size() != content.size) in.fail();
  } else if (bytes.size() == Digest::kSize) {
    content.digest = Digest::from_bytes(bytes);
  } else {
    in.fail();
  }
  return content;
}

Extent Extent::without_front(std::uint64_t bytes) const {
  Extent rest = *this;
  rest.length -= bytes;
  if (auto* staged = std::get_if<StagedAt>(&rest.source)) {
    staged->offset += bytes;
  } else {
    std::get<Slice>(rest.source).offset += bytes;
  }
  return rest;
}

FileState FileState::from_entry(const Entry& entry) {
  FileState state;
  state.attributes = entry.attributes;
  state.size = entry.content.size;
  state.base = entry.content;
  state.xattrs = entry.xattrs;
  state.link_id = entry.link_id;
  state.finished = true;
  return state;
}

std::string FileState::encode() const {
  Encoder out;
  out.u8(kRowVersion).u8(finished ? 1 : 0);
  encode_attributes(out, attributes);
  out.varint(size).varint(applied).u64(link_id);
  encode_content_row(out, base);
  out.varint(xattrs.size());
  for (const auto& [name, value] : xattrs) out.bytes(name).bytes(value);
  out.varint(layers.size());
  for (const auto& layer : layers) {
    out.u64(layer.epoch.value()).varint(layer.limit).varint(layer.spool_number).varint(layer.extents.size());
    for (const auto& [offset, extent] : layer.extents) {
      out.varint(offset).varint(extent.length);
      if (const auto* staged = std::get_if<StagedAt>(&extent.source)) {
        out.u8(staged->is_in_spool() ? kSpooled : kStaged).varint(staged->segment & ~StagedAt::kSpoolBit).varint(staged->offset);
      } else {
        const auto& slice = std::get<Slice>(extent.source);
        out.u8(kSlice).varint(slice.offset);
        encode_content_row(out, slice.content);
      }
    }
  }
  return std::move(out).str();
}

Result<FileState> FileState::decode(std::string_view row, StagingLog* staging) {
  Decoder in(row);
  FileState state;
  const auto version = in.u8();
  if (version != kRowVersion && version != kFirstRowVersion) in.fail();
  if (version != kFirstRowVersion) state.finished = in.u8() != 0;
  state.attributes = decode_attributes(in);
  state.size = in.varint();
  state.applied = in.varint();
  state.link_id = in.u64();
  state.base = decode_content_row(in);
  for (auto count = in.varint(); count > 0 && in.ok(); --count) {
    std::string name(in.bytes());
    state.xattrs[std::move(name)] = std::string(in.bytes());
  }
  for (auto count = in.varint(); count > 0 && in.ok(); --count) {
    Layer layer;
    layer.epoch = Epoch(in.u64());
    layer.limit = in.varint();
    layer.spool_number = in.varint();
    if ((layer.spool_number & StagedAt::kSpoolBit) != 0) in.fail();
    if (staging != nullptr && layer.spool_number != 0 && in.ok()) {
      PFS_TRY_ASSIGN(layer.spool, staging->spools().find(layer.spool_number));
    }
    for (auto extents = in.varint(); extents > 0 && in.ok(); --extents) {
      const auto offset = in.varint();
      Extent extent;
      extent.length = in.varint();
      const auto source = in.u8();
      if (source == kStaged || source == kSpooled) {
        StagedAt at;
        at.segment = in.varint();
        if (at.is_in_spool()) in.fail();
        if (source == kSpooled) at.segment |= StagedAt::kSpoolBit;
        at.offset = in.varint();
        extent.source = at;
      } else if (source == kSlice) {
        Slice slice;
        slice.offset = in.varint();
        slice.content = decode_content_row(in);
        extent.source = std::move(slice);
      } else {
        in.fail();
      }
      // in order and apart, as they were written: whoever reads them counts on it
      const std::uint64_t end_before = layer.extents.empty() ? 0 : std::prev(layer.extents.end())->first + std::prev(layer.extents.end())->second.length;
      if (offset < end_before || extent.length == 0 || offset > kMaxOffset || extent.length > kMaxOffset) in.fail();
      if (in.ok()) layer.extents.emplace_hint(layer.extents.end(), offset, std::move(extent));
    }
    if (!state.layers.empty() && layer.epoch < state.layers.back().epoch) in.fail();
    state.layers.push_back(std::move(layer));
  }
  PFS_TRY(in.finish("inode row"));
  return state;
}

Layer& FileState::layer_of(Epoch epoch) {
  if (layers.empty() || layers.back().epoch < epoch || layers.back().spool_number != 0) {
    layers.push_back({epoch, size, {}, 0, nullptr});
    overwritten = 0;
  }
  return layers.back();
}

Spool* FileState::writable_spool(Epoch epoch) const {
  if (layers.empty() || layers.back().epoch != epoch || !layers.back().spool || layers.back().spool->sealed()) return nullptr;
  return layers.back().spool.get();
}

void FileState::add_spool(Epoch epoch, SpoolPtr spool) {
  const auto number = spool->number();
  layers.push_back({epoch, size, {}, number, std::move(spool)});
  overwritten = 0;
}

void FileState::put(Epoch epoch, std::uint64_t offset, Extent extent, const Drop& drop) {
  // a spool's layer takes extents too: reference copies
  Layer& layer = writable_spool(epoch) != nullptr ? layers.back() : layer_of(epoch);
  const std::uint64_t end = offset + extent.length;
  clear_range(layer, offset, end, [&](const StagedAt& at, std::uint64_t bytes) {
    overwritten += bytes;
    drop(at, bytes);
  });
  // a sequential writer's extents grow together where the log has them side by side
  if (auto* staged = std::get_if<StagedAt>(&extent.source)) {
    auto after = layer.extents.lower_bound(offset);
    if (after != layer.extents.begin()) {
      auto& [before_offset, before] = *std::prev(after);
      const auto* at = std::get_if<StagedAt>(&before.source);
      if (at != nullptr && before_offset + before.length == offset && at->segment == staged->segment &&
          at->offset + before.length == staged->offset) {
        before.length += extent.length;
        size = std::max(size, end);
        return;
      }
    }
  }
  layer.extents.emplace(offset, std::move(extent));
  size = std::max(size, end);
}

void FileState::truncate(Epoch epoch, std::uint64_t new_size, const Drop& drop) {
  if (new_size == 0) {
    // nothing of this epoch shows any more: its layers go, spools too
    for (; !layers.empty() && layers.back().epoch == epoch; layers.pop_back()) layers.back().each_staged(drop);
  }
  Layer& layer = writable_spool(epoch) != nullptr ? layers.back() : layer_of(epoch);
  if (new_size < size) {
    clear_range(layer, new_size, size, drop);
    layer.limit = std::min(layer.limit, new_size);
  }
  size = new_size;
}

void FileState::clear(std::uint64_t begin, std::uint64_t end, const Drop& drop) { clear_range(layers.back(), begin, end, drop); }

void FileState::fold(Epoch epoch, const Content& content, const Drop& drop) {
  auto it = layers.begin();
  for (; it != layers.end() && it->epoch <= epoch; ++it) {
    it->each_staged(drop);
  }
  layers.erase(layers.begin(), it);
  base = content;
  finished = true;
}

void FileState::carry_to(Epoch epoch) {
  for (auto& layer : layers) layer.epoch = epoch;
}

void Layer::each_staged(const std::function<void(const StagedAt&, std::uint64_t)>& visit) const {
  for (const auto& [offset, extent] : extents) drop_extent(extent, visit);
  if (spool_number != 0) visit(StagedAt::in_spool(spool_number, 0), 1);
}

void FileState::seal_spools() const {
  for (const auto& layer : layers) {
    if (layer.spool) layer.spool->seal();
  }
}

bool FileState::drop_lost(const StagingLog& staging) {
  bool changed = false;
  for (auto& layer : layers) {
    const auto lost = std::erase_if(layer.extents, [&](const auto& each) {
      const auto* at = std::get_if<StagedAt>(&each.second.source);
      return at != nullptr && !staging.has(*at, each.second.length);
    });
    if (layer.spool_number != 0 && !layer.spool) {
      layer.spool_number = 0;
      changed = true;
    }
    changed = changed || lost > 0;
  }
  return changed;
}

bool FileState::follow_spool() {
  if (layers.empty() || !layers.back().spool) return false;
  bool changed = false;
  Layer& top = layers.back();
  const std::uint64_t now = top.spool->size();
  if (now != size || top.limit > now) {
    clear_range(top, now, kMaxOffset, [](const StagedAt&, std::uint64_t) {});
    top.limit = std::min(top.limit, now);
    size = now;
    changed = true;
  }
  if (top.spool->changed() > attributes.ctime) {
    attributes.mtime = attributes.ctime = top.spool->changed();
    changed = true;
  }
  return changed;
}

void FileState::pieces(std::uint64_t offset, std::uint64_t length, const std::function<void(const Piece&)>& visit) const {
  // what layer `index` - 1 (0: the base) shows of [from, to)
  const std::function<void(std::size_t, std::uint64_t, std::uint64_t)> below = [&](std::size_t index, std::uint64_t from,
                                                                                   std::uint64_t to) {
    if (from >= to) return;
    if (index == 0) {
      const std::uint64_t end = std::clamp(base.size, from, to);
      if (from < end) visit({from, end - from, Slice{base, from}});
      if (end < to) visit({end, to - end, std::monostate{}});
      return;
    }
    const Layer& layer = layers[index - 1];
    const auto under = [&](std::uint64_t begin, std::uint64_t end) {
      if (begin >= end) return;
      const std::uint64_t shown = std::clamp(layer.limit, begin, end);
      below(index - 1, begin, shown);
      if (shown < end) visit({shown, end - shown, std::monostate{}});
    };
    const auto gap = [&](std::uint64_t begin, std::uint64_t end) {
      if (layer.spool) {
        for (const auto& [valid, stop] : layer.spool->valid_ranges(begin, end)) {
          under(begin, valid);
          visit({valid, stop - valid, StagedAt::in_spool(layer.spool_number, valid)});
          begin = stop;
        }
      }
      under(begin, end);
    };
    auto it = layer.extents.upper_bound(from);
    if (it != layer.extents.begin() && std::prev(it)->first + std::prev(it)->second.length > from) --it;
    std::uint64_t at = from;
    for (; it != layer.extents.end() && it->first < to; ++it) {
      if (it->first > at) gap(at, it->first);
      at = std::max(at, it->first);
      const Extent part = it->second.without_front(at - it->first);
      const std::uint64_t piece = std::min(part.length, to - at);
      if (const auto* staged = std::get_if<StagedAt>(&part.source)) {
        visit({at, piece, *staged});
      } else {
        visit({at, piece, std::get<Slice>(part.source)});
      }
      at += piece;
    }
    if (at < to) gap(at, to);
  };
  below(layers.size(), offset, std::min(size, offset + length));
}

std::vector<FileState::Range> FileState::changed() const {
  std::vector<Range> ranges;
  std::uint64_t kept = base.size;  // bytes of the base that every layer lets through
  for (const auto& layer : layers) {
    kept = std::min(kept, layer.limit);
    for (const auto& [offset, extent] : layer.extents) ranges.push_back({offset, offset + extent.length});
    if (!layer.spool) continue;
    // no chunk fits into a small gap, so that nothing is lost by taking it as changed: millions of blocks are few ranges
    const std::size_t first = ranges.size();
    constexpr std::uint64_t kStep = std::uint64_t{64} << 20U;
    for (auto at = layer.spool->next_valid(0); at < size; at = layer.spool->next_valid(at + kStep)) {
      for (const auto& [begin, end] : layer.spool->valid_ranges(at, std::min(size, at + kStep))) {
        if (ranges.size() > first && begin - ranges.back().end < Chunker::kMin) {
          ranges.back().end = end;
        } else {
          ranges.push_back({begin, end});
        }
      }
    }
  }
  if (kept < size || kept < base.size) ranges.push_back({std::min(kept, size), size});
  for (auto& range : ranges) range.end = std::min(range.end, size);
  std::erase_if(ranges, [&](const Range& range) { return range.begin > range.end; });
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.begin < b.begin; });
  std::vector<Range> merged;
  for (const auto& range : ranges) {
    if (!merged.empty() && range.begin <= merged.back().end) {
      merged.back().end = std::max(merged.back().end, range.end);
    } else {
      merged.push_back(range);
    }
  }
  return merged;
}

void FileState::each_staged(const Drop& visit) const {
  for (const auto& layer : layers) layer.each_staged(visit);
}

std::vector<FileState::Piece> FileState::pieces_of(std::uint64_t offset, std::uint64_t length) const {
  std::vector<Piece> all;
  if (offset < size) pieces(offset, length, [&](const Piece& piece) { all.push_back(piece); });
  return all;
}

FileState::Piece FileState::piece_at(std::uint64_t offset) const {
  constexpr std::uint64_t kLongest = std::uint64_t{1} << 30U;  // of a spool's bytes: their end is looked for word by word
  std::uint64_t to = size;
  for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer) {
    const auto next = layer->extents.upper_bound(offset);
    if (next != layer->extents.begin() && std::prev(next)->first + std::prev(next)->second.length > offset) {
      const Extent part = std::prev(next)->second.without_front(offset - std::prev(next)->first);
      Piece piece{offset, std::min(part.length, to - offset), {}};
      if (const auto* staged = std::get_if<StagedAt>(&part.source)) piece.source = *staged;
      else piece.source = std::get<Slice>(part.source);
      return piece;
    }
    if (next != layer->extents.end()) to = std::min(to, next->first);
    if (layer->spool) {
      const auto valid_to = layer->spool->valid_to(offset, std::min(to, offset + kLongest));
      if (valid_to > offset) return {offset, valid_to - offset, StagedAt::in_spool(layer->spool_number, offset)};
      to = std::min(to, layer->spool->next_valid(offset));
    }
    if (offset >= layer->limit) return {offset, to - offset, std::monostate{}};
    to = std::min(to, layer->limit);
  }
  if (offset >= base.size) return {offset, to - offset, std::monostate{}};
  return {offset, std::min(to, base.size) - offset, Slice{base, offset}};
}

Result<std::size_t> read_pieces(const std::vector<FileState::Piece>& pieces, const StagingLog& log,
                                const ContentReader& contents, std::uint64_t offset, std::span<std::byte> out) {
  std::size_t done = 0;
  for (const auto& piece : pieces) {
    const auto part = out.subspan(static_cast<std::size_t>(piece.offset - offset), static_cast<std::size_t>(piece.length));
    if (const auto* staged = std::get_if<StagedAt>(&piece.source)) {
      PFS_TRY(log.read(*staged, part));
    } else if (const auto* slice = std::get_if<Slice>(&piece.source)) {
      PFS_TRY(contents.read(slice->content, slice->offset, part));
    } else {
      std::memset(part.data(), 0, part.size());
    }
    done += part.size();
  }
  return done;
}

}  // namespace pfs::store
