#include <fmt/format.h>

#include "fs/vfs.h"

namespace pfs::fs {

namespace {

constexpr std::string_view kObject = "user.pfs.object";
constexpr std::string_view kCommit = "user.pfs.commit";
constexpr std::string_view kSocket = "user.pfs.socket";
constexpr std::string_view kOurs = "user.pfs.";
constexpr std::string_view kCapability = "security.capability";
// Lists of access rights would have to be kept in step with the modes; the kernel takes this answer
// for "has none".
constexpr std::string_view kAccessLists = "system.posix_acl_";
constexpr int kMaxHistory = 10'000;

constexpr std::uint32_t kSetUid = 04000;
constexpr std::uint32_t kGroupExec = 00010;

// The set-id bits that a write by others must clear: set-gid without group-exec once meant
// mandatory locks. Source: inode(7), "S_ISGID"; FUSE_HANDLE_KILLPRIV_V2 in linux/fuse.h.
std::uint32_t without_set_id(std::uint32_t mode) {
  if ((mode & kGroupExec) != 0) mode &= ~kSetGid;
  return mode & ~kSetUid;
}

// A drop can wait for a directory that somebody holds.
constexpr std::chrono::seconds kLongestDrop{2};

// Who sets by a descriptor what is there already (a mode that was copied, times that reading has not changed, an owner) is not to
// be sent to look again: a descriptor has no name.
bool changes_nothing(const store::AttributeChange& change, const store::Attributes& now) {
  return !change.size && change.uid.value_or(now.uid) == now.uid && change.gid.value_or(now.gid) == now.gid &&
         change.mode.value_or(now.mode) == now.mode && change.mtime.value_or(now.mtime) == now.mtime;
}

Error no_xattr(std::string_view name) {
  return Error{Code::kNoData, fmt::format("no extended attribute {}", printable(name))};
}

}  // namespace

Result<NodeStat> Vfs::stat(NodeId node, std::optional<HandleId> handle) {
  PFS_TRY_ASSIGN(auto inode, inodes_.find(node));
  // with a handle an orphan still answers: the kernel asks for the size before it reads. fstat(2)
  // comes without one, as stat(2) does that found the old name: the two are the same to us until no
  // walk finds that name any more
  if (!handle && is_orphan(*inode) && !is_told_of(*inode)) {
    return Error{Code::kStale, "a node of a branch that points elsewhere now"};
  }
  return stat_of(*inode);
}

// An open file of a branch that was just retargeted must not fail an fstat(2): it waits the moment that the names take to go.
void Vfs::stat(NodeId node, std::optional<HandleId> handle, Done<NodeStat> done) {
  const auto inode = inodes_.find(node);
  const bool waits = inode && !handle && drops_under_way_ > 0 && is_orphan(**inode) && handles_.is_open(**inode);
  if (!waits) return done(stat(node, handle));
  parking_.post([this, node, done = std::move(done)] {
    {
      Lock lock(drops_mutex_);
      while (drops_under_way_ > 0 && drops_ended_.wait_for(drops_mutex_, kLongestDrop)) {}
    }
    done(stat(node, std::nullopt));
  });
}

Result<NodeStat> Vfs::stat_of(const Inode& inode) {
  NodeStat stat{inode.number, {}, attributes_validity(inode), is_immutable(inode)};
  // the kernel counts names down on the one node when any view removes its own
  if (inode.is_stored() && inode.what.context->shared_input) stat.valid = std::chrono::seconds(0);
  if (!inode.is_stored()) {
    stat.stat = synthetic_stat(inode);
    if (stat.stat.attributes.kind == store::Kind::kSymlink) {
      PFS_TRY_ASSIGN(const auto body, body_of(inode));
      stat.stat.size = body.size();
    }
    if (inode.what.role != Role::kViewRoot) appear(stat.stat.attributes);
    return stat;
  }
  PFS_TRY_ASSIGN(stat.stat, trees_.stat(inode.what.node));
  auto& attributes = stat.stat.attributes;
  const bool is_directory = attributes.kind == store::Kind::kDirectory;
  if (is_directory) stat.stat.size = 0;  // du adds directories up itself
  if (inode.what.role == Role::kCommitRoot) show_as_branch(*inode.what.context->commit, attributes);
  if (const auto& owner = inode.what.context->ownership) {
    attributes.uid = owner->uid;
    attributes.gid = owner->gid;
    attributes.mode |= is_directory ? 0700U : 0400U;
  } else {
    appear(attributes);
  }
  return stat;
}

// So that what a branch keeps to its owner is not open to all in its commits.
void Vfs::show_as_branch(const store::Commit& commit, store::Attributes& attributes) {
  const auto tree = trees_.branch(BranchRef{commit.repo, commit.branch});
  const auto live = tree ? trees_.stat(trees_.root(*tree)) : Result<store::Stat>(tree.error());
  if (!live) return;
  attributes.mode = live->attributes.mode;
  attributes.uid = live->attributes.uid;
  attributes.gid = live->attributes.gid;
}

void Vfs::appear(store::Attributes& attributes) const {
  attributes.uid = appearance_.uid.value_or(attributes.uid);
  attributes.gid = appearance_.gid.value_or(attributes.gid);
  if (attributes.kind != store::Kind::kSymlink) attributes.mode &= ~appearance_.umask;
}

store::Stat Vfs::synthetic_stat(const Inode& inode) const {
  store::Stat stat;
  auto& attributes = stat.attributes;
  attributes.uid = uid_;
  attributes.gid = gid_;
  attributes.mtime = attributes.ctime = started_;
  attributes.kind = store::Kind::kDirectory;
  switch (inode.what.role) {
    // whoever may write to a branch is decided there: here everybody may try
    case Role::kMountRoot: attributes.mode = 01777; break;
    case Role::kHeads:
    case Role::kBranchControl: attributes.mode = 0777; break;
    case Role::kControlRoot: attributes.mode = 0755; break;
    case Role::kViews: attributes.mode = 0711; break;
    case Role::kViewRoot:
      attributes.mode = 0700;
      attributes.uid = inode.what.view->owner().uid;
      attributes.gid = inode.what.view->owner().gid;
      break;
    case Role::kCommitFile:
      attributes.kind = store::Kind::kFile;
      attributes.mode = 0666;
      break;
    case Role::kLogFile:
      attributes.kind = store::Kind::kFile;
      attributes.mode = 0444;
      break;
    case Role::kHeadLink:
    case Role::kRefLink:
    case Role::kPassingLink:
      attributes.kind = store::Kind::kSymlink;
      attributes.mode = 0777;
      break;
    case Role::kBranchRoot:
    case Role::kCommitRoot:
    case Role::kStored: break;
  }
  return stat;
}

Result<NodeStat> Vfs::set_attributes(const Caller& caller, NodeId node,
                                     std::optional<HandleId> handle,
                                     const store::AttributeChange& asked) {
  PFS_TRY_ASSIGN(auto inode, inodes_.find(node));
  // `echo message > commit` truncates before it writes
  if (inode->what.role == Role::kCommitFile) return stat_of(*inode);
  if (!inode->is_stored())
    return Error{Code::kNotPermitted, where(*inode) + ": has no attributes to set"};
  if (!handle && is_orphan(*inode))
    return Error{Code::kStale, "a node of a branch that points elsewhere now"};
  const bool is_shared = inode->what.context->shared_input;
  if (!is_shared) PFS_TRY(check_changeable(*inode));

  store::AttributeChange change = asked;
  if (inode->what.context->ownership)
    change.uid = change.gid = std::nullopt;  // a view's owner is its job, always
  // of a mount that shows one owner for all there is nothing to see of another
  if (appearance_.uid) change.uid = std::nullopt;
  if (appearance_.gid) change.gid = std::nullopt;
  if (is_shared) {
    PFS_TRY_ASSIGN(auto shown, stat_of(*inode));
    if (changes_nothing(change, shown.stat.attributes)) return shown;
    PFS_TRY(check_changeable(*inode));
  }
  if (change.uid || change.gid) {
    PFS_TRY_ASSIGN(auto before, trees_.stat(inode->what.node));
    if (before.attributes.kind == store::Kind::kFile) {
      change.mode = without_set_id(change.mode.value_or(before.attributes.mode));
      if (auto removed = trees_.set_xattr(inode->what.node, kCapability, std::nullopt);
          !removed && removed.error().code != Code::kNoData) {
        return std::move(removed).error();
      }
    }
  }
  if (change.size) clear_privileges(caller, *inode);
  if (change.mode || change.uid || change.gid || change.size || change.mtime) {
    const auto set = [&]() -> Result<void> {
      PFS_TRY(trees_.set_attributes(inode->what.node, change));
      return {};
    };
    auto changed = change.size ? change_content(caller, *inode, 0, 0, set) : set();
    if (change.size) kernel_drops_pages(caller, *inode);
    if (!changed) {
      inode->what.context->refused(changed.error());
      return std::move(changed).error().within(where(*inode));
    }
  }
  if (change.mode) inode->unprivileged = false;
  forget_attributes(caller, node);
  return stat_of(*inode);
}

void Vfs::clear_privileges(const Caller& caller, Inode& inode) {
  // set before we look, and taken back by who gives a privilege once it is given: another mount may do so beside us
  if (inode.unprivileged.exchange(true)) return;
  if (!has_no_privileges_after(caller, inode)) inode.unprivileged = false;
}

bool Vfs::has_no_privileges_after(const Caller& caller, const Inode& inode) {
  const auto& node = inode.what.node;
  auto stat = trees_.stat(node);
  auto xattrs = trees_.xattrs(node);
  if (!stat || !xattrs) return false;  // the write that follows meets the same error and reports it
  const std::uint32_t cleared = without_set_id(stat->attributes.mode);
  const bool keeps_set_id = caller.uid == 0;
  if (cleared != stat->attributes.mode && !keeps_set_id) {
    store::AttributeChange change;
    change.mode = cleared;
    if (!trees_.set_attributes(node, change)) return false;
    caches_.drop_attributes(inode.id);  // after a write the kernel takes the mode for unchanged
  }
  if (xattrs->contains(std::string(kCapability)) && !trees_.set_xattr(node, kCapability, std::nullopt)) return false;
  return cleared == stat->attributes.mode || !keeps_set_id;
}

Result<std::string> Vfs::xattr(NodeId node, std::string_view name) {
  PFS_TRY_ASSIGN(auto inode, inodes_.find(node));
  if (name.starts_with(kAccessLists)) return Error{Code::kUnsupported, "access lists are not kept"};
  if (name == kSocket && node == kRootNode && !socket_path_.empty()) return socket_path_;
  if (!inode->is_stored()) return no_xattr(name);
  if (name == kCommit) return commit_of_last_change(*inode);
  if (name == kObject) {
    PFS_TRY_ASSIGN(auto entry, trees_.finished_entry(inode->what.node));
    if (!entry) return no_xattr(name);
    return entry->data_digest().hex();
  }
  PFS_TRY_ASSIGN(auto xattrs, trees_.xattrs(inode->what.node));
  auto it = xattrs.find(std::string(name));
  if (it == xattrs.end()) return no_xattr(name);
  return it->second;
}

Result<std::string> Vfs::commit_of_last_change(const Inode& inode) {
  const auto& node = inode.what.node;
  PFS_TRY_ASSIGN(auto finished, trees_.finished_entry(node));
  if (!finished) return no_xattr(kCommit);
  std::optional<store::Commit> commit = inode.what.context->commit;
  if (!commit) {
    const auto branch = trees_.branch_of(node);
    if (!branch) return no_xattr(kCommit);
    PFS_TRY_ASSIGN(commit, catalog_.resolve(CommitRef{branch->repo, branch->branch, {}, {}}));
  }
  const RepoPath path = trees_.repo_path(node);
  // not in the tree, where it would make equal files unequal: walk back for as long as the entry is
  // the same
  const auto entry_in = [&](const store::Commit& at) -> Result<std::optional<store::Entry>> {
    if (!path.is_root()) return store_.tree_reader().find_path(at.root.root, path);
    store::Entry root;
    root.subtree = at.root;
    return std::optional(root);
  };
  PFS_TRY_ASSIGN(const auto entry, entry_in(*commit));
  if (!entry) return no_xattr(kCommit);
  for (int steps = 0; commit->parent; ++steps) {
    if (steps == kMaxHistory) return no_xattr(kCommit);
    PFS_TRY_ASSIGN(auto parent, catalog_.commit(*commit->parent));
    PFS_TRY_ASSIGN(const auto before, entry_in(parent));
    if (before != entry) break;
    commit = std::move(parent);
  }
  return commit->id.hex();
}

Result<std::vector<std::string>> Vfs::xattr_names(NodeId node) {
  PFS_TRY_ASSIGN(auto inode, inodes_.find(node));
  std::vector<std::string> names;
  if (!inode->is_stored()) return names;
  PFS_TRY_ASSIGN(auto xattrs, trees_.xattrs(inode->what.node));
  for (auto& [name, value] : xattrs) names.push_back(name);
  return names;
}

Result<void> Vfs::set_xattr(const Caller& caller, NodeId node, std::string_view name, std::string value, XattrMode mode) {
  PFS_TRY_ASSIGN(auto inode, inodes_.find(node));
  if (name.starts_with(kAccessLists)) return Error{Code::kUnsupported, "access lists are not kept"};
  if (!inode->is_stored())
    return Error{Code::kNotPermitted, where(*inode) + ": has no attributes to set"};
  if (is_orphan(*inode)) return Error{Code::kStale, "a node of a branch that points elsewhere now"};
  PFS_TRY(check_changeable(*inode));
  if (name.starts_with(kOurs)) return {};  // copied by a tool from where it was read
  if (mode != XattrMode::kSet) {
    PFS_TRY_ASSIGN(auto xattrs, trees_.xattrs(inode->what.node));
    const bool there = xattrs.contains(std::string(name));
    if (mode == XattrMode::kCreate && there)
      return Error{Code::kExists, "attribute is there already"};
    if (mode == XattrMode::kReplace && !there) return no_xattr(name);
  }
  auto set = trees_.set_xattr(inode->what.node, name, std::move(value));
  inode->unprivileged = false;
  if (!set) return std::move(set).error().within(where(*inode));
  forget_attributes(caller, node);
  return set;
}

Result<void> Vfs::remove_xattr(const Caller& caller, NodeId node, std::string_view name) {
  PFS_TRY_ASSIGN(auto inode, inodes_.find(node));
  if (name.starts_with(kAccessLists) || !inode->is_stored()) return no_xattr(name);
  if (is_orphan(*inode)) return Error{Code::kStale, "a node of a branch that points elsewhere now"};
  PFS_TRY(check_changeable(*inode));
  PFS_TRY_ASSIGN(auto xattrs, trees_.xattrs(inode->what.node));
  if (!xattrs.contains(std::string(name))) return no_xattr(name);
  PFS_TRY(trees_.set_xattr(inode->what.node, name, std::nullopt));
  forget_attributes(caller, node);
  return {};
}

Result<store::Store::Space> Vfs::space() const { return store_.space(); }

}  // namespace pfs::fs
