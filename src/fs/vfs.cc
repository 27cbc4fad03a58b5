#include "fs/vfs.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace pfs::fs {

namespace {

constexpr unsigned kParkingThreads = 4;
constexpr std::uint32_t kWrite = 2;
constexpr std::uint32_t kRead = 4 | 1;  // a directory: its names, and what they lead to

Found mount_root() {
  Found root;
  root.role = Role::kMountRoot;
  return root;
}

// The first of owner, group and others that the caller is decides; `bits` as others have them. Source: path_resolution(7),
// "Permissions".
bool may(const store::Attributes& directory, std::uint32_t bits, const Caller& caller) {
  if (caller.uid == 0) return true;
  const auto has = [&](unsigned shift) { return (directory.mode >> shift & bits) == bits; };
  if (caller.uid == directory.uid) return has(6);
  bool in_group = caller.gid == directory.gid;
  if (!in_group && caller.groups) {
    const auto groups = caller.groups();
    in_group = std::find(groups.begin(), groups.end(), directory.gid) != groups.end();
  }
  return has(in_group ? 3 : 0);
}

}  // namespace

Vfs::Vfs(const VfsOptions& options)
    : store_(*options.store),
      catalog_(store_.catalog()),
      trees_(store_.trees()),
      caches_(*options.caches),
      clock_(*options.clock),
      uid_(options.uid),
      gid_(options.gid),
      new_branches_(options.new_branches),
      appearance_(options.appearance),
      started_(clock_.now()),
      shared_inputs_(trees_, clock_),
      socket_path_(options.socket_path),
      node_names_(options.node_names),
      inodes_(mount_root(), node_names_),
      parking_(kParkingThreads) {}

Vfs::~Vfs() = default;

Result<Vfs::Stored> Vfs::stored_directory(const Inode& inode) const {
  if (inode.what.role != Role::kViewRoot) return Stored{inode.what.node, inode.what.context};
  auto shown = inode.what.view->shown();
  if (!shown.root) return Error{Code::kNotFound, "view: nothing is shown in it"};
  return Stored{std::move(shown.root), std::move(shown.context)};
}

// As it is called now: a rename leaves the node what it is.
BranchRef Vfs::branch_of_root(const Inode& root) const {
  return trees_.branch_of(root.what.node).value_or(root.what.branch);
}

bool Vfs::is_orphan(const Inode& inode) const {
  if (!inode.is_stored()) return false;
  if (inode.what.context->replaced) return true;
  if (inode.what.context->commit) return false;
  const auto state = trees_.state(inode.what.node);
  // the top of a deleted branch: to a walk that met its name it is not there
  if (inode.what.role == Role::kBranchRoot && state == store::NodeState::kRemoved) return true;
  return state == store::NodeState::kOrphaned;
}

bool Vfs::is_immutable(const Inode& inode) {
  return inode.is_stored() && inode.what.context->commit && !inode.what.context->ownership;
}

bool Vfs::is_told_of(const Inode& orphan) const {
  return drops_under_way_ == 0 && handles_.is_open(orphan);
}

Result<void> Vfs::check_branch_for_people(const BranchRef& branch) const {
  PFS_TRY_ASSIGN(auto record, catalog_.branch(branch));
  if (!record.output_of.empty()) {
    return Error{Code::kReadOnly,
                 fmt::format("{}: written by pipeline {} alone", branch.str(), record.output_of)};
  }
  return {};
}

Result<void> Vfs::check_changeable(const Inode& inode, std::string_view name) {
  const auto& context = *inode.what.context;
  if (context.commit) {
    const auto place = name.empty() ? where(inode) : where(inode, name);
    return Error{Code::kReadOnly, fmt::format("{}: a finished commit", place)};
  }
  if (context.shared_input) {
    // the kernel looks the name up once more, and finds the view's own file
    shared_inputs_.want_own(inode.what.node);
    return Error{Code::kStale, where(inode) + ": an input that is shared until it is changed"};
  }
  if (context.ownership) return {};
  if (auto branch = trees_.branch_of(inode.what.node)) return check_branch_for_people(*branch);
  return {};
}

Result<void> Vfs::check_may_write(const Caller& caller, const BranchRef& branch) {
  PFS_TRY(check_branch_for_people(branch));
  PFS_TRY_ASSIGN(auto tree, trees_.branch(branch));
  PFS_TRY_ASSIGN(auto stat, trees_.stat(trees_.root(tree)));
  appear(stat.attributes);
  if (!may(stat.attributes, kWrite, caller)) {
    return Error{Code::kDenied,
                 fmt::format("{}: uid {} may not write there", branch.str(), caller.uid)};
  }
  return {};
}

// A commit is as private as its branch, to whom it is shown by way of another branch, too.
Result<void> Vfs::check_may_read(const Caller& caller, const CommitRef& target) {
  BranchRef branch{target.repo, target.branch.value_or(BranchName())};
  if (!target.branch) {
    PFS_TRY_ASSIGN(const auto commit, catalog_.resolve(target));
    branch.branch = commit.branch;
  }
  const auto tree = trees_.branch(branch);
  if (!tree && tree.error().code == Code::kNotFound) return {};  // the branch is gone, or the retarget says that there is none
  PFS_TRY(tree);
  PFS_TRY_ASSIGN(auto stat, trees_.stat(trees_.root(*tree)));
  appear(stat.attributes);
  if (!may(stat.attributes, kRead, caller)) {
    return Error{Code::kDenied, fmt::format("{}: uid {} may not read there", branch.str(), caller.uid)};
  }
  return {};
}

bool Vfs::write_back(const BranchRef& branch) { return write_back_files(branch); }

bool Vfs::write_back_all() { return write_back_files(std::nullopt); }

bool Vfs::write_back_files(const std::optional<BranchRef>& branch) {
  std::vector<NodeId> files;
  for (const auto& inode : handles_.mappable()) {
    if (!branch || trees_.branch_of(inode->what.node) == branch) files.push_back(inode->id);
  }
  std::sort(files.begin(), files.end());
  files.erase(std::unique(files.begin(), files.end()), files.end());
  return files.empty() || write_back_now(files);
}

bool Vfs::write_back_now(const std::vector<NodeId>& files) {
  // both: one write has found its pages gone meanwhile, another one's were read meanwhile
  for (const NodeId file : files) contended_files_.dropped(file);
  const bool is_done = caches_.write_back(files, kWriteBackTimeout);
  for (const NodeId file : files) contended_files_.dropped(file);
  return is_done;
}

std::string Vfs::where(const Inode& inode) const {
  switch (inode.what.role) {
    case Role::kMountRoot: return "/";
    case Role::kControlRoot: return ".pfs";
    case Role::kHeads: return ".pfs/heads";
    case Role::kViews: return ".pfs/views";
    case Role::kViewRoot: return "view";
    case Role::kBranchControl: return inode.what.branch.str() + "/.pfs";
    case Role::kCommitFile: return inode.what.branch.str() + "/.pfs/commit";
    case Role::kLogFile: return inode.what.branch.str() + "/.pfs/log";
    case Role::kHeadLink: return "HEAD of " + inode.what.branch.str();
    case Role::kRefLink:
    case Role::kPassingLink: return printable(inode.what.text);
    case Role::kBranchRoot: return branch_of_root(inode).str();
    case Role::kCommitRoot:
    case Role::kStored: break;
  }
  const auto& context = *inode.what.context;
  std::string path = trees_.path(inode.what.node);
  if (path == "/") path.clear();
  if (context.commit)
    return fmt::format("{}@{}{}", context.commit->repo.str(), context.commit->id.hex(),
                       printable(path));
  if (context.ownership) return "view" + printable(path);
  const auto branch = trees_.branch_of(inode.what.node);
  return (branch ? branch->str() : "removed") + printable(path);
}

std::string Vfs::where(const Inode& directory, std::string_view name) const {
  const std::string place = where(directory);
  return place == "/" ? printable(name) : fmt::format("{}/{}", place, printable(name));
}

}  // namespace pfs::fs
