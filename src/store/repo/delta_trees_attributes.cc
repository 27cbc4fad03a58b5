#include <fmt/format.h>

#include "store/repo/delta_trees.h"
#include "store/tree/xattr_set.h"

namespace pfs::store {

// A clean file's or a symlink's attributes are an entry row; an open file's are in its own row; a directory's too.
Result<void> DeltaTrees::change_attributes(const NodePtr& node, const std::function<void(Attributes&, Xattrs&)>& edit) {
  if (state_locked(*node) == NodeState::kOrphaned) {
    return Error{Code::kStale, fmt::format("{}: its branch points elsewhere now", path_locked(*node))};
  }
  if (node->is_directory()) {
    PFS_TRY(check_changeable(*node));
    Change change;
    const Attributes before = node->attributes;
    const Xattrs xattrs_before = node->xattrs;
    edit(node->attributes, node->xattrs);
    const bool was_marked = node->directory && node->marked.value() == epoch_;
    auto marked = mark_directory(*node, change);
    if (marked && was_marked) put_directory_row(*node, change);
    if (marked) marked = apply(change);
    if (!marked) {
      node->attributes = before;
      node->xattrs = xattrs_before;
      return marked;
    }
    note_change(*node);
    return {};
  }
  if (node->link == NodeState::kRemoved) {
    Lock lock(node->mutex);
    edit(node->state.attributes, node->state.xattrs);
    return {};
  }
  PFS_TRY(check_changeable(*node->parent));
  PFS_TRY(open_link(node));
  Change change;
  PFS_TRY(mark_directory(*node->parent, change));
  Attributes before;
  Xattrs xattrs_before;
  {
    Lock lock(node->mutex);
    before = node->state.attributes;
    xattrs_before = node->state.xattrs;
    edit(node->state.attributes, node->state.xattrs);
  }
  auto done = put_names(*node, change);
  if (done) done = apply(change);
  if (!done) {
    Lock lock(node->mutex);
    node->state.attributes = before;
    node->state.xattrs = xattrs_before;
    return done;
  }
  {
    Lock lock(node->mutex);
    if (node->file) node->marked = Epoch(epoch_);
  }
  note_change(*node);
  return {};
}

Result<Stat> DeltaTrees::set_attributes(const NodePtr& node, const AttributeChange& change) {
  if (change.size) {
    if (node->is_directory()) return Error{Code::kIsDirectory, fmt::format("{}: is a directory", path(node))};
    for (;;) {
      PFS_TRY(prepare_write(node));
      Lock lock(node->mutex);
      if (!begin_write(node)) continue;
      PFS_TRY(truncate_ready(*node, *change.size));
      break;
    }
  }
  if (change.mode || change.uid || change.gid || change.mtime) {
    Lock lock(mutex_);
    wait_while_held(*node);
    PFS_TRY(change_attributes(node, [&](Attributes& attributes, Xattrs&) {
      if (change.mode) attributes.mode = *change.mode & kPermissionBits;
      if (change.uid) attributes.uid = *change.uid;
      if (change.gid) attributes.gid = *change.gid;
      if (change.mtime) attributes.mtime = *change.mtime;
      attributes.ctime = parts_.clock->now();
    }));
  }
  return stat(node);
}

Result<void> DeltaTrees::set_xattr(const NodePtr& node, std::string_view name, std::optional<std::string> value) {
  if (name.empty()) return Error{Code::kInvalid, "an extended attribute without a name"};
  for (;;) {
    const Xattrs before = kept_xattrs(*node);
    PFS_TRY_ASSIGN(auto all, load_xattrs(*parts_.objects, before));
    if (value) {
      all[std::string(name)] = *value;
    } else {
      all.erase(std::string(name));
    }
    ObjectWriter writer(*parts_.objects);
    auto kept = keep_xattrs(writer, all);
    if (!kept) return std::move(kept).error().within(path(node));
    PFS_TRY(writer.flush());
    bool beaten = false;  // by another change of them, while there was no lock
    {
      Lock lock(mutex_);
      wait_while_held(*node);
      PFS_TRY(change_attributes(node, [&](Attributes& attributes, Xattrs& now) {
        beaten = now != before;
        if (beaten) return;
        now = std::move(*kept);
        attributes.ctime = parts_.clock->now();
      }));
    }
    if (!beaten) return {};
  }
}

}  // namespace pfs::store
