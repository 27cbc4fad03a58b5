#include <algorithm>
#include <unordered_set>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/codec.h"
#include "base/fault.h"
#include "store/repo/delta_trees.h"
#include "store/repo/folding_files.h"

// What was published becomes the base: rows go, directory by directory from the leaves up.

namespace pfs::store {

namespace {

constexpr std::size_t kFilesAtOnce = 256;
constexpr std::size_t kChangesAtOnce = 4096;  // of a batch: one for a big directory would be as big

}  // namespace

// The rows and the tree that they were walked into say everything, so that nothing has to be kept of a walk, and what a killed
// process has walked, published and not folded is folded in the same way.
Result<void> DeltaTrees::fold(const BranchRef& ref, const Subtree& root, const Digest& links, Epoch epoch, const CommitId& head) {
  DirId top;
  {
    Lock lock(mutex_);
    PFS_TRY_ASSIGN(const auto node, branch_root_locked(ref));
    top = node->directory;
  }
  FoldContext context{epoch, {}};
  PFS_TRY(fold_directory(context, top, root));
  PFS_FAULT_POINT("store.fold.before_branch_row");
  {
    Lock lock(mutex_);
    PFS_TRY_ASSIGN(const auto node, branch_root_locked(ref));
    node->info->frozen.reset();
    node->info->frozen_joined.clear();
    node->info->head = head;
    node->info->links = links;
    LocalBatch batch;
    Dropped dropped;
    FoldingFiles folding;
    for (const auto& [file, link] : context.linked) folding.add(files_.find(file));
    PFS_TRY(fold_links(*node->info, context, batch, dropped));
    put_branch_row(*node, batch);
    PFS_TRY(parts_.local->write(batch));
    for (const auto& [file, link] : context.linked) close_folded(file, link.content, epoch);
    release(dropped);
  }
  reap();  // what was removed meanwhile and waited for this commit
  return {};
}

// Children before parents: while a directory's row still leads to a folded one, that one's row must be there.
Result<void> DeltaTrees::fold_directory(FoldContext& context, DirId directory, const Subtree& subtree) {
  std::vector<DirId> below;
  DirectoryRows names(*parts_.local, directory, context.epoch, nullptr);
  for (;;) {
    PFS_TRY_ASSIGN(const auto name, names.next());
    if (!name) break;
    const auto* directory_below = std::get_if<DirId>(&name->row.what);
    if (directory_below == nullptr) continue;
    PFS_TRY_ASSIGN(const auto entry, published_entry(subtree, name->name));
    PFS_TRY(fold_directory(context, *directory_below, entry.subtree));
    below.push_back(*directory_below);
  }
  std::vector<FileId> unreached;
  PFS_TRY(fold_rows(context, directory, subtree, below, unreached));
  // nothing leads to them any more: in batches of their own, between which others have their turn
  for (std::size_t begin = 0; begin < unreached.size(); begin += kChangesAtOnce) {
    const auto count = std::min(kChangesAtOnce, unreached.size() - begin);
    PFS_TRY(drop_unreached(context, std::span(unreached).subspan(begin, count)));
  }
  return {};
}

// What the directory itself says is changed by one batch.
Result<void> DeltaTrees::fold_rows(FoldContext& context, DirId directory, const Subtree& subtree, const std::vector<DirId>& below,
                                   std::vector<FileId>& unreached) {
  const Epoch epoch = context.epoch;
  Lock lock(mutex_);
  FoldingFiles folding;
  FoldedDirectory folded{directory, subtree, {}, {}, {}};
  auto& batch = folded.batch;
  PFS_TRY(erase_folded_names(folded, epoch));
  DirectoryRows names(*parts_.local, directory, epoch, nullptr);
  for (bool more = true; more;) {
    std::vector<std::pair<FileId, std::string>> files;
    FileId greatest;
    while (files.size() < kFilesAtOnce) {
      PFS_TRY_ASSIGN(auto name, names.next());
      more = name.has_value();
      if (!more) break;
      const auto* file = std::get_if<FileId>(&name->row.what);
      if (file == nullptr) continue;
      greatest = std::max(greatest, *file);
      files.emplace_back(*file, std::move(name->name));
    }
    FileRows rows(*parts_.local, greatest, nullptr);
    for (const auto& [file, name] : files) {
      folding.add(files_.find(file));
      PFS_TRY(fold_name(context, rows, file, name, folded, unreached));
    }
  }
  for (const auto one : below) {
    // folded before; nothing leads to its row any more unless it was changed again
    PFS_TRY_ASSIGN(const auto newest, newest_numbered(directory_begin(one), directory_end(one), kNewest, nullptr));
    if (newest && newest->first > epoch) continue;
    PFS_TRY(erase_rows(batch, Family::kInode, directory_begin(one), directory_end(one)));
    directories_.erase(one);
  }

  const NodePtr node = directories_.find(directory);
  PFS_TRY_ASSIGN(const auto newest, newest_numbered(directory_begin(directory), directory_end(directory), kNewest, nullptr));
  if (!newest) return Error{Code::kCorrupt, fmt::format("directory {}: its row is missing", directory.value())};
  PFS_TRY_ASSIGN(auto row, DirectoryRow::decode(newest->second));
  row.base = subtree;
  PFS_TRY(erase_rows(batch, Family::kInode, directory_begin(directory), directory_end(directory)));
  batch.put(Family::kInode, directory_key(directory, newest->first), row.encode());
  PFS_TRY(parts_.local->write(batch));

  if (node) {
    node->base = subtree;
    if (newest->first <= epoch) node->has_rows = false;
  }
  for (const auto& [file, content] : folded.reached) close_folded(file, content, epoch);
  release(folded.dropped);
  return {};
}

// Row by row: RocksDB searches every range deletion that is still in memory at each read, so thousands of small ones make
// all reads slow. One for a run of many rows is worth it: their markers would be walked over one by one.
Result<void> DeltaTrees::erase_folded_names(FoldedDirectory& folded, Epoch epoch) const {
  constexpr std::size_t kMany = 1024;
  std::vector<std::string> run;  // without a newer row in between; once it is long, only its ends
  std::size_t length = 0;
  const auto end_run = [&] {
    if (length > kMany) {
      folded.batch.erase_range(Family::kDelta, run.front(), run.back() + '\0');
    } else {
      for (auto& key : run) folded.batch.erase(Family::kDelta, std::move(key));
    }
    run.clear();
    length = 0;
  };
  Result<void> outcome;
  PFS_TRY(parts_.local->scan(Family::kDelta, delta_directory_begin(folded.directory), delta_directory_end(folded.directory),
                             [&](std::string_view key, std::string_view) {
                               auto parsed = parse_delta_key(key);
                               if (!parsed) {
                                 outcome = std::move(parsed).error();
                                 return false;
                               }
                               if (parsed->epoch > epoch) {
                                 end_run();
                                 return true;
                               }
                               if (++length > kMany) run.resize(1);
                               run.emplace_back(key);
                               return true;
                             }));
  end_run();
  return outcome;
}

// A file that is loaded, or whose rows are newer, goes on living on top of what was published. Of any other nothing is left.
Result<void> DeltaTrees::fold_name(FoldContext& context, FileRows& rows, FileId file, const std::string& name, FoldedDirectory& folded,
                                   std::vector<FileId>& unreached) {
  PFS_TRY_ASSIGN(auto found, read_folded(rows, file, context.epoch));
  if (!found.newest) return {};  // unlinked since, and closed
  if (found.link_id != 0) {
    if (!context.linked.contains(file)) {
      PFS_TRY_ASSIGN(auto entry, published_entry(folded.subtree, name));
      context.linked[file] = {std::move(entry.content), found.link_id};
    }
    return {};
  }
  const bool loaded = files_.find(file) != nullptr;
  if (loaded || found.newest > context.epoch) {
    PFS_TRY_ASSIGN(auto entry, published_entry(folded.subtree, name));
    PFS_TRY(fold_file(folded.batch, file, found, entry.content, context.epoch, folded.dropped));
    folded.reached.emplace_back(file, std::move(entry.content));
    return {};
  }
  files_.erase(file);
  if (folded.batch.changes.size() >= kChangesAtOnce) {
    unreached.push_back(file);
    return {};
  }
  return fold_file(folded.batch, file, found, Content{}, context.epoch, folded.dropped);
}

Result<void> DeltaTrees::drop_unreached(const FoldContext& context, std::span<const FileId> files) {
  LocalBatch batch;
  Dropped dropped;
  Lock lock(mutex_);
  FileRows rows(*parts_.local, *std::max_element(files.begin(), files.end()), nullptr);
  for (const auto file : files) {
    PFS_TRY_ASSIGN(auto found, read_folded(rows, file, context.epoch));
    if (found.newest) PFS_TRY(fold_file(batch, file, found, Content{}, context.epoch, dropped));
  }
  PFS_TRY(parts_.local->write(batch));
  release(dropped);
  return {};
}

Result<DeltaTrees::FoldedFile> DeltaTrees::read_folded(FileRows& rows, FileId file, Epoch epoch) {
  FoldedFile found;
  Result<void> outcome;
  bool frozen = false;
  PFS_TRY(rows.each(file, [&](Epoch at, std::string_view key, std::string_view value) {
    found.keys.emplace_back(key);
    const bool newest = !found.newest;
    if (!newest && (frozen || at > epoch)) return true;
    auto state = FileState::decode(value);
    if (!state) {
      outcome = std::move(state).error();
      return false;
    }
    if (at <= epoch) {
      frozen = true;
      found.link_id = state->link_id;
    }
    if (newest) {
      found.newest = at;
      found.state = std::move(*state);
    }
    return true;
  }));
  PFS_TRY(std::move(outcome));
  return found;
}

void DeltaTrees::close_folded(FileId file, const Content& content, Epoch epoch) {
  const NodePtr loaded = files_.find(file);
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
Result<void> DeltaTrees::fold_file(LocalBatch& batch, FileId file, FoldedFile& found, const Content& content, Epoch epoch,
                                   Dropped& dropped) {
  const auto note = [&](const StagedAt& at, std::uint64_t bytes) { dropped.emplace_back(at, bytes); };
  for (auto& key : found.keys) batch.erase(Family::kInode, std::move(key));
  if (const NodePtr loaded = files_.find(file)) {
    Lock lock(loaded->mutex);
    FileState state = loaded->state;  // it knows more than its row
    state.fold(epoch, content, note);
    if (*found.newest > epoch && loaded->link == NodeState::kLinked) {
      batch.put(Family::kInode, file_key(file, *found.newest), state.encode());
    }
    return {};
  }
  // who let go of it last may have left it to reap(), and is not to release once more what is released here
  if (const auto unnamed = unnamed_.find(file); unnamed != unnamed_.end() && !unnamed->second) folded_and_removed_[file] = epoch;
  found.state.fold(epoch, content, note);
  if (*found.newest > epoch) batch.put(Family::kInode, file_key(file, *found.newest), found.state.encode());
  return {};
}

void DeltaTrees::release(const Dropped& dropped) {
  for (const auto& [at, bytes] : dropped) staging_->release(at, bytes);
}

Result<Entry> DeltaTrees::published_entry(const Subtree& published, std::string_view name) const {
  PFS_TRY_ASSIGN(auto entry, parts_.trees->find(published.root, name));
  if (!entry) return Error{Code::kCorrupt, fmt::format("{}: its commit is out and does not have it", printable(name))};
  return std::move(*entry);
}

}  // namespace pfs::store
