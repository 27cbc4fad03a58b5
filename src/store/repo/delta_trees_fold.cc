#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/codec.h"
#include "base/fault.h"
#include "store/repo/delta_trees.h"
#include "store/repo/folding_files.h"

// What was published becomes the base: rows go, directory by directory from the leaves up.

namespace pfs::store {

namespace {

constexpr Epoch kNewest{~std::uint64_t{0}};

}  // namespace

// Children before parents: while a directory's row still leads to a folded one, that one's row must be there.
Result<void> DeltaTrees::fold(const BranchRef& ref, const Walked& walked, Epoch epoch, const CommitId& head) {
  for (const auto& directory : walked.directories) PFS_TRY(fold_directory(directory, epoch));
  PFS_FAULT_POINT("store.fold.before_branch_row");
  Lock lock(mutex_);
  PFS_TRY_ASSIGN(const auto root, branch_root_locked(ref));
  root->info->frozen.reset();
  root->info->frozen_joined.clear();
  root->info->head = head;
  root->info->links = walked.links;
  LocalBatch batch;
  std::vector<std::pair<StagedAt, std::uint64_t>> dropped;
  FoldingFiles folding;
  for (const auto& [file, entry] : walked.linked) {
    if (const auto found = files_.find(file); found != files_.end()) folding.add(found->second.lock());
  }
  PFS_TRY(fold_links(*root->info, walked, epoch, batch, dropped));
  put_branch_row(*root, batch);
  PFS_TRY(parts_.local->write(batch));
  for (const auto& [file, entry] : walked.linked) close_folded(file, entry.content, epoch);
  for (const auto& [at, bytes] : dropped) staging_->release(at, bytes);
  return {};
}

// Row by row: RocksDB searches every range deletion that is still in memory at each read, so thousands of small ones make
// all reads slow. One for a directory with many rows is worth it: their markers would be walked over one by one.
Result<void> DeltaTrees::erase_folded_rows(LocalBatch& batch, const WalkedDirectory& walked, Epoch epoch) const {
  constexpr std::size_t kMany = 1024;
  bool newer = false;
  if (walked.row_keys.size() > kMany) {
    PFS_TRY(parts_.local->scan(Family::kDelta, delta_directory_begin(walked.directory), delta_directory_end(walked.directory),
                               [&](std::string_view key, std::string_view) {
                                 const auto parsed = parse_delta_key(key);
                                 newer = parsed && parsed->epoch > epoch;
                                 return !newer;
                               }));
  }
  if (walked.row_keys.size() > kMany && !newer) {
    batch.erase_range(Family::kDelta, delta_directory_begin(walked.directory), delta_directory_end(walked.directory));
  } else {
    for (const auto& key : walked.row_keys) batch.erase(Family::kDelta, key);
  }
  return {};
}

Result<void> DeltaTrees::fold_directory(const WalkedDirectory& walked, Epoch epoch) {
  std::vector<std::pair<StagedAt, std::uint64_t>> dropped;
  Lock lock(mutex_);
  FoldingFiles folding;
  LocalBatch batch;
  PFS_TRY(erase_folded_rows(batch, walked, epoch));
  for (const auto& [file, content] : walked.files) {
    if (const auto found = files_.find(file); found != files_.end()) folding.add(found->second.lock());
  }
  for (const auto& [file, content] : walked.files) PFS_TRY(fold_file(batch, file, content, epoch, dropped));
  for (const auto below : walked.directories) {
    // folded before; nothing leads to its row any more unless it was changed again
    PFS_TRY_ASSIGN(const auto newest, newest_numbered(directory_begin(below), directory_end(below), kNewest, nullptr));
    if (newest && newest->first > epoch) continue;
    PFS_TRY(erase_rows(batch, Family::kInode, directory_begin(below), directory_end(below)));
    directories_.erase(below);
  }

  const auto known = directories_.find(walked.directory);
  const NodePtr node = known == directories_.end() ? nullptr : known->second.lock();
  PFS_TRY_ASSIGN(const auto newest,
                 newest_numbered(directory_begin(walked.directory), directory_end(walked.directory), kNewest, nullptr));
  if (!newest) return Error{Code::kCorrupt, fmt::format("directory {}: its row is missing", walked.directory.value())};
  PFS_TRY_ASSIGN(auto row, DirectoryRow::decode(newest->second));
  row.base = walked.subtree;
  PFS_TRY(erase_rows(batch, Family::kInode, directory_begin(walked.directory), directory_end(walked.directory)));
  batch.put(Family::kInode, directory_key(walked.directory, newest->first), row.encode());
  PFS_TRY(parts_.local->write(batch));

  if (node) {
    node->base = walked.subtree;
    if (newest->first <= epoch) node->has_rows = false;
  }
  for (const auto& [file, content] : walked.files) close_folded(file, content, epoch);
  for (const auto& [at, bytes] : dropped) staging_->release(at, bytes);
  return {};
}

void DeltaTrees::close_folded(FileId file, const Content& content, Epoch epoch) {
  const auto found = files_.find(file);
  const NodePtr loaded = found == files_.end() ? nullptr : found->second.lock();
  if (!loaded) {
    files_.erase(file);
    return;
  }
  Lock file_lock(loaded->mutex);
  loaded->state.fold(epoch, content, [](const StagedAt&, std::uint64_t) {});
  if (loaded->marked <= epoch && loaded->state.layers.empty() && loaded->link == NodeState::kLinked) {
    loaded->file = {};
    loaded->stale_row = false;
    files_.erase(file);
    Lock leaf(leaf_);
    stale_.erase(loaded);
  }
}

// The rows of a file whose content up to `epoch` is finished: none are left when nothing newer refers to it.
Result<void> DeltaTrees::fold_file(LocalBatch& batch, FileId file, const Content& content, Epoch epoch,
                                   std::vector<std::pair<StagedAt, std::uint64_t>>& dropped) {
  const auto note = [&](const StagedAt& at, std::uint64_t bytes) { dropped.emplace_back(at, bytes); };
  PFS_TRY_ASSIGN(const auto newest, newest_numbered(file_begin(file), file_end(file), kNewest, nullptr));
  if (!newest) return {};  // unlinked since, and closed
  PFS_TRY(erase_rows(batch, Family::kInode, file_begin(file), file_end(file)));
  const auto found = files_.find(file);
  if (const NodePtr loaded = found == files_.end() ? nullptr : found->second.lock()) {
    Lock lock(loaded->mutex);
    FileState state = loaded->state;  // it knows more than its row
    state.fold(epoch, content, note);
    if (newest->first > epoch && loaded->link == NodeState::kLinked) {
      batch.put(Family::kInode, file_key(file, newest->first), state.encode());
    }
    return {};
  }
  PFS_TRY_ASSIGN(auto state, FileState::decode(newest->second));
  state.fold(epoch, content, note);
  if (newest->first > epoch) batch.put(Family::kInode, file_key(file, newest->first), state.encode());
  return {};
}

}  // namespace pfs::store
