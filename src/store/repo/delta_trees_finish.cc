#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/fault.h"
#include "store/repo/delta_trees.h"
#include "store/tree/link_index.h"

namespace pfs::store {

namespace {

constexpr FileId kLastFile{~std::uint64_t{0} - 1};  // greater than any that is given out

// Semantics S44: times of directories and ctime alone make no commit worth keeping.
bool worth_keeping(const Entry& before, Entry after) {
  after.attributes.ctime = before.attributes.ctime;
  if (after.is_directory()) {
    after.attributes.mtime = before.attributes.mtime;
    after.subtree = before.subtree;  // what changed below it was looked at there
  }
  return before != after;
}

}  // namespace

DeltaTrees::Activity DeltaTrees::activity(const BranchRef& ref, std::chrono::milliseconds idle_after) {
  std::vector<NodePtr> stale;
  {
    Lock leaf(leaf_);
    stale.assign(stale_.begin(), stale_.end());
  }
  Activity activity;
  activity.changed_since = parts_.clock->now();
  Lock lock(mutex_);
  const auto found = branches_.find(ref);
  if (found == branches_.end()) {
    if (const auto row = branch_rows_.find(ref); row != branch_rows_.end()) {
      activity.changed = true;
      activity.frozen = row->second.frozen;
      activity.joined = row->second.joined;
    }
    return activity;
  }
  const auto& info = *found->second->info;
  activity.changed = info.changed;
  activity.last_change = info.last_change;
  activity.last_change_at = info.last_change_at;
  activity.first_change = info.changed_since;
  activity.changed_since = info.changed_since_at;
  activity.frozen = info.frozen;
  activity.joined = info.joined;
  const auto now = parts_.clock->steady();
  for (const auto& file : stale) {
    if (&root_of(*file) != found->second.get() || state_locked(*file) != NodeState::kLinked) continue;
    Lock file_lock(file->mutex);
    activity.last_change = std::max(activity.last_change, file->last_write);
    if (file->writers > 0 && now - file->last_write < idle_after) activity.being_written.push_back({path_locked(*file), file->writer});
  }
  return activity;
}

bool DeltaTrees::changed(const BranchRef& ref) {
  Lock lock(mutex_);
  if (const auto found = branches_.find(ref); found != branches_.end()) return found->second->info->changed;
  return branch_rows_.contains(ref);
}

std::set<BranchRef> DeltaTrees::joined(const BranchRef& ref) {
  Lock lock(mutex_);
  if (const auto found = branches_.find(ref); found != branches_.end()) {
    auto joined = found->second->info->joined;
    joined.insert(found->second->info->frozen_joined.begin(), found->second->info->frozen_joined.end());
    return joined;
  }
  const auto row = branch_rows_.find(ref);
  return row != branch_rows_.end() ? row->second.joined : std::set<BranchRef>();
}

std::optional<BranchRow::Frozen> DeltaTrees::frozen(const BranchRef& ref) {
  Lock lock(mutex_);
  if (const auto found = branches_.find(ref); found != branches_.end()) return found->second->info->frozen;
  const auto row = branch_rows_.find(ref);
  return row != branch_rows_.end() ? row->second.frozen : std::nullopt;
}

std::vector<BranchRef> DeltaTrees::changed_branches() {
  std::vector<BranchRef> refs;
  Lock lock(mutex_);
  for (const auto& [ref, root] : branches_) {
    if (root->info->changed || root->info->frozen) refs.push_back(ref);
  }
  for (const auto& [ref, row] : branch_rows_) refs.push_back(ref);
  return refs;
}

Result<std::optional<Epoch>> DeltaTrees::freeze(const std::map<BranchRef, Freezing>& frozen, const std::set<BranchRef>& claimed) {
  Lock lock(mutex_);
  for (const auto& [ref, one] : frozen) {
    PFS_TRY_ASSIGN(const auto root, branch_root_locked(ref));
    if (!std::includes(claimed.begin(), claimed.end(), root->info->joined.begin(), root->info->joined.end())) {
      return std::optional<Epoch>();
    }
  }
  const Epoch epoch(epoch_);
  // from here on writers put rows of the next epoch; those under way finish under their file's mutex, which flush_rows takes
  epoch_ = epoch.value() + 1;
  PFS_TRY(flush_rows());
  Change change;
  FoldingFiles putting;
  PFS_TRY_ASSIGN(const auto left_out, leave_out(frozen, putting, change));
  auto& batch = change.batch;
  batch.put(Family::kInode, counters_key(), CountersRow{Epoch(epoch.value() + 1), reserved_id_}.encode());
  std::vector<std::shared_ptr<TreeInfo>> infos;
  const auto thaw_all = [&infos] {
    for (const auto& info : infos) {
      info->open = info->frozen->commit;
      info->frozen.reset();
    }
  };
  for (const auto& [ref, one] : frozen) {
    PFS_TRY_ASSIGN(const auto root, branch_root_locked(ref));
    root->info->frozen = one.under;
    root->info->frozen->epoch = epoch;
    if (const auto files = left_out.find(ref); files != left_out.end()) {
      auto& description = root->info->frozen->description;
      description += (description.empty() ? "" : "\n") + text_of_left_out(files->second);
    }
    root->info->open = one.under.next;
    infos.push_back(root->info);
    if (!root->directory) {  // nothing was ever changed in it
      auto number = new_id(*root->info);
      if (!number) {
        thaw_all();
        return std::move(number).error();
      }
      change.marked.push_back({root, false, root->has_rows});
      root->directory = DirId(*number);
      directories_.put(root->directory, root);
      batch.put(Family::kInode, directory_key(root->directory, epoch),
                DirectoryRow{root->base, root->attributes, root->xattrs}.encode());
    }
    put_branch_row(*root, batch);
  }
  if (auto wrote = apply(change); !wrote) {
    thaw_all();
    return std::move(wrote).error();
  }
  for (const auto& info : infos) {
    info->changed = false;
    info->frozen_joined = std::move(info->joined);
    info->joined.clear();
  }
  for (const auto& [ref, files] : left_out) end_leaving_out(files);
  return std::optional(epoch);
}

Result<void> DeltaTrees::thaw(const BranchRef& ref, bool try_again) {
  Lock lock(mutex_);
  if (!branches_.contains(ref) && !branch_rows_.contains(ref)) return {};
  PFS_TRY_ASSIGN(const auto root, branch_root_locked(ref));
  auto& info = *root->info;
  if (info.frozen) info.open = info.frozen->commit;
  info.frozen.reset();
  if (try_again) {
    info.changed = true;
    info.joined.merge(info.frozen_joined);
  }
  info.frozen_joined.clear();
  LocalBatch batch;
  put_branch_row(*root, batch);
  return parts_.local->write(batch);
}

Result<Walked> DeltaTrees::walk_frozen(const BranchRef& ref, Epoch epoch, ObjectWriter& writer) {
  const StagingLog::Pin pin(*staging_);
  DirId directory;
  Subtree base;
  Digest links;
  {
    Lock lock(mutex_);
    PFS_TRY_ASSIGN(const auto root, branch_root_locked(ref));
    directory = root->directory;
    base = root->base;
    links = root->info->links;
  }
  const auto at = parts_.local->snapshot();
  WalkContext context{epoch, at.get(), &writer, {}, {}};
  PFS_TRY_ASSIGN(const auto found, walk_directory(context, directory, base, owner_of_root(ref.repo.str())));
  Walked walked;
  walked.root = found.subtree;
  walked.keep = found.keep;
  PFS_TRY(cut_ahead_->flush(context.cut_ahead));
  PFS_TRY(writer.flush());
  PFS_TRY_ASSIGN(walked.links, update_links(*parts_.trees, writer, links, base, walked.root));
  PFS_TRY(writer.flush());
  return walked;
}

Result<Subtree> DeltaTrees::snapshot(const NodePtr& node) {
  const StagingLog::Pin pin(*staging_);
  DirId directory;
  Subtree base;
  std::unique_ptr<LocalDb::Snapshot> at;
  std::uint64_t writes = 0;
  {
    Lock lock(mutex_);
    if (!node->is_directory()) return Error{Code::kNotDirectory, fmt::format("{}: not a directory", path_locked(*node))};
    if (!node->has_rows) return node->base;
    writes = cut_ahead_->writes();  // before any row is fixed: a write that is not among them may be in none
    PFS_TRY(flush_rows());
    seal_below(*node);
    directory = node->directory;
    base = node->base;
    at = parts_.local->snapshot();
  }
  PFS_FAULT_POINT("store.snapshot.taken");
  ObjectWriter writer(*parts_.objects);
  WalkContext context{kNewest, at.get(), &writer, {}, {}};
  context.writes = writes;
  PFS_TRY_ASSIGN(const auto found, walk_directory(context, directory, base, owner_of_root("")));
  PFS_TRY(cut_ahead_->flush(context.cut_ahead));
  PFS_TRY(writer.flush());
  return found.subtree;
}

Result<Entry> DeltaTrees::walk_file(WalkContext& context, FileRows& rows, FileId file, std::string_view name, Owner owner) {
  if (const auto walked = context.linked.find(file); walked != context.linked.end()) {
    Entry entry = walked->second;
    entry.name = name;
    return entry;
  }
  std::optional<std::string> row;
  PFS_TRY(rows.each(file, [&](Epoch epoch, std::string_view, std::string_view value) {
    if (epoch > context.epoch) return true;
    row = value;
    return false;
  }));
  if (!row) return Error{Code::kCorrupt, fmt::format("file {} ({}): its row is missing", file.value(), printable(name))};
  PFS_TRY_ASSIGN(auto state, FileState::decode(*row, staging_.get()));
  state.seal_spools();  // those of files that were not loaded yet
  if (context.epoch == kNewest) state.follow_spool();
  Entry entry;
  entry.name = name;
  entry.attributes = state.attributes;
  entry.xattrs = state.xattrs;
  entry.link_id = state.link_id;
  if (state.attributes.kind == Kind::kFile || state.attributes.kind == Kind::kSymlink) {
    PFS_TRY_ASSIGN(entry.content, finish_file(state, *staging_, *parts_.contents, *context.writer, owner,
                                               cut_ahead_->take(file, context.epoch, context.writes, context.cut_ahead)));
  }
  if (entry.link_id != 0) context.linked[file] = entry;
  return entry;
}

// Name by name, each made into its entry when the editor asks for it: what is in memory of a directory does not follow its size.
Result<DeltaTrees::WalkedDirectory> DeltaTrees::walk_directory(WalkContext& context, DirId directory, const Subtree& base, Owner owner) {
  DirectoryRows names(*parts_.local, directory, context.epoch, context.at);
  FileRows files(*parts_.local, kLastFile, context.at);
  WalkedDirectory walked;
  const auto next = [&]() -> Result<std::optional<EntryChange>> {
    for (;;) {
      PFS_TRY_ASSIGN(auto name, names.next());
      if (!name) return std::optional<EntryChange>();
      PFS_TRY_ASSIGN(auto before, parts_.trees->find(base.root, name->name));
      if (std::holds_alternative<DeltaRow::Tombstone>(name->row.what)) {
        if (!before) continue;
        walked.keep = true;
        return std::optional(EntryChange{std::move(name->name), std::nullopt});
      }
      PFS_TRY_ASSIGN(auto entry, walk_name(context, files, *name, before, owner, walked));
      walked.keep = walked.keep || !before || worth_keeping(*before, entry);
      return std::optional(EntryChange{std::move(name->name), std::move(entry)});
    }
  };
  PFS_TRY_ASSIGN(walked.subtree, edit_tree(*parts_.trees, *context.writer, base.root, next, owner));
  return walked;
}

Result<Entry> DeltaTrees::walk_name(WalkContext& context, FileRows& files, DirectoryRows::Name& name, const std::optional<Entry>& before,
                                    Owner owner, WalkedDirectory& walked) {
  if (auto* finished = std::get_if<Entry>(&name.row.what)) {
    walked.keep = walked.keep || (before && finished->is_directory() && finished->subtree != before->subtree);
    return std::move(*finished);
  }
  if (const auto* file = std::get_if<FileId>(&name.row.what)) {
    return walk_file(context, files, *file, name.name, owner_of_part(owner, 0, name.name));
  }
  files.release();  // for what may be a long time
  const auto below = std::get<DirId>(name.row.what);
  PFS_TRY_ASSIGN(const auto found, newest_numbered(directory_begin(below), directory_end(below), context.epoch, context.at));
  if (!found) return Error{Code::kCorrupt, fmt::format("directory {}: its row is missing", printable(name.name))};
  PFS_TRY_ASSIGN(auto decoded, DirectoryRow::decode(found->second));
  // what was moved may have brought more levels along than were looked at then
  if (context.level == kMaxLevels) return too_deep(name.name);
  ++context.level;
  PFS_TRY_ASSIGN(const auto inside, walk_directory(context, below, decoded.base, owner_below(owner, name.name)));
  --context.level;
  walked.keep = walked.keep || inside.keep;
  Entry entry;
  entry.name = name.name;
  entry.attributes = decoded.attributes;
  entry.xattrs = std::move(decoded.xattrs);
  entry.subtree = inside.subtree;
  return entry;
}

}  // namespace pfs::store
