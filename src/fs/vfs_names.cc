#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/fault.h"
#include "fs/vfs.h"

namespace pfs::fs {

namespace {

constexpr std::chrono::seconds kForEver{std::chrono::hours{24 * 365 * 10}};
// What changes without the kernel is notified or refused with kStale, so this is a bound on how
// long a lost notification can matter, no more.
constexpr std::chrono::seconds kLive{std::chrono::hours{1}};
constexpr std::chrono::seconds kMoment{1};
constexpr std::chrono::seconds kAskAgain{0};

Error not_found(const std::string& where) { return Error{Code::kNotFound, where + ": not there"}; }

}  // namespace

Result<NameReply> Vfs::lookup(const Caller& caller, NodeId directory, std::string_view name) {
  // no walk of a path asks for these: who opens a file handle does
  if (name == ".") return lookup_by_id(directory);
  if (name == "..") return lookup_parent(directory);
  PFS_TRY(check_entry_name(name));  // the kernel lets longer ones through
  PFS_TRY_ASSIGN(auto inode, inodes_.find(directory));
  if (is_orphan(*inode))
    return Error{Code::kStale, "lookup below a branch that points elsewhere now"};
  if (inode->what.role == Role::kViewRoot) inode->what.view->ask(name);
  auto found = find(caller, *inode, name);
  if (found) return remember(*inode, name, *found);
  const bool cacheable = found.error().code == Code::kNotFound && inode->is_stored() &&
                         (inode->what.context->commit || inode->what.role == Role::kStored);
  if (!cacheable) return std::move(found).error();
  // whoever makes the name without the kernel says so to the kernel; at the top of a branch a
  // retarget brings new names
  return NameReply{{}, 0, {}, validity(*inode)};
}

void Vfs::lookup(const Caller& caller, NodeId directory, std::string_view name, Done<NameReply> done) {
  auto found = lookup(caller, directory, name);
  if (found || directory != kRootNode || found.error().code != Code::kUnavailable) return done(std::move(found));
  parking_.post([this, caller, directory, name = std::string(name), done = std::move(done)] {
    if (const auto branch = branch_finishing(name)) catalog_.await_finish(*branch);
    done(lookup(caller, directory, name));
  });
}

std::optional<BranchRef> Vfs::branch_finishing(std::string_view name) const {
  const auto ref = CommitRef::parse(name);
  if (!ref || !ref->id) return std::nullopt;
  const auto branches = catalog_.branches(ref->repo);
  if (!branches) return std::nullopt;
  const auto found = std::find_if(branches->begin(), branches->end(),
                                  [&](const store::Branch& branch) { return branch.finishing == *ref->id; });
  return found != branches->end() ? std::optional(found->ref) : std::nullopt;
}

void Vfs::forget(NodeId node, std::uint64_t count) { inodes_.forget(node, count); }

Result<Found> Vfs::find(const Caller& caller, const Inode& directory, std::string_view name) {
  Found found;
  switch (directory.what.role) {
    case Role::kMountRoot: return find_in_root(name);
    case Role::kControlRoot:
      if (name == "heads" || name == "views") {
        found.role = name == "heads" ? Role::kHeads : Role::kViews;
        return found;
      }
      return not_found(where(directory, name));
    case Role::kViews: {
      found.role = Role::kViewRoot;
      found.view = views_.find(name);
      if (!found.view) return Error{Code::kNotFound, "no such view"};
      return found;
    }
    case Role::kHeads: return find_head(caller, directory, name);
    case Role::kBranchControl: return find_in_branch_control(caller, directory, name);
    case Role::kBranchRoot:
      if (name == ".pfs") {
        found.role = Role::kBranchControl;
        found.branch = branch_of_root(directory);
        return found;
      }
      if (is_reserved_at_top(branch_of_root(directory), name)) return not_found(where(directory, name));
      return find_stored(directory, name);
    case Role::kViewRoot:
    case Role::kCommitRoot:
    case Role::kStored: return find_stored(directory, name);
    case Role::kCommitFile:
    case Role::kLogFile:
    case Role::kHeadLink:
    case Role::kRefLink:
    case Role::kPassingLink: break;
  }
  return Error{Code::kNotDirectory, where(directory) + ": not a directory"};
}

Result<Found> Vfs::find_in_root(std::string_view name) {
  if (name == ".pfs") {
    Found found;
    found.role = Role::kControlRoot;
    return found;
  }
  auto ref = CommitRef::parse(name);
  if (!ref) return not_found(printable(name));
  if (ref->ancestry.direction == Ancestry::Direction::kNone) {
    return ref->id ? find_commit(*ref, name) : find_branch(BranchRef{ref->repo, *ref->branch});
  }
  PFS_TRY(catalog_.resolve(*ref));
  Found found;
  found.role = Role::kRefLink;
  found.text = name;
  return found;
}

Result<Found> Vfs::find_branch(const BranchRef& ref) {
  Found found;
  found.role = Role::kBranchRoot;
  found.branch = ref;
  PFS_TRY_ASSIGN(found.tree, trees_.branch(ref));
  found.node = trees_.root(found.tree);
  found.context = std::make_shared<TreeContext>();
  return found;
}

// A commit goes from open to frozen to finished while we look. So who finds neither a finished nor an open one asks for the
// finished one again: it has come in between, or there is none.
Result<Found> Vfs::find_commit(const CommitRef& ref, std::string_view name) {
  PFS_TRY_ASSIGN(auto commit, finished_commit(ref));
  PFS_FAULT_POINT("fs.lookup.not_finished");
  if (!commit) {
    PFS_TRY_ASSIGN(const auto branches, catalog_.branches(ref.repo));
    for (const auto& branch : branches) {
      if (branch.finishing == *ref.id) return Error{Code::kUnavailable, printable(name) + ": not finished yet"};
      if (branch.open != *ref.id) continue;
      Found found;
      found.role = Role::kRefLink;
      found.text = name;
      return found;
    }
    PFS_TRY_ASSIGN(commit, finished_commit(ref));
  }
  if (!commit) return not_found(printable(name));
  Found found;
  found.role = Role::kCommitRoot;
  PFS_TRY_ASSIGN(found.tree, trees_.commit(*commit));
  found.node = trees_.root(found.tree);
  found.context = std::make_shared<TreeContext>();
  found.context->commit = std::move(*commit);
  return found;
}

Result<std::optional<store::Commit>> Vfs::finished_commit(const CommitRef& ref) const {
  auto commit = catalog_.commit(*ref.id);
  if (commit && commit->repo == ref.repo) return std::optional(std::move(*commit));
  if (!commit && commit.error().code != Code::kNotFound) return std::move(commit).error();
  return std::optional<store::Commit>();
}

Result<Found> Vfs::find_head(const Caller& caller, const Inode& directory, std::string_view name) {
  Found found;
  if (auto body = passing_links_.body(directory.id, name)) {
    found.role = Role::kPassingLink;
    found.text = std::move(*body);
    return found;
  }
  const auto ref = BranchRef::parse(name);
  if (!ref || passing_links_.is_hidden_from(directory.id, name, caller.pid))
    return not_found(where(directory, name));
  PFS_TRY(catalog_.branch(*ref));
  found.role = Role::kHeadLink;
  found.branch = *ref;
  return found;
}

Result<Found> Vfs::find_in_branch_control(const Caller& caller, const Inode& directory,
                                          std::string_view name) {
  Found found;
  found.branch = directory.what.branch;
  PFS_TRY(catalog_.branch(found.branch));  // the branch may be gone while somebody is in here
  if (auto body = passing_links_.body(directory.id, name)) {
    found.role = Role::kPassingLink;
    found.text = std::move(*body);
  } else if (name == "HEAD" && !passing_links_.is_hidden_from(directory.id, name, caller.pid)) {
    found.role = Role::kHeadLink;
  } else if (name == "commit") {
    found.role = Role::kCommitFile;
  } else if (name == "log") {
    found.role = Role::kLogFile;
  } else {
    return not_found(where(directory, name));
  }
  return found;
}

Result<Found> Vfs::find_stored(const Inode& directory, std::string_view name) {
  PFS_TRY_ASSIGN(auto stored, stored_directory(directory));
  Found found;
  found.role = Role::kStored;
  PFS_TRY_ASSIGN(found.node, trees_.lookup(stored.node, name));
  PFS_TRY_ASSIGN(const auto stat, trees_.stat(found.node));
  found.link_id = stat.link_id;
  found.context = std::move(stored.context);
  // what the kernel has of this view stays what it is
  if (!found.context->ownership || !inodes_.known({found.node}).empty()) return found;
  return shared_inputs_.shown(std::move(found));
}

Result<NameReply> Vfs::remember(const Inode& directory, std::string_view name, const Found& found) {
  auto inode = inodes_.remember(found, directory, name);
  if (found.view) found.view->known_as(inode->id);
  auto stat = stat_of(*inode);
  if (!stat) {
    inodes_.forget(inode->id, 1);
    return std::move(stat).error();
  }
  // its branch was moved between our finding it and its being noted
  if (node_names_ != nullptr && is_orphan(*inode)) note_removed(directory.id, name);
  NameReply reply{inode->id, inode->generation, *stat, validity(*inode)};
  // shown meanwhile was another tree, which will not have this name forgotten
  if (directory.what.role == Role::kViewRoot && !directory.what.view->is_asked(name)) {
    reply.name_valid = reply.stat.valid = kAskAgain;
  }
  return reply;
}

std::chrono::seconds Vfs::validity(const Inode& inode) const {
  if (!inode.is_stored()) return kAskAgain;
  return inode.what.context->commit ? kForEver : kLive;
}

std::chrono::seconds Vfs::attributes_validity(const Inode& inode) const {
  switch (inode.what.role) {
    // The same as long as the mount lives (a commit's top: as long as its branch's mode), and each walk of a path asks whether it
    // may pass the mount's root: a request for every name, if the kernel did not remember. Only for a moment, so that a dead
    // daemon shows.
    case Role::kMountRoot:
    case Role::kCommitRoot:
    case Role::kControlRoot:
    case Role::kHeads:
    case Role::kBranchControl:
    case Role::kViews:
    case Role::kViewRoot: return kMoment;
    case Role::kBranchRoot:
    case Role::kStored:
    case Role::kCommitFile:
    case Role::kLogFile:
    case Role::kHeadLink:
    case Role::kRefLink:
    case Role::kPassingLink: return validity(inode);
  }
  return validity(inode);
}

Result<std::string> Vfs::read_link(NodeId node) {
  PFS_TRY_ASSIGN(auto inode, inodes_.find(node));
  return body_of(*inode);
}

Result<std::string> Vfs::body_of(const Inode& inode) {
  switch (inode.what.role) {
    case Role::kPassingLink: return inode.what.text;
    case Role::kHeadLink: {
      const auto& ref = inode.what.branch;
      PFS_TRY_ASSIGN(auto branch, catalog_.branch(ref));
      // without a commit the first one is what the pointer waits for: it dangles until there is one
      return fmt::format("../../{}@{}", ref.repo.str(),
                         branch.head ? branch.head->hex() : ref.branch.str() + ".1");
    }
    case Role::kRefLink: {
      PFS_TRY_ASSIGN(auto ref, CommitRef::parse(inode.what.text));
      if (ref.ancestry.direction != Ancestry::Direction::kNone) {
        PFS_TRY_ASSIGN(auto commit, catalog_.resolve(ref));
        return fmt::format("{}@{}", commit.repo.str(), commit.id.hex());
      }
      PFS_TRY_ASSIGN(auto branches, catalog_.branches(ref.repo));
      for (const auto& branch : branches) {
        if (branch.open == *ref.id) return branch.ref.str();
      }
      // finished meanwhile: looked up again, the name is a directory
      return Error{Code::kStale, inode.what.text + ": not open any more"};
    }
    default: break;
  }
  if (!inode.is_stored()) return Error{Code::kInvalid, where(inode) + ": not a symlink"};
  return trees_.read_link(inode.what.node);
}

Result<OpenReply> Vfs::open_directory(NodeId directory) {
  PFS_TRY_ASSIGN(auto inode, inodes_.find(directory));
  if (is_orphan(*inode))
    return Error{Code::kStale, "opening a directory of a branch that points elsewhere now"};
  Handle handle{inode, true, false, false, {}, std::make_unique<Listing>(names_of(inode))};
  OpenReply reply;
  reply.handle = handles_.add(std::move(handle));
  reply.keep_names = reply.keep_pages = reply.immutable = is_immutable(*inode);
  return reply;
}

Listing::Source Vfs::names_of(const InodePtr& directory) {
  switch (directory->what.role) {
    case Role::kMountRoot:
      return [this](std::string_view after, const Listing::Visit& visit) {
        return list_branches(store::Kind::kDirectory, after, visit);
      };
    case Role::kHeads:
      return [this](std::string_view after, const Listing::Visit& visit) {
        return list_branches(store::Kind::kSymlink, after, visit);
      };
    case Role::kControlRoot:
      return [](std::string_view after, const Listing::Visit& visit) -> Result<void> {
        if (after < "heads") visit("heads", store::Kind::kDirectory, 0);
        return {};
      };
    case Role::kBranchControl:
      return [](std::string_view after, const Listing::Visit& visit) -> Result<void> {
        if (after < "HEAD" && !visit("HEAD", store::Kind::kSymlink, 0)) return {};
        if (after < "commit" && !visit("commit", store::Kind::kFile, 0)) return {};
        if (after < "log") visit("log", store::Kind::kFile, 0);
        return {};
      };
    case Role::kViews:
      return [](std::string_view, const Listing::Visit&) { return Result<void>(); };
    default: break;
  }
  auto stored = stored_directory(*directory);
  if (!stored) return [](std::string_view, const Listing::Visit&) { return Result<void>(); };
  return [this, node = stored->node](std::string_view after, const Listing::Visit& visit) {
    return trees_.list(node, after, [&](const store::ListedEntry& entry) {
      return visit(entry.name, entry.stat.attributes.kind, entry.stat.link_id);
    });
  };
}

Result<void> Vfs::list_branches(store::Kind kind, std::string_view after,
                                const Listing::Visit& visit) {
  PFS_TRY_ASSIGN(auto branches, catalog_.branches(std::nullopt));
  std::vector<std::string> names;
  for (const auto& branch : branches) {
    if (auto name = branch.ref.str(); name > after) names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  for (const auto& name : names) {
    if (!visit(name, kind, 0)) break;
  }
  return {};
}

Result<std::vector<Listing::Name>> Vfs::list(HandleId directory, std::uint64_t offset,
                                             std::size_t limit) {
  PFS_TRY_ASSIGN(auto handle, handles_.find(directory));
  if (!handle->listing)
    return Error{Code::kNotDirectory, where(*handle->inode) + ": not a directory"};
  return handle->listing->read(offset, limit);
}

Result<InodeNumber> Vfs::number_at_first_sight(HandleId directory, const Listing::Name& name) const {
  PFS_TRY_ASSIGN(auto handle, handles_.find(directory));
  const auto& inode = *handle->inode;
  if (name.link_id != 0) {
    PFS_TRY_ASSIGN(const auto stored, stored_directory(inode));
    return inode_number(stored.context->number, name.link_id, 0);
  }
  if (name.name == ".") return inode.number;
  const auto renamed = node_names_ != nullptr ? node_names_->renamed_to(inode.id, name.name) : std::nullopt;
  return renamed ? InodeNumber(renamed->value()) : inode_number(inode.number, name.name, 0);
}

}  // namespace pfs::fs
