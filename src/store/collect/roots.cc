#include "store/collect/roots.h"

#include <optional>

#include "store/chunk/sha256.h"
#include "store/refs/records.h"
#include "store/repo/delta_rows.h"
#include "store/repo/file_state.h"

namespace pfs::store {

namespace {

// Calls `visit` for each row of a prefix until it fails.
Result<void> each_ref(const RefDb& refs, std::string_view prefix, const std::function<Result<void>(std::string_view key, std::string_view value)>& visit) {
  Result<void> outcome;
  PFS_TRY(refs.scan(prefix, {}, [&](std::string_view key, const RefValue& row) {
    outcome = visit(key, row.value);
    return outcome.has_value();
  }));
  return outcome;
}

Result<void> each_row(const LocalDb& local, Family family, std::string_view from, std::string_view to,
                      const std::function<Result<void>(std::string_view key, std::string_view value)>& visit) {
  Result<void> outcome;
  PFS_TRY(local.scan(family, from, to, [&](std::string_view key, std::string_view value) {
    outcome = visit(key, value);
    return outcome.has_value();
  }));
  return outcome;
}

Result<void> mark_commits(const StoreView& view, Marker& marker) {
  return each_ref(view.refs(), kCommitPrefix, [&](std::string_view, std::string_view value) -> Result<void> {
    PFS_TRY_ASSIGN(const auto commit, decode_commit(value));
    PFS_TRY(marker.mark_object({ObjectKind::kCommit, sha256_tagged("pfs.commit.1", value)}));
    PFS_TRY(marker.mark_tree(commit.root.root));
    return marker.mark_tree(commit.links);
  });
}

Result<void> mark_branches(const StoreView& view, Marker& marker) {
  return each_ref(view.refs(), kBranchPrefix, [&](std::string_view, std::string_view value) -> Result<void> {
    PFS_TRY_ASSIGN(const auto branch, decode_branch(value));
    if (!branch.open_tree) return {};
    PFS_TRY(marker.mark_tree(branch.open_tree->root.root));
    return marker.mark_tree(branch.open_tree->links);
  });
}

// Rows of every epoch: a frozen one is still to be walked.
Result<void> mark_changes(const StoreView& view, Marker& marker) {
  PFS_TRY(each_row(view.local(), Family::kDelta, "", "", [&](std::string_view key, std::string_view value) -> Result<void> {
    PFS_TRY_ASSIGN(const auto at, parse_delta_key(key));
    PFS_TRY_ASSIGN(const auto row, DeltaRow::decode(value, at.name));
    const auto* entry = std::get_if<Entry>(&row.what);
    return entry == nullptr ? Result<void>() : marker.mark_entry(*entry);
  }));
  return each_row(view.local(), Family::kInode, "", "", [&](std::string_view key, std::string_view value) -> Result<void> {
    if (key.starts_with('D')) {
      PFS_TRY_ASSIGN(const auto row, DirectoryRow::decode(value));
      PFS_TRY(marker.mark_tree(row.base.root));
      return marker.mark_xattrs(row.xattrs);
    }
    if (!key.starts_with('I')) return {};
    PFS_TRY_ASSIGN(const auto file, FileState::decode(value));
    return mark_file(file, marker);
  });
}

// They tell a repair what the refs were, each what came since the one before.
Result<void> mark_snapshots(const StoreView& view, Marker& marker) {
  const auto from = object_key({ObjectKind::kRefs, {}});
  for (const auto family : {Family::kHot, Family::kIndex}) {
    PFS_TRY(each_row(view.local(), family, from, "", [&](std::string_view key, std::string_view) -> Result<void> {
      PFS_TRY_ASSIGN(const auto id, decode_object_key(key));
      return id.kind == ObjectKind::kRefs ? marker.mark_object(id) : Result<void>();
    }));
  }
  return {};
}

}  // namespace

Result<void> mark_file(const FileState& file, Marker& marker) {
  PFS_TRY(marker.mark_content(file.base));
  PFS_TRY(marker.mark_xattrs(file.xattrs));
  for (const auto& layer : file.layers) {
    for (const auto& [offset, extent] : layer.extents) {
      if (const auto* slice = std::get_if<Slice>(&extent.source)) PFS_TRY(marker.mark_content(slice->content));
    }
  }
  return {};
}

Result<void> mark_roots(const StoreView& view, std::span<const MarkOthers> others, Marker& marker) {
  PFS_TRY(mark_commits(view, marker));
  PFS_TRY(mark_branches(view, marker));
  PFS_TRY(mark_changes(view, marker));
  PFS_TRY(mark_snapshots(view, marker));
  for (const auto& mark : others) PFS_TRY(mark(view, marker));
  return {};
}

}  // namespace pfs::store
