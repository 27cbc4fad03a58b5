#include "store/repo/delta_trees.h"

#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/codec.h"

namespace pfs::store {

namespace {

// Numbers of scratch trees have the top bit: one range of keys holds all of them. The tree is in the next 31 bits.
constexpr std::uint64_t kScratchBit = std::uint64_t{1} << 63U;
// Numbers are reserved this many at a time, so that a crash never gives one out twice.
constexpr std::uint64_t kReserve = 4096;

// So many rows that nothing leads to are erased in one batch at the start.
constexpr std::size_t kSweptAtOnce = 10'000;

std::string first_scratch_key(std::string_view prefix) { return Encoder().raw(prefix).u64(kScratchBit).str(); }

}  // namespace

Result<std::unique_ptr<DeltaTrees>> DeltaTrees::open(Parts parts) {
  std::unique_ptr<DeltaTrees> trees(new DeltaTrees(std::move(parts)));
  PFS_TRY(trees->load());
  return trees;
}

DeltaTrees::~DeltaTrees() {
  cut_ahead_.reset();
  // nodes go while their destructors still find everything; the staging log has what their rows lack
  std::unordered_set<NodePtr> stale;
  {
    Lock lock(leaf_);
    stale.swap(stale_);
  }
  stale.clear();
  std::map<BranchRef, NodePtr> branches;
  std::vector<NodePtr> dropped;
  {
    Lock lock(mutex_);
    branches.swap(branches_);
  }
  {
    Lock lock(leaf_);
    dropped.swap(dropped_trees_);
  }
  // they hold directories, which hold their root
  for (const auto& [ref, root] : branches) root->info->open_links.clear();
  for (const auto& root : dropped) root->info->open_links.clear();
}

Result<void> DeltaTrees::load() {
  LocalDb& local = *parts_.local;
  LocalBatch scratch;
  scratch.erase_range(Family::kDelta, first_scratch_key(""), std::string(9, '\xff'));
  scratch.erase_range(Family::kInode, first_scratch_key("D"), "E");
  scratch.erase_range(Family::kInode, first_scratch_key("I"), "J");
  PFS_TRY(local.write(scratch));

  PFS_TRY_ASSIGN(const auto row, local.get(Family::kInode, counters_key()));
  Result<void> outcome;
  {
    Lock lock(mutex_);
    if (row) {
      PFS_TRY_ASSIGN(const auto counters, CountersRow::decode(*row));
      epoch_ = counters.epoch.value();
      next_id_ = reserved_id_ = counters.next_id;
    }
    PFS_TRY(local.scan(Family::kInode, "R", "S", [&](std::string_view key, std::string_view value) PFS_NO_ANALYSIS {
      auto ref = parse_branch_row_key(key);
      auto branch = BranchRow::decode(value);
      if (!ref || !branch) {
        outcome = ref ? std::move(branch).error() : std::move(ref).error();
        return false;
      }
      branch_rows_[*ref] = *branch;
      return true;
    }));
  }
  PFS_TRY(outcome);
  PFS_TRY(drop_outdated_rows());
  PFS_TRY(sweep());

  // The rows of files are brought up to date from the log, many at a time.
  struct Replayed {
    Epoch epoch;
    FileState state;
    bool changed = false;
  };
  std::unordered_map<FileId, std::optional<Replayed>> files;
  const auto ignore = [](const StagedAt&, std::uint64_t) {};
  PFS_TRY_ASSIGN(staging_, StagingLog::open(parts_.staging));
  FileId last_logged;
  PFS_TRY(staging_->replay([&](const StagingRecord& record) {
    if (!outcome) return;
    if (record.file.value() < kScratchBit) last_logged = std::max(last_logged, record.file);
    auto found = files.find(record.file);
    if (found == files.end()) {
      found = files.emplace(record.file, std::nullopt).first;
      auto newest = newest_numbered(file_begin(record.file), file_end(record.file), Epoch(~std::uint64_t{0}), nullptr);
      if (!newest) {
        outcome = std::move(newest).error();
        return;
      }
      if (!*newest) return;  // removed, or finished
      auto state = FileState::decode((*newest)->second, staging_.get());
      if (!state) {
        outcome = std::move(state).error();
        return;
      }
      state->follow_spool();
      // a file goes back to the log only once its spool is sealed
      state->seal_spools();
      found->second = Replayed{(*newest)->first, std::move(*state)};
    }
    if (!found->second || record.sequence <= found->second->state.applied) return;
    auto& [epoch, state, changed] = *found->second;
    epoch = std::max(epoch, record.epoch);
    if (record.kind == StagingRecord::Kind::kTruncate) {
      state.truncate(epoch, record.size_after, ignore);
    } else {
      state.put(epoch, record.offset, Extent{record.length, record.at}, ignore);
    }
    state.attributes.mtime = state.attributes.ctime = record.mtime;
    state.applied = record.sequence;
    changed = true;
  }));
  PFS_TRY(outcome);
  {
    // after a power cut the log may know numbers whose reservation is gone
    Lock lock(mutex_);
    next_id_ = reserved_id_ = std::max(next_id_, last_logged.value() + 1);
  }
  LocalBatch batch;
  for (const auto& [file, replayed] : files) {
    if (!replayed || !replayed->changed) continue;
    batch.put(Family::kInode, file_key(file, replayed->epoch), replayed->state.encode());
    spdlog::debug("file {}: brought up to date from the staging log", file.value());
  }
  PFS_TRY(local.write(batch));
  PFS_TRY(settle_rows());
  staging_->spools().seal_shared();
  // rows were brought up to date: what they do not refer to must not come back
  if (const auto gone = staging_->unclaimed(); !gone.empty()) {
    PFS_TRY(local.sync());
    staging_->remove(gone);
  }
  row_syncer_ = std::make_unique<RowSyncer>(local);
  cut_ahead_ = std::make_unique<CutAhead>(*parts_.objects, *parts_.contents, *staging_,
                                          [this](const LiveNode& file) { return may_be_committed(file); });
  return {};
}

// Removes rows that no branch reaches: files that were open and unlinked, directories that were removed.
Result<void> DeltaTrees::sweep() {
  std::unordered_set<std::uint64_t> reached;
  std::vector<DirId> next;
  {
    Lock lock(mutex_);
    for (const auto& [ref, row] : branch_rows_) next.push_back(row.root);
  }
  Result<void> outcome;
  while (!next.empty()) {
    const DirId directory = next.back();
    next.pop_back();
    if (!reached.insert(directory.value()).second) continue;
    PFS_TRY(parts_.local->scan(Family::kDelta, delta_directory_begin(directory), delta_directory_end(directory),
                               [&](std::string_view, std::string_view value) {
                                 auto row = DeltaRow::decode(value, "");
                                 if (!row) {
                                   outcome = std::move(row).error();
                                   return false;
                                 }
                                 if (const auto* below = std::get_if<DirId>(&row->what)) next.push_back(*below);
                                 if (const auto* file = std::get_if<FileId>(&row->what)) reached.insert(file->value());
                                 return true;
                               }));
    PFS_TRY(outcome);
  }
  const auto erase_unreached = [&](Family family, std::string from, std::string_view to, std::size_t skip) -> Result<void> {
    for (bool more = true; more;) {
      more = false;
      LocalBatch batch;
      std::string rest;
      PFS_TRY(parts_.local->scan(family, from, to, [&](std::string_view key, std::string_view) {
        if (reached.contains(Decoder(key.substr(skip)).u64())) return true;
        more = batch.changes.size() == kSweptAtOnce;
        if (more) {
          rest = key;
          return false;
        }
        batch.erase(family, std::string(key));
        return true;
      }));
      PFS_TRY(parts_.local->write(batch));
      from = std::move(rest);
    }
    return {};
  };
  PFS_TRY(erase_unreached(Family::kDelta, "", std::string(9, '\xff'), 0));
  PFS_TRY(erase_unreached(Family::kInode, "D", "E", 1));
  return erase_unreached(Family::kInode, "I", "J", 1);
}

Result<std::uint64_t> DeltaTrees::new_id(TreeInfo& info) {
  if (info.of == TreeInfo::Of::kScratch) return info.first_id + ++info.next_id;
  if (next_id_ >= reserved_id_) {
    LocalBatch batch;
    batch.put(Family::kInode, counters_key(), CountersRow{Epoch(epoch_), next_id_ + kReserve}.encode());
    PFS_TRY(parts_.local->write(batch));
    reserved_id_ = next_id_ + kReserve;
  }
  return next_id_++;
}

NodePtr DeltaTrees::new_node(Kind kind, const Attributes& attributes) {
  return NodePtr(new LiveNode(kind, attributes), [this](LiveNode* node) PFS_NO_ANALYSIS {
    // the last reference: nobody else can look at it, so no lock is needed
    if (node->file && node->link != NodeState::kLinked) {
      Lock lock(leaf_);
      leftovers_.push_back({node->file, std::move(node->state)});
    }
    delete node;
  });
}

// Rows and staged bytes of files that were unlinked and are no longer open, of directories that were taken away, and of
// scratch trees that nobody holds.
void DeltaTrees::reap() {
  // no more than that: whoever comes by is not to clear up a huge directory of somebody else's
  constexpr int kPasses = 4;
  for (int pass = 0; pass < kPasses && reap_some(); ++pass) {
  }
}

void DeltaTrees::reap_all() {
  while (reap_some()) {
  }
}

bool DeltaTrees::reap_some() {
  std::vector<Leftover> leftovers;
  std::vector<NodePtr> trees;
  {
    Lock lock(leaf_);
    if (leftovers_.empty() && dropped_trees_.empty() && !any_postponed_) return false;
    leftovers.swap(leftovers_);
    trees.swap(dropped_trees_);
  }
  const auto note = [](const Result<void>& done) {
    if (!done) spdlog::warn("rows of removed files stay until the next start: {}", done.error().message);
  };
  LocalBatch batch;
  // nothing while all of it waits for a commit, which each change asks about
  const auto write = [&] { return batch.empty() ? Result<void>() : parts_.local->write(batch); };
  Lock lock(mutex_);
  std::vector<FileId> gone;
  const Epoch frozen = last_frozen();
  if (frozen != postponed_for_) {
    leftovers.insert(leftovers.end(), std::make_move_iterator(postponed_.begin()), std::make_move_iterator(postponed_.end()));
    postponed_.clear();
    postponed_for_ = frozen;
  }
  if (can_drop_departed()) note(drop_departed(batch, leftovers));
  for (auto& leftover : leftovers) {
    files_.erase(leftover.file);
    if (auto done = drop_leftover(leftover, frozen, batch, gone); !done) note(done);
  }
  any_postponed_ = !postponed_.empty() || !departed_.empty();
  const auto wrote = write();  // whoever goes through the rows of the trees is not to meet those once more
  note(wrote);
  for (const auto file : gone) {
    if (wrote) {
      unnamed_.erase(file);
    } else {
      unnamed_[file] = false;  // released, and the rows are still there: to be left alone until the next start
    }
  }
  batch = {};
  for (const auto& root : trees) {
    root->info->open_links.clear();
    const std::uint64_t first = root->info->first_id;
    const std::uint64_t end = first + (std::uint64_t{1} << 32U);
    note(release_rows(FileId(first), FileId(end)));
    note(erase_rows(batch, Family::kDelta, delta_directory_begin(DirId(first)), delta_directory_begin(DirId(end))));
    note(erase_rows(batch, Family::kInode, directory_begin(DirId(first)), directory_begin(DirId(end))));
    note(erase_rows(batch, Family::kInode, file_begin(FileId(first)), file_begin(FileId(end))));
  }
  note(write());
  return can_drop_departed();
}

Result<void> DeltaTrees::erase_rows(LocalBatch& batch, Family family, const std::string& begin, const std::string& end) const {
  return parts_.local->scan(family, begin, end, [&](std::string_view key, std::string_view) {
    batch.erase(family, std::string(key));
    return true;
  });
}

// A commit that is being finished may have the file: its rows wait. They may lag behind what the file was, and tell of bytes
// that were written over, and released, since: so one of this epoch is put, and is from then on what counts.
Result<void> DeltaTrees::drop_leftover(Leftover& leftover, Epoch frozen, LocalBatch& batch, std::vector<FileId>& gone) {
  const auto begin = file_begin(leftover.file);
  const auto end = file_end(leftover.file);
  bool& in_row = unnamed_[leftover.file];
  if (const auto folded = folded_and_removed_.find(leftover.file); folded != folded_and_removed_.end()) {
    std::erase_if(leftover.state.layers, [&](const Layer& layer) { return layer.epoch <= folded->second; });
    folded_and_removed_.erase(folded);
  }
  PFS_TRY_ASSIGN(const auto newest, newest_numbered(begin, end, kNewest, nullptr));
  PFS_TRY_ASSIGN(const auto needed, newest_numbered(begin, end, frozen, nullptr));
  if (needed && frozen.value() != 0) {
    Result<void> wrote;
    if (!in_row) {
      LocalBatch put;
      put.put(Family::kInode, file_key(leftover.file, std::max(Epoch(epoch_), newest->first)), leftover.state.encode());
      wrote = parts_.local->write(put);
      in_row = wrote.has_value();
    }
    postponed_.push_back(std::move(leftover));
    return wrote;
  }
  if (!in_row) {
    leftover.state.each_staged(dropper());
  } else if (newest) {
    PFS_TRY_ASSIGN(const auto state, FileState::decode(newest->second));
    state.each_staged(dropper());
  }
  gone.push_back(leftover.file);
  return erase_rows(batch, Family::kInode, begin, end);
}

Epoch DeltaTrees::last_frozen() const {
  Epoch last;
  for (const auto& [ref, root] : branches_) {
    if (root->info->frozen) last = std::max(last, root->info->frozen->epoch);
  }
  for (const auto& [ref, row] : branch_rows_) {
    if (row.frozen) last = std::max(last, row.frozen->epoch);
  }
  return last;
}

// ---- trees

Result<NodePtr> DeltaTrees::branch_root_locked(const BranchRef& ref) {
  if (const auto found = branches_.find(ref); found != branches_.end()) return found->second;
  PFS_TRY_ASSIGN(const auto state, parts_.branch_state(ref));
  if (const auto found = renaming_.find(ref); found != renaming_.end()) return found->second;
  auto root = new_node(Kind::kDirectory, state.attributes);
  root->info = std::make_shared<TreeInfo>();
  root->info->of = TreeInfo::Of::kBranch;
  root->info->branch = ref;
  root->info->output = state.output;
  root->info->commits_at_close = state.commits_at_close;
  root->info->head = state.head;
  root->info->open = state.open;
  root->info->last_change = root->info->changed_since = parts_.clock->steady();
  root->info->changed_since_at = parts_.clock->now();
  root->base = state.root;
  root->info->links = state.links;
  if (const auto row = branch_rows_.find(ref); row != branch_rows_.end()) {
    root->directory = row->second.root;
    PFS_TRY_ASSIGN(const auto newest, newest_numbered(directory_begin(root->directory), directory_end(root->directory),
                                                      Epoch(~std::uint64_t{0}), nullptr));
    if (!newest) return Error{Code::kCorrupt, fmt::format("branch {}: its root's row is missing", ref.str())};
    PFS_TRY_ASSIGN(auto directory, DirectoryRow::decode(newest->second));
    root->attributes = directory.attributes;
    root->xattrs = std::move(directory.xattrs);
    root->base = directory.base;
    root->marked = newest->first;
    root->has_rows = true;
    root->info->head = row->second.head;
    root->info->open = row->second.open;
    root->info->changed = true;
    root->info->joined = row->second.joined;
    root->info->frozen = row->second.frozen;
    PFS_TRY(find_open_links(root));
    directories_.put(root->directory, root);
    branch_rows_.erase(row);
  }
  branches_[ref] = root;
  return root;
}

Result<TreePtr> DeltaTrees::branch(const BranchRef& ref) {
  Lock lock(mutex_);
  PFS_TRY_ASSIGN(auto root, branch_root_locked(ref));
  return std::make_shared<Tree>(std::move(root));
}

Result<TreePtr> DeltaTrees::commit(const Commit& commit) {
  Lock lock(mutex_);
  auto& known = commits_[commit.id];
  NodePtr root = known.lock();
  if (!root) {
    Attributes attributes;
    attributes.kind = Kind::kDirectory;
    attributes.mode = 0755;
    attributes.mtime = attributes.ctime = commit.finished;
    root = new_node(Kind::kDirectory, attributes);
    root->info = std::make_shared<TreeInfo>();
    root->info->of = TreeInfo::Of::kCommit;
    root->info->links = commit.links;
    root->base = commit.root;
    known = root;
  }
  return std::make_shared<Tree>(std::move(root));
}

Result<TreePtr> DeltaTrees::scratch_over(const FinishedTree& base) {
  reap();
  Attributes attributes;
  attributes.kind = Kind::kDirectory;
  attributes.mode = 0777;
  attributes.mtime = attributes.ctime = parts_.clock->now();
  auto root = new_node(Kind::kDirectory, attributes);
  root->info = std::make_shared<TreeInfo>();
  root->base = base.root;
  root->info->links = base.links;
  parts_.objects->uses().refer({ObjectKind::kNode, base.root.root});
  parts_.objects->uses().refer({ObjectKind::kNode, base.links});
  {
    Lock lock(mutex_);
    next_scratch_ = next_scratch_ >= (std::uint64_t{1} << 31U) ? 1 : next_scratch_;
    root->info->first_id = kScratchBit | (next_scratch_++ << 32U);
  }
  auto tree = std::make_shared<Tree>(std::move(root));
  tree->on_drop = [this](Tree& dropped) {
    // may run with locks held: only noted here
    Lock lock(leaf_);
    dropped_trees_.push_back(dropped.root);
  };
  return tree;
}

Result<TreePtr> DeltaTrees::scratch_view(std::string_view published) {
  PFS_TRY_ASSIGN(auto tree, scratch());
  Lock lock(mutex_);
  tree->root->info->published = published;
  return tree;
}

NodePtr DeltaTrees::root(const TreePtr& tree) { return tree->root; }

LiveNode& DeltaTrees::root_of(LiveNode& node) {
  LiveNode* at = &node;
  while (at->parent) at = at->parent.get();
  return *at;
}

// By its name at the top, not by the node that was made there: whoever works in a view may put another in its place.
bool DeltaTrees::may_be_committed(const LiveNode& file) const {
  Lock lock(mutex_);
  const LiveNode* top = &file;
  const LiveNode* root = &file;
  for (; root->parent; root = root->parent.get()) top = root;
  return root->info->published.empty() || top->name == root->info->published;
}

std::optional<BranchRef> DeltaTrees::branch_of(const NodePtr& node) {
  Lock lock(mutex_);
  const auto& info = root_of(*node).info;
  if (info->of != TreeInfo::Of::kBranch) return std::nullopt;
  return info->branch;
}

NodeState DeltaTrees::state_locked(LiveNode& node) const {
  for (const LiveNode* at = &node; at != nullptr; at = at->parent.get()) {
    // what hangs below something that went is out of reach by name, as after a retarget
    if (at->link != NodeState::kLinked) return at == &node ? at->link : NodeState::kOrphaned;
  }
  return NodeState::kLinked;
}

NodeState DeltaTrees::state(const NodePtr& node) {
  Lock lock(mutex_);
  return state_locked(*node);
}

Kind DeltaTrees::kind(const NodePtr& node) const { return node->kind; }

bool DeltaTrees::writable(const NodePtr& node) const {
  Lock lock(mutex_);
  const auto& info = root_of(*node).info;
  return info->of != TreeInfo::Of::kCommit && !info->output;
}

bool DeltaTrees::immutable(const NodePtr& node) const {
  Lock lock(mutex_);
  return root_of(*node).info->of == TreeInfo::Of::kCommit;
}

std::string DeltaTrees::path_locked(const LiveNode& node) const {
  std::string text;
  for (const LiveNode* at = &node; at->parent; at = at->parent.get()) text.insert(0, "/" + printable(at->name));
  return text.empty() ? "/" : text;
}

std::string DeltaTrees::path(const NodePtr& node) {
  Lock lock(mutex_);
  return path_locked(*node);
}

RepoPath DeltaTrees::repo_path(const NodePtr& node) {
  Lock lock(mutex_);
  std::vector<const LiveNode*> below;
  for (const LiveNode* at = node.get(); at->parent; at = at->parent.get()) below.push_back(at);
  RepoPath path;
  for (auto at = below.rbegin(); at != below.rend(); ++at) path = std::move(path).joined((*at)->name);
  return path;
}

Result<void> DeltaTrees::check_level(const LiveNode& directory, std::string_view name) {
  std::size_t level = 0;
  for (const LiveNode* at = directory.parent.get(); at != nullptr; at = at->parent.get()) ++level;
  if (level < kMaxLevels) return {};
  return too_deep(name);
}

Error DeltaTrees::too_deep(std::string_view name) {
  return {Code::kNameTooLong, fmt::format("{}: more than {} directories deep; put it, or one that it is in, further up",
                                          printable(name), kMaxLevels)};
}

Result<void> DeltaTrees::check_changeable(LiveNode& directory) const {
  if (!directory.is_directory()) {
    return Error{Code::kNotDirectory, fmt::format("{}: not a directory", path_locked(directory))};
  }
  switch (state_locked(directory)) {
    case NodeState::kLinked: break;
    case NodeState::kRemoved: return Error{Code::kNotFound, fmt::format("{}: the directory was removed", path_locked(directory))};
    case NodeState::kOrphaned:
      return Error{Code::kStale, fmt::format("{}: its branch points elsewhere now; enter the directory again", path_locked(directory))};
  }
  const auto& info = root_of(directory).info;
  if (info->of == TreeInfo::Of::kCommit) {
    return Error{Code::kReadOnly, fmt::format("{}: a finished commit never changes", path_locked(directory))};
  }
  if (info->output) {
    return Error{Code::kReadOnly, fmt::format("branch {}: only its pipeline writes it", info->branch.str())};
  }
  return {};
}

// Every loaded node below, parents first.
}  // namespace pfs::store
