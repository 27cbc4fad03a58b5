#include "support/store_workload.h"

#include <fmt/format.h>

#include "support/tree_paths.h"

namespace pfs::test {

using store::LiveTrees;
using store::NodePtr;

namespace {

// What a branch is called between the two steps of a rename to and fro.
BranchRef renamed(int number) { return *BranchRef::parse(number == 0 ? "data@away" : "data@apart"); }

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
  auto& trees = store.trees();
  const auto node_at = [&](int number, const std::string& path) -> Result<NodePtr> {
    PFS_TRY_ASSIGN(const auto tree, trees.branch(branch(number)));
    PFS_TRY_ASSIGN(const auto parsed, RepoPath::parse(path));
    return trees.walk(trees.root(tree), parsed);
  };
  switch (op.kind) {
    case StoreOp::Kind::kPut: {
      PFS_TRY_ASSIGN(const auto directory, node_at(op.branch, parent_of(op.path)));
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
    case StoreOp::Kind::kWrite: {
      PFS_TRY_ASSIGN(const auto file, node_at(op.branch, op.path));
      return trees.write(file, op.offset, as_bytes(op.bytes));
    }
    case StoreOp::Kind::kAppend: {
      PFS_TRY_ASSIGN(const auto file, node_at(op.branch, op.path));
      trees.opened_for_write(file);
      auto appended = trees.append(file, as_bytes(op.bytes));
      trees.released_for_write(file);
      PFS_TRY(std::move(appended));
      return {};
    }
    case StoreOp::Kind::kTruncate: {
      PFS_TRY_ASSIGN(const auto file, node_at(op.branch, op.path));
      store::AttributeChange change;
      change.size = op.length;
      PFS_TRY(trees.set_attributes(file, change));
      return {};
    }
    case StoreOp::Kind::kMakeDirectory: {
      PFS_TRY_ASSIGN(const auto directory, node_at(op.branch, parent_of(op.path)));
      store::MakeRequest request;
      request.kind = store::Kind::kDirectory;
      request.mode = op.mode;
      PFS_TRY(trees.make(directory, name_of(op.path), request));
      return {};
    }
    case StoreOp::Kind::kRemove: {
      PFS_TRY_ASSIGN(const auto directory, node_at(op.branch, parent_of(op.path)));
      PFS_TRY_ASSIGN(const auto node, node_at(op.branch, op.path));
      return trees.remove(directory, name_of(op.path), trees.kind(node) == store::Kind::kDirectory);
    }
    case StoreOp::Kind::kExchange:
    case StoreOp::Kind::kRename: {
      PFS_TRY_ASSIGN(const auto from, node_at(op.branch, parent_of(op.path)));
      PFS_TRY_ASSIGN(const auto to, node_at(op.other, parent_of(op.other_path)));
      return trees.rename(from, name_of(op.path), to, name_of(op.other_path),
                          op.kind == StoreOp::Kind::kExchange ? store::RenameMode::kExchange : store::RenameMode::kReplace);
    }
    case StoreOp::Kind::kCopyRange: {
      PFS_TRY_ASSIGN(const auto from, node_at(op.branch, op.path));
      PFS_TRY_ASSIGN(const auto to, node_at(op.other, op.other_path));
      PFS_TRY(trees.copy_range(from, op.offset, to, op.other_offset, op.length));
      return {};
    }
    case StoreOp::Kind::kCopyEntry: {
      PFS_TRY_ASSIGN(const auto from, node_at(op.branch, op.path));
      PFS_TRY_ASSIGN(const auto to, node_at(op.other, parent_of(op.other_path)));
      PFS_TRY(trees.copy_entry(from, to, name_of(op.other_path)));
      return {};
    }
    case StoreOp::Kind::kChmod: {
      PFS_TRY_ASSIGN(const auto node, node_at(op.branch, op.path));
      store::AttributeChange change;
      change.mode = op.mode;
      PFS_TRY(trees.set_attributes(node, change));
      return {};
    }
    case StoreOp::Kind::kLink: {
      PFS_TRY_ASSIGN(const auto file, node_at(op.branch, op.path));
      PFS_TRY_ASSIGN(const auto directory, node_at(op.branch, parent_of(op.other_path)));
      return trees.link(file, directory, name_of(op.other_path));
    }
    case StoreOp::Kind::kFinish: {
      PFS_TRY(store.catalog().finish(branch(op.branch), {}));
      return {};
    }
    case StoreOp::Kind::kFinishWhileWriting: {
      PFS_TRY_ASSIGN(const auto file, node_at(op.branch, op.path));
      store::FinishOptions options;
      options.leave_out_written = true;
      const auto write_and_finish = [&]() -> Result<void> {
        PFS_TRY(trees.append(file, as_bytes(std::string_view("a"))));
        PFS_TRY(store.catalog().finish(branch(op.branch), options));
        PFS_TRY(trees.append(file, as_bytes(std::string_view("b"))));
        return {};
      };
      trees.opened_for_write(file);
      auto done = write_and_finish();
      trees.released_for_write(file);
      return done;
    }
    case StoreOp::Kind::kRetarget: {
      PFS_TRY_ASSIGN(const auto target, CommitRef::parse(branch(op.other).str()));
      PFS_TRY(store.catalog().retarget(branch(op.branch), target));
      return {};
    }
    case StoreOp::Kind::kRenameBranch: {
      const auto away = renamed(op.branch);
      PFS_TRY(store.catalog().rename_branch(branch(op.branch), away));
      PFS_TRY(store.catalog().rename_branch(away, branch(op.branch)));
      return {};
    }
    case StoreOp::Kind::kSync: {
      PFS_TRY_ASSIGN(const auto root, node_at(op.branch, "/"));
      return trees.sync(root);
    }
  }
  return {};
}

Result<StoreModel::Tree> StoreWorkload::read_tree(LiveTrees& trees, const NodePtr& root) {
  StoreModel::Tree tree;
  std::map<NodePtr, std::pair<std::uint64_t, std::uint32_t>> links;  // the number of the link, names found
  std::vector<std::pair<std::string, NodePtr>> next{{"", root}};
  while (!next.empty()) {
    const auto [path, directory] = next.back();
    next.pop_back();
    std::vector<store::ListedEntry> entries;
    PFS_TRY(trees.list(directory, "", [&](const store::ListedEntry& entry) {
      entries.push_back(entry);
      return true;
    }));
    for (const auto& entry : entries) {
      PFS_TRY_ASSIGN(const auto node, trees.lookup(directory, entry.name));
      PFS_TRY_ASSIGN(const auto stat, trees.stat(node));
      const std::string at = path + "/" + entry.name;
      const bool is_directory = stat.attributes.kind == store::Kind::kDirectory;
      auto& found = tree[at];
      found.directory = is_directory;
      found.mode = stat.attributes.mode;
      if (entry.stat.attributes.mode != found.mode || (!is_directory && entry.stat.size != stat.size) ||
          entry.stat.links != stat.links || entry.stat.link_id != stat.link_id || (stat.links > 1) != (stat.link_id != 0)) {
        return Error{Code::kInternal, at + ": the listing and the lookup differ"};
      }
      if (is_directory) {
        next.emplace_back(at, node);
        continue;
      }
      if (stat.links > 1) {
        auto& [number, names] = links.try_emplace(node, links.size() + 1, 0).first->second;
        found.link = number;
        ++names;
      }
      found.bytes.resize(stat.size);
      PFS_TRY_ASSIGN(const auto got, trees.read(node, 0, std::as_writable_bytes(std::span(found.bytes))));
      if (got != stat.size) return Error{Code::kInternal, at + ": shorter than its size"};
    }
  }
  for (const auto& [node, counted] : links) {
    PFS_TRY_ASSIGN(const auto stat, trees.stat(node));
    if (stat.links != counted.second) {
      return Error{Code::kInternal, fmt::format("{}: {} names, and {} were found", trees.path(node), stat.links, counted.second)};
    }
  }
  return tree;
}

Result<StoreModel> StoreWorkload::read(store::Store& store) {
  StoreModel model;
  auto& trees = store.trees();
  for (int number = 0; number < 2; ++number) {
    PFS_TRY_ASSIGN(const auto tree, trees.branch(branch(number)));
    PFS_TRY_ASSIGN(model.live[number], read_tree(trees, trees.root(tree)));
    PFS_TRY_ASSIGN(const auto record, store.catalog().branch(branch(number)));
    if (!record.head) continue;
    PFS_TRY_ASSIGN(const auto commit, store.catalog().commit(*record.head));
    PFS_TRY_ASSIGN(const auto commit_tree, trees.commit(commit));
    PFS_TRY_ASSIGN(model.head[number], read_tree(trees, trees.root(commit_tree)));
  }
  return model;
}

}  // namespace pfs::test
