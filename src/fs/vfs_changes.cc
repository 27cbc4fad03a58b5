#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "fs/user_name.h"
#include "fs/vfs.h"

namespace pfs::fs {

namespace {

// A directory's set-gid bit gives its group to what is made in it, and itself to directories.
// Source: inode(7).
void inherit_group(const store::Attributes& directory, store::MakeRequest& request) {
  if ((directory.mode & kSetGid) == 0) return;
  request.gid = directory.gid;
  if (request.kind == store::Kind::kDirectory) request.mode |= kSetGid;
}

}  // namespace

Result<Vfs::Directory> Vfs::directory_for_change(NodeId directory, std::string_view name) {
  PFS_TRY(check_entry_name(name));
  PFS_TRY_ASSIGN(auto inode, inodes_.find(directory));
  switch (inode->what.role) {
    case Role::kMountRoot:
      return Error{
          Code::kInvalid,
          fmt::format("{}: what is made here is a branch: mkdir repo@branch", printable(name))};
    case Role::kBranchRoot:
      if (is_reserved_at_top(branch_of_root(*inode), name)) {
        return Error{Code::kNotPermitted, where(*inode, name) + ": the name is reserved"};
      }
      break;
    case Role::kViewRoot:
    case Role::kCommitRoot:
    case Role::kStored: break;
    case Role::kControlRoot:
    case Role::kHeads:
    case Role::kViews:
    case Role::kBranchControl:
    case Role::kCommitFile:
    case Role::kLogFile:
    case Role::kHeadLink:
    case Role::kRefLink:
    case Role::kPassingLink:
      return Error{Code::kNotPermitted, where(*inode, name) + ": nothing can be made there"};
  }
  if (is_orphan(*inode))
    return Error{Code::kStale, "a directory of a branch that points elsewhere now"};
  if (inode->is_stored()) PFS_TRY(check_changeable(*inode, name));
  PFS_TRY_ASSIGN(auto stored, stored_directory(*inode));
  return Directory{std::move(inode), std::move(stored)};
}

void Vfs::made_by(const Caller& caller, store::MakeRequest& request) {
  request.uid = caller.uid;
  request.gid = caller.gid;
  request.mode &= ~caller.umask;
}

Result<store::NodePtr> Vfs::make_stored(const Directory& directory, std::string_view name,
                                        store::MakeRequest request) {
  PFS_TRY_ASSIGN(auto stat, trees_.stat(directory.stored.node));
  inherit_group(stat.attributes, request);
  if (uid_ != 0 && directory.stored.context->ownership) {
    // one of our subordinate ids, perhaps, which is nobody outside of its container: what a job has put out is to be ours
    request.uid = uid_;
    request.gid = gid_;
  }
  auto node = trees_.make(directory.stored.node, name, request);
  if (!node) {
    directory.stored.context->refused(node.error());
    return std::move(node).error().within(where(*directory.inode, name));
  }
  note_removed(directory.inode->id, name);  // whatever had the name before
  return node;
}

Result<NameReply> Vfs::remember_made(const Directory& directory, std::string_view name,
                                     store::NodePtr node) {
  Found found;
  found.role = Role::kStored;
  found.node = std::move(node);
  found.context = directory.stored.context;
  return remember(*directory.inode, name, found);
}

Result<NameReply> Vfs::make_node(const Caller& caller, NodeId directory, std::string_view name,
                                 const store::MakeRequest& asked) {
  PFS_TRY_ASSIGN(auto target, directory_for_change(directory, name));
  store::MakeRequest request = asked;
  made_by(caller, request);
  PFS_TRY_ASSIGN(auto node, make_stored(target, name, std::move(request)));
  forget_name(caller, directory, name);
  return remember_made(target, name, std::move(node));
}

void Vfs::make_directory(const Caller& caller, NodeId directory, std::string_view name,
                         std::uint32_t mode, Done<NameReply> done) {
  store::MakeRequest request;
  request.kind = store::Kind::kDirectory;
  request.mode = mode;
  auto branch = BranchRef::parse(name);
  if (directory != kRootNode || !branch) return done(make_node(caller, directory, name, request));
  park(caller, [this, branch = *branch, uid = caller.uid, gid = caller.gid, mode,
                 done = std::move(done)] { done(make_branch(branch, uid, gid, mode)); });
}

Result<NameReply> Vfs::make_branch(const BranchRef& ref, std::uint32_t uid, std::uint32_t gid,
                                   std::uint32_t mode) {
  PFS_TRY(catalog_.create_branch(ref, std::nullopt, true, new_branches_));
  note_removed(kRootNode, ref.str());
  PFS_TRY_ASSIGN(auto found, find_branch(ref));
  store::AttributeChange owner;
  owner.mode = mode;
  owner.uid = uid;
  owner.gid = gid;
  PFS_TRY(trees_.set_attributes(found.node, owner));
  // by another mount somebody may have looked meanwhile
  if (serves_uncached) attributes_changed(found.node);
  PFS_TRY_ASSIGN(auto root, inodes_.find(kRootNode));
  return remember(*root, ref.str(), found);
}

void Vfs::make_symlink(const Caller& caller, NodeId directory, std::string_view name,
                       std::string_view body, Done<NameReply> done) {
  auto inode = inodes_.find(directory);
  if (!inode) return done(std::move(inode).error());
  const Role role = (*inode)->what.role;
  if (role == Role::kHeads || role == Role::kBranchControl) {
    return make_head_link(caller, *inode, name, body, std::move(done));
  }
  if (role == Role::kBranchRoot) {
    const BranchRef branch = branch_of_root(**inode);
    auto target = retarget_by_symlink(branch, name, body);
    if (!target) return done(std::move(target).error());
    if (*target) {
      return park_retarget(caller, branch, **target, *inode, std::string(name), std::string(body),
                           std::move(done));
    }
  }
  store::MakeRequest request;
  request.kind = store::Kind::kSymlink;
  request.mode = 0777;
  request.target = body;
  // without the caller's umask, which means nothing to a symlink
  Caller maker = caller;
  maker.umask = 0;
  done(make_node(maker, directory, name, request));
}

Result<void> Vfs::remove_file(const Caller& caller, NodeId directory, std::string_view name) {
  PFS_TRY_ASSIGN(auto inode, inodes_.find(directory));
  const Role role = inode->what.role;
  if (role == Role::kMountRoot)
    return Error{Code::kNotPermitted, printable(name) + ": cannot be removed"};
  if (role == Role::kHeads || role == Role::kBranchControl)
    return remove_head_link(caller, *inode, name);
  if (role == Role::kBranchRoot && is_reserved_at_top(branch_of_root(*inode), name)) {
    return Error{Code::kNotFound, where(*inode, name) + ": not there"};
  }
  PFS_TRY_ASSIGN(auto target, directory_for_change(directory, name));
  const auto gone = node_at(caller, target.stored, name);
  auto removed = trees_.remove(target.stored.node, name, false);
  if (!removed) return std::move(removed).error().within(where(*inode, name));
  note_removed(directory, name);
  forget_name(caller, directory, name);
  forget_attributes(caller, gone);  // it may have other names
  return {};
}

void Vfs::remove_directory(const Caller& caller, NodeId directory, std::string_view name, Done<void> done) {
  if (directory != kRootNode) {
    auto target = directory_for_change(directory, name);
    if (!target) return done(std::move(target).error());
    const auto gone = node_at(caller, target->stored, name);
    auto removed = trees_.remove(target->stored.node, name, true);
    if (!removed) return done(std::move(removed).error().within(where(*target->inode, name)));
    note_removed(directory, name);
    forget_name(caller, directory, name);
    forget_attributes(caller, gone);
    return done({});
  }
  auto branch = BranchRef::parse(name);
  if (!branch) return done(Error{Code::kNotPermitted, printable(name) + ": cannot be removed"});
  park(caller, [this, branch = *branch, done = std::move(done)] {
    done(catalog_.delete_branch(branch, false));
  });
}

void Vfs::rename(const Caller& caller, NodeId from, std::string_view from_name, NodeId to,
                 std::string_view to_name, store::RenameMode mode, Done<void> done) {
  const bool exchange = mode == store::RenameMode::kExchange;
  if (from == kRootNode && to == kRootNode) {
    if (exchange)
      return done(Error{Code::kInvalid, fmt::format("{} and {}: branches are not exchanged; rename them by way of a third name",
                                                    printable(from_name), printable(to_name))});
    return rename_branch(caller, from_name, to_name, std::move(done));
  }
  if (from == to) {
    auto inode = inodes_.find(from);
    if (!inode) return done(std::move(inode).error());
    if ((*inode)->what.role == Role::kHeads || (*inode)->what.role == Role::kBranchControl) {
      if (exchange) return done(Error{Code::kInvalid, printable(from_name) + ": pointers are not exchanged"});
      return rename_head_link(caller, **inode, from_name, to_name, std::move(done));
    }
  }
  done(rename_stored(caller, from, from_name, to, to_name, mode));
}

// Of the directory that the kernel moves meanwhile, so the branch's node, and every one below it, stays what it is.
void Vfs::rename_branch(const Caller& caller, std::string_view from_name, std::string_view to_name,
                        Done<void> done) {
  auto from = BranchRef::parse(from_name);
  if (!from) {
    return done(Error{Code::kNotPermitted, printable(from_name) + ": cannot be renamed or moved"});
  }
  auto to = BranchRef::parse(to_name);
  if (!to) {
    return done(Error{Code::kInvalid, fmt::format("{}: what is here is a branch: mv -T {} repo@branch",
                                                  printable(to_name), printable(from_name))});
  }
  park(caller, [this, from = *from, to = *to, uid = caller.uid, pid = caller.pid,
                 done = std::move(done)] {
    auto renamed = catalog_.rename_branch(from, to);
    if (renamed) {
      spdlog::info("{}: renamed to {} by {} (pid {})", from.str(), to.str(), name_of_user(uid), pid);
      if (const auto tree = trees_.branch(to)) note_moved(trees_.root(*tree), kRootNode, to.str());
    }
    done(std::move(renamed));
  });
}

Result<void> Vfs::rename_stored(const Caller& caller, NodeId from, std::string_view from_name, NodeId to,
                                std::string_view to_name, store::RenameMode mode) {
  // never kCrossDevice, which would make mv copy the branch and delete it
  if (from == kRootNode || to == kRootNode) {
    return Error{Code::kNotPermitted, fmt::format("{} to {}: a branch stays at the top; mv -T renames it there",
                                                  printable(from_name), printable(to_name))};
  }
  PFS_TRY_ASSIGN(auto source, directory_for_change(from, from_name));
  PFS_TRY_ASSIGN(auto target, directory_for_change(to, to_name));
  // a file of a view appears as its job's; it would keep that outside
  const auto& source_owner = source.stored.context->ownership;
  const auto& target_owner = target.stored.context->ownership;
  if ((source_owner || target_owner) && source.stored.context != target.stored.context) {
    return Error{Code::kCrossDevice, "into or out of a view"};
  }
  const auto moved = node_at(caller, source.stored, from_name);
  const auto lost = node_at(caller, target.stored, to_name);
  auto renamed = trees_.rename(source.stored.node, from_name, target.stored.node, to_name, mode);
  if (!renamed) {
    target.stored.context->refused(renamed.error());
    return std::move(renamed).error().within(where(*source.inode, from_name));
  }
  // what is mounted below a directory goes along with it
  const auto forget = [&](const store::NodePtr& node) {
    return node && trees_.kind(node) == store::Kind::kDirectory ? KernelCaches::Forget::kName : KernelCaches::Forget::kAll;
  };
  const bool exchanged = mode == store::RenameMode::kExchange;
  if (!target_owner) {  // a view's nodes are not kept
    // all that is noted there: a file with several names may be so twice
    note_removed(from, from_name);
    note_removed(to, to_name);
    note_moved(trees_.lookup(target.stored.node, to_name).value_or(nullptr), to, to_name);
    if (exchanged) note_moved(trees_.lookup(source.stored.node, from_name).value_or(nullptr), from, from_name);
  }
  forget_name(caller, from, from_name, forget(moved));
  forget_name(caller, to, to_name, exchanged ? forget(lost) : KernelCaches::Forget::kAll);
  forget_attributes(caller, moved);
  forget_attributes(caller, lost);
  if (!caller.uncached && has_uncached()) {
    // What we have moved may not be what the kernel moves now: another mount can have put something else there since it looked. It
    // asks again once it has.
    caches_.drop_names(to, {std::string(to_name)}, KernelCaches::Forget::kName, [] {});
    if (exchanged) caches_.drop_names(from, {std::string(from_name)}, KernelCaches::Forget::kName, [] {});
  }
  return {};
}

Result<NameReply> Vfs::link(const Caller& caller, NodeId node, NodeId directory, std::string_view name) {
  PFS_TRY_ASSIGN(auto inode, inodes_.find(node));
  if (!inode->is_stored())
    return Error{Code::kNotPermitted, where(*inode) + ": has one name only"};
  PFS_TRY_ASSIGN(auto target, directory_for_change(directory, name));
  if (is_orphan(*inode)) return Error{Code::kStale, "a file of a branch that points elsewhere now"};
  if (inode->what.context->shared_input) PFS_TRY(check_changeable(*inode));
  if (inode->what.context->commit) {
    return Error{Code::kCrossDevice, where(*target.inode, name) + ": a hard link into a commit"};
  }
  auto linked = trees_.link(inode->what.node, target.stored.node, name);
  if (!linked) {
    target.stored.context->refused(linked.error());
    return std::move(linked).error().within(where(*target.inode, name));
  }
  note_removed(directory, name);
  forget_name(caller, directory, name);
  forget_attributes(caller, node);
  return remember_made(target, name, inode->what.node);
}

}  // namespace pfs::fs
