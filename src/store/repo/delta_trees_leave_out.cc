#include <algorithm>

#include <fmt/format.h>

#include "base/fault.h"
#include "store/repo/delta_trees.h"

// A commit that leaves out the files that are being written (semantics S49).
//
// The rows of a frozen epoch are what its commit is made of, so a file is left out by rows alone, in the batch that freezes:
// in the frozen epoch each of its names becomes what the commit shall have there, and in the next one the names lead to the
// file again, whose row moves there with all of its layers. Walking, folding and what a restart does with a frozen branch
// need to know nothing of it, and for the file it is as if it had been changed after the freeze.

namespace pfs::store {

namespace {

constexpr std::size_t kMaxPathsNamed = 10;

}  // namespace

std::string DeltaTrees::text_of_left_out(const std::vector<NodePtr>& files) const {
  std::string text = fmt::format("left out: {}: ", files.size());
  for (std::size_t i = 0; i < std::min(files.size(), kMaxPathsNamed); ++i) text += (i == 0 ? "" : ", ") + path_locked(*files[i]);
  if (files.size() > kMaxPathsNamed) text += ", ...";
  return text;
}

std::vector<NodePtr> DeltaTrees::being_written(const NodePtr& root, std::chrono::milliseconds idle_after) const {
  std::vector<NodePtr> stale;
  {
    Lock leaf(leaf_);
    stale.assign(stale_.begin(), stale_.end());
  }
  std::vector<NodePtr> files;
  const auto now = parts_.clock->steady();
  for (const auto& file : stale) {
    if (&root_of(*file) != root.get() || state_locked(*file) != NodeState::kLinked) continue;
    Lock lock(file->mutex);
    if (file->file && file->writers > 0 && now - file->last_write < idle_after) files.push_back(file);
  }
  return files;
}

// What the commit has in place of the file: its names are where they are now, its content is the former one. A file that no
// commit has had is absent, and a name that it took from another still has the other.
Result<std::map<OpenLink::Name, DeltaRow>> DeltaTrees::stand_ins(const FileState& state, const std::set<OpenLink::Name>& names) const {
  std::map<OpenLink::Name, DeltaRow> rows;
  Entry former;
  former.attributes = state.attributes;
  former.xattrs = state.xattrs;
  former.content = state.base;
  for (const auto& at : names) {
    PFS_TRY_ASSIGN(auto before, parts_.trees->find(at.directory->base.root, at.name));
    rows[at] = DeltaRow{DeltaRow::Tombstone{}};
    if (!before || before->is_directory()) continue;  // a directory was removed before the file could have its name
    if (before->attributes.kind == Kind::kFile && before->content == state.base) {
      former.attributes = before->attributes;
      former.xattrs = before->xattrs;
    }
    before->link_id = 0;  // the other names of a file that lost this one may have been changed since
    if (!state.finished) rows[at] = DeltaRow{std::move(*before)};
  }
  if (!state.finished) return rows;
  former.link_id = state.link_id;
  for (auto& [at, row] : rows) {
    former.name = at.name;
    row = DeltaRow{former};
  }
  return rows;
}

Result<DeltaTrees::LeftOut> DeltaTrees::leave_out(const std::map<BranchRef, Freezing>& frozen, FoldingFiles& putting, Change& change) {
  LeftOut left_out;
  for (const auto& [ref, one] : frozen) {
    if (!one.leave_out) continue;
    PFS_TRY_ASSIGN(const auto root, branch_root_locked(ref));
    auto files = being_written(root, *one.leave_out);
    for (const auto& file : files) {
      putting.add(file);
      PFS_TRY(leave_out(*file, change));
    }
    if (!files.empty()) left_out[ref] = std::move(files);
  }
  return left_out;
}

Result<void> DeltaTrees::leave_out(LiveNode& file, Change& change) {
  const Epoch now(epoch_);
  const Epoch frozen(now.value() - 1);
  std::set<OpenLink::Name> names{{file.parent, file.name}};
  if (const auto* link = open_link_of(file)) names = link->names;
  FileId number;
  FileState state;
  {
    Lock lock(file.mutex);
    number = file.file;
    state = file.state;
  }
  PFS_TRY_ASSIGN(const auto rows, stand_ins(state, names));
  // the file is not folded with this epoch: a row of it that stayed would count its bytes twice
  PFS_TRY(erase_rows(change.batch, Family::kInode, file_begin(number), file_end(number)));
  state.carry_to(now);
  change.batch.put(Family::kInode, file_key(number, now), state.encode());
  for (const auto& [at, row] : rows) {
    PFS_TRY(mark_directory(*at.directory, change));
    change.batch.put(Family::kDelta, delta_key(at.directory->directory, at.name, frozen), row.encode());
    change.batch.put(Family::kDelta, delta_key(at.directory->directory, at.name, now), DeltaRow{number}.encode());
  }
  return fault_point("store.freeze.leaving_out");
}

// The batch is written: what is in memory follows.
void DeltaTrees::end_leaving_out(const std::vector<NodePtr>& files) {
  for (const auto& file : files) {
    {
      Lock lock(file->mutex);
      file->state.carry_to(Epoch(epoch_));
      cut_ahead_->carried(*file, Epoch(epoch_));
      file->marked = Epoch(epoch_);
      file->rows_unsynced = true;
    }
    note_change(*file);
  }
}

}  // namespace pfs::store
