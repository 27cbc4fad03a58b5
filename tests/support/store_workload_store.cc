#include "support/store_workload.h"

#include <array>
#include <utility>

#include <fmt/format.h>

#include "support/tree_paths.h"

namespace pfs::test {

using store::NodePtr;

namespace {

// What a branch is called between the two steps of a rename to and fro.
BranchRef renamed(int number) { return *BranchRef::parse(number == 0 ? "data@away" : "other@apart"); }

Result<NodePtr> node_at(store::Store& store, int number, const std::string& path) {
  auto& trees = store.trees();
  PFS_TRY_ASSIGN(const auto tree, trees.branch(StoreWorkload::branch(number)));
  PFS_TRY_ASSIGN(const auto parsed, RepoPath::parse(path));
  return trees.walk(trees.root(tree), parsed);
}

// ---- bytes

Result<void> put(const StoreOp& op, store::Store& store) {
  auto& trees = store.trees();
  PFS_TRY_ASSIGN(const auto directory, node_at(store, op.branch, parent_of(op.path)));
  store::MakeRequest request;
  request.mode = op.mode;
  request.exclusive = false;
  PFS_TRY_ASSIGN(const auto file, trees.make(directory, name_of(op.path), request));
  trees.opened_for_write(file);
  store::AttributeChange empty;
  empty.size = 0;
  auto done = trees.set_attributes(file, empty);
  Result<void> wrote;
  if (done) wrote = trees.write(file, 0, as_bytes(op.bytes));
  trees.released_for_write(file);
  PFS_TRY(std::move(done));
  return wrote;
}

Result<void> append(const StoreOp& op, store::Store& store) {
  auto& trees = store.trees();
  PFS_TRY_ASSIGN(const auto file, node_at(store, op.branch, op.path));
  trees.opened_for_write(file);
  auto appended = trees.append(file, as_bytes(op.bytes));
  trees.released_for_write(file);
  PFS_TRY(std::move(appended));
  return {};
}

Result<void> copy_range(const StoreOp& op, store::Store& store) {
  PFS_TRY_ASSIGN(const auto from, node_at(store, op.branch, op.path));
  PFS_TRY_ASSIGN(const auto to, node_at(store, op.other, op.other_path));
  PFS_TRY(store.trees().copy_range(from, op.offset, to, op.other_offset, op.length));
  return {};
}

// ---- names

Result<void> make(const StoreOp& op, store::Store& store) {
  PFS_TRY_ASSIGN(const auto directory, node_at(store, op.branch, parent_of(op.path)));
  store::MakeRequest request;
  request.mode = op.mode;
  if (op.kind == StoreOp::Kind::kMakeDirectory) {
    request.kind = store::Kind::kDirectory;
  } else {
    request.kind = op.made;
    request.uid = op.uid;
    request.gid = op.gid;
    request.rdev = op.rdev;
    request.target = op.bytes;
  }
  PFS_TRY(store.trees().make(directory, name_of(op.path), request));
  return {};
}

Result<void> remove(const StoreOp& op, store::Store& store) {
  auto& trees = store.trees();
  PFS_TRY_ASSIGN(const auto directory, node_at(store, op.branch, parent_of(op.path)));
  PFS_TRY_ASSIGN(const auto node, node_at(store, op.branch, op.path));
  return trees.remove(directory, name_of(op.path), trees.kind(node) == store::Kind::kDirectory);
}

Result<void> rename(const StoreOp& op, store::Store& store) {
  PFS_TRY_ASSIGN(const auto from, node_at(store, op.branch, parent_of(op.path)));
  PFS_TRY_ASSIGN(const auto to, node_at(store, op.other, parent_of(op.other_path)));
  const auto mode = op.kind == StoreOp::Kind::kExchange ? store::RenameMode::kExchange : store::RenameMode::kReplace;
  return store.trees().rename(from, name_of(op.path), to, name_of(op.other_path), mode);
}

Result<void> link(const StoreOp& op, store::Store& store) {
  PFS_TRY_ASSIGN(const auto file, node_at(store, op.branch, op.path));
  PFS_TRY_ASSIGN(const auto directory, node_at(store, op.branch, parent_of(op.other_path)));
  return store.trees().link(file, directory, name_of(op.other_path));
}

Result<void> copy_entry(const StoreOp& op, store::Store& store) {
  PFS_TRY_ASSIGN(const auto from, node_at(store, op.branch, op.path));
  PFS_TRY_ASSIGN(const auto to, node_at(store, op.other, parent_of(op.other_path)));
  PFS_TRY(store.trees().copy_entry(from, to, name_of(op.other_path)));
  return {};
}

// A copy of the node in a tree of nobody's, as that one's finished entry.
Result<store::Entry> finished_copy(store::Store& store, const NodePtr& node) {
  auto& trees = store.trees();
  PFS_TRY_ASSIGN(const auto scratch, trees.scratch());
  const auto root = trees.root(scratch);
  PFS_TRY(trees.copy_entry(node, root, "copy"));
  PFS_TRY_ASSIGN(const auto tree, trees.snapshot(root));
  PFS_TRY_ASSIGN(auto entry, store.tree_reader().find(tree.root, "copy"));
  if (!entry) return Error{Code::kInternal, fmt::format("{}: a copy of it is not there", trees.path(node))};
  return std::move(*entry);
}

Result<void> put_entries(const StoreOp& op, store::Store& store) {
  std::vector<store::EntryPut> puts;
  std::vector<NodePtr> held;
  for (const auto& drawn : op.puts) {
    store::EntryPut& one = puts.emplace_back();
    one.name = name_of(drawn.path);
    PFS_TRY_ASSIGN(one.directory, node_at(store, op.branch, parent_of(drawn.path)));
    if (drawn.source) {
      PFS_TRY_ASSIGN(const auto source, node_at(store, op.other, *drawn.source));
      PFS_TRY_ASSIGN(one.entry, finished_copy(store, source));
    }
    if (!drawn.held) continue;
    if (auto there = store.trees().lookup(one.directory, one.name)) held.push_back(*std::move(there));
  }
  std::vector<store::DirectoryChange> directories;
  if (!op.path.empty()) {
    PFS_TRY_ASSIGN(auto directory, node_at(store, op.branch, op.path));
    directories.push_back({std::move(directory), op.mode, op.mtime});
  }
  PFS_TRY(store.trees().put_entries(puts, directories));
  return {};
}

// ---- attributes

Result<void> set_attributes(const StoreOp& op, const store::AttributeChange& change, store::Store& store) {
  PFS_TRY_ASSIGN(const auto node, node_at(store, op.branch, op.path));
  PFS_TRY(store.trees().set_attributes(node, change));
  return {};
}

Result<void> truncate(const StoreOp& op, store::Store& store) {
  store::AttributeChange change;
  change.size = op.length;
  return set_attributes(op, change, store);
}

Result<void> chmod(const StoreOp& op, store::Store& store) {
  store::AttributeChange change;
  change.mode = op.mode;
  return set_attributes(op, change, store);
}

Result<void> own(const StoreOp& op, store::Store& store) {
  store::AttributeChange change;
  change.uid = op.uid;
  change.gid = op.gid;
  change.mtime = op.mtime;
  return set_attributes(op, change, store);
}

Result<void> set_xattr(const StoreOp& op, std::optional<std::string> value, store::Store& store) {
  PFS_TRY_ASSIGN(const auto node, node_at(store, op.branch, op.path));
  return store.trees().set_xattr(node, op.name, std::move(value));
}

// ---- branches

Result<void> finish_while_writing(const StoreOp& op, store::Store& store) {
  auto& trees = store.trees();
  PFS_TRY_ASSIGN(const auto file, node_at(store, op.branch, op.path));
  store::FinishOptions options;
  options.leave_out_written = true;
  const auto write_and_finish = [&]() -> Result<void> {
    PFS_TRY(trees.append(file, as_bytes(std::string_view("a"))));
    PFS_TRY(store.catalog().finish(StoreWorkload::branch(op.branch), options));
    PFS_TRY(trees.append(file, as_bytes(std::string_view("b"))));
    return {};
  };
  trees.opened_for_write(file);
  auto done = write_and_finish();
  trees.released_for_write(file);
  return done;
}

// By its id, so that nothing becomes a commit by it: it is done whole or not at all.
Result<void> keep(const StoreOp& op, store::Store& store) {
  PFS_TRY_ASSIGN(const auto record, store.catalog().branch(StoreWorkload::branch(op.branch)));
  CommitRef head;
  head.repo = record.ref.repo;
  head.id = record.head;
  store::CreateBranch creation;
  creation.ref = StoreWorkload::keeper(op.branch);
  creation.head = head;
  creation.or_move = true;
  const std::array<store::RefStep, 1> steps{std::move(creation)};
  PFS_TRY(store.catalog().transact(steps));
  return {};
}

Result<void> retarget(const StoreOp& op, store::Store& store) {
  const auto moved = StoreWorkload::branch(op.branch);
  PFS_TRY_ASSIGN(const auto foreign, CommitRef::parse(StoreWorkload::branch(1 - op.branch).str()));
  if (const auto done = store.catalog().retarget(moved, foreign); done || done.error().code != Code::kNotPermitted) {
    return Error{Code::kInternal, fmt::format("branch {}: a commit of another repo was not refused", moved.str())};
  }
  PFS_TRY_ASSIGN(const auto target, CommitRef::parse(StoreWorkload::keeper(op.branch).str()));
  PFS_TRY(store.catalog().retarget(moved, target));
  return {};
}

Result<void> rename_to_and_fro(const StoreOp& op, store::Store& store) {
  const auto ref = StoreWorkload::branch(op.branch);
  PFS_TRY(store.catalog().rename_branch(ref, renamed(op.branch)));
  return store.catalog().rename_branch(renamed(op.branch), ref);
}

}  // namespace

Result<void> StoreWorkload::settle(store::Store& store) {
  for (int number = 0; number < 2; ++number) {
    if (store.catalog().branch(renamed(number))) PFS_TRY(store.catalog().rename_branch(renamed(number), branch(number)));
  }
  return {};
}

Result<void> StoreWorkload::make_branches(store::Store& store) {
  for (int number = 0; number < 2; ++number) {
    if (!store.catalog().branch(branch(number))) PFS_TRY(store.catalog().create_branch(branch(number), std::nullopt, true));
  }
  return {};
}

Result<void> StoreWorkload::apply(const StoreOp& op, store::Store& store) {
  switch (op.kind) {
    case StoreOp::Kind::kPut: return put(op, store);
    case StoreOp::Kind::kWrite: {
      PFS_TRY_ASSIGN(const auto file, node_at(store, op.branch, op.path));
      return store.trees().write(file, op.offset, as_bytes(op.bytes));
    }
    case StoreOp::Kind::kAppend: return append(op, store);
    case StoreOp::Kind::kTruncate: return truncate(op, store);
    case StoreOp::Kind::kMakeDirectory:
    case StoreOp::Kind::kMakeSpecial: return make(op, store);
    case StoreOp::Kind::kRemove: return remove(op, store);
    case StoreOp::Kind::kRename:
    case StoreOp::Kind::kExchange: return rename(op, store);
    case StoreOp::Kind::kLink: return link(op, store);
    case StoreOp::Kind::kCopyRange: return copy_range(op, store);
    case StoreOp::Kind::kCopyEntry: return copy_entry(op, store);
    case StoreOp::Kind::kPutEntries: return put_entries(op, store);
    case StoreOp::Kind::kChmod: return chmod(op, store);
    case StoreOp::Kind::kOwn: return own(op, store);
    case StoreOp::Kind::kSetXattr: return set_xattr(op, op.bytes, store);
    case StoreOp::Kind::kRemoveXattr: return set_xattr(op, std::nullopt, store);
    case StoreOp::Kind::kFinish: {
      PFS_TRY(store.catalog().finish(branch(op.branch), {}));
      return {};
    }
    case StoreOp::Kind::kFinishWhileWriting: return finish_while_writing(op, store);
    case StoreOp::Kind::kDiscard: return store.catalog().discard(branch(op.branch));
    case StoreOp::Kind::kKeep: return keep(op, store);
    case StoreOp::Kind::kRetarget: return retarget(op, store);
    case StoreOp::Kind::kRenameBranch: return rename_to_and_fro(op, store);
    case StoreOp::Kind::kSync: {
      PFS_TRY_ASSIGN(const auto root, node_at(store, op.branch, "/"));
      return store.trees().sync(root);
    }
  }
  return {};
}

}  // namespace pfs::test
