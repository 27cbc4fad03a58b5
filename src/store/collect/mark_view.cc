#include "store/collect/mark_view.h"

#include <fcntl.h>

#include <memory>
#include <unordered_set>

#include <fmt/format.h>

#include "base/codec.h"
#include "base/file.h"
#include "store/pack/hot_rows.h"

namespace pfs::store {

namespace {

std::string held_of(const std::string& directory) { return directory + "/held"; }

Result<void> mark_held(const std::string& directory, Marker& marker) {
  PFS_TRY_ASSIGN(const std::string bytes, read_file(held_of(directory)));
  Decoder in(bytes);
  while (in.left() > 0) {
    const auto kind = static_cast<ObjectKind>(in.u8());
    const auto digest = Digest::from_bytes(in.raw(Digest::kSize));
    if (kind == ObjectKind::kNode) PFS_TRY(marker.mark_tree(digest));
    else if (kind == ObjectKind::kList) PFS_TRY(marker.mark_content(Content{Content::Form::kList, 0, digest, {}}));
    else PFS_TRY(marker.mark_object({kind, digest}));
  }
  return in.finish("held objects");
}

// Packs that were sealed then: of the others rows come back when they are.
Result<std::unordered_set<PackNumber>> sealed_in(const StoreView& view) {
  std::unordered_set<PackNumber> sealed;
  for (const auto& pack : view.packs().sealed_packs()) sealed.insert(pack.number);
  return sealed;
}

Result<void> find_dead(const StoreView& view, const DigestSet& live, const std::string& path) {
  PFS_TRY_ASSIGN(const auto sealed, sealed_in(view));
  DeadListWriter dead(path);
  ObjectTotals totals;
  // side by side, so that the list is in the order of its objects whatever row they have
  const auto hot = view.local().cursor(Family::kHot, "", "");
  const auto index = view.local().cursor(Family::kIndex, "", "");
  PFS_TRY_ASSIGN(bool any_hot, hot->seek(""));
  PFS_TRY_ASSIGN(bool any_index, index->seek(""));
  DigestSet::Sorted members(live);
  while (any_hot || any_index) {
    const bool is_hot = any_hot && (!any_index || hot->key() <= index->key());
    const auto& at = is_hot ? hot : index;
    DeadObject object;
    PFS_TRY_ASSIGN(object.id, decode_object_key(at->key()));
    if (is_hot) {
      PFS_TRY_ASSIGN(const auto row, HotRows::decode(at->value()));
      object.length = static_cast<std::uint32_t>(row.bytes.size());
    } else {
      PFS_TRY_ASSIGN(const auto location, Location::decode(at->value()));
      object.pack = location.pack;
      object.length = location.length;
    }
    PFS_TRY_ASSIGN(const bool is_live, members.has(at->key()));
    if (is_live) {
      ++totals.objects;
      totals.bytes += object.length;
    } else if (is_hot || sealed.contains(object.pack)) {
      PFS_TRY(dead.add(object));
    }
    PFS_TRY_ASSIGN((is_hot ? any_hot : any_index), at->next());
  }
  return dead.end(totals);
}

}  // namespace

std::string dead_list_of(const std::string& directory) { return directory + "/dead"; }

Result<void> write_held(const std::string& directory, std::span<const ObjectId> held) {
  Encoder out;
  for (const auto& id : held) out.u8(static_cast<std::uint8_t>(id.kind)).raw(id.digest.bytes());
  return write_file_atomically(held_of(directory), std::move(out).str());
}

Result<void> mark_view(const std::string& store_path, const std::string& directory, std::span<const MarkOthers> others) {
  PFS_TRY_ASSIGN(const auto view, StoreView::open(store_path, directory));
  PFS_TRY_ASSIGN(const auto live, DigestSet::make(directory + "/live"));
  Marker marker(view->objects(), *live);
  PFS_TRY(mark_held(directory, marker));
  PFS_TRY(mark_roots(*view, others, marker));
  return find_dead(*view, *live, dead_list_of(directory));
}

}  // namespace pfs::store
