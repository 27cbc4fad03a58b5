#include "support/store_workload.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

namespace pfs::test {

using store::LiveTrees;
using store::NodePtr;

namespace {

// What a branch is called between the two steps of a rename to and fro.
BranchRef renamed(int number) { return *BranchRef::parse(number == 0 ? "data@away" : "data@apart"); }

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }
std::string join(const std::string& directory, const std::string& name) { return (directory == "/" ? "" : directory) + "/" + name; }
bool is_below(const std::string& path, const std::string& directory) { return path.rfind(directory + "/", 0) == 0; }

void write_at(std::string& bytes, std::uint64_t offset, const std::string& what) {
  if (bytes.size() < offset + what.size()) bytes.resize(offset + what.size());
  bytes.replace(offset, what.size(), what);
}

// Takes everything at or below `path` out of the tree, with its paths relative to it.
StoreModel::Tree take(StoreModel::Tree& tree, const std::string& path, bool remove) {
  StoreModel::Tree taken;
  for (auto it = tree.begin(); it != tree.end();) {
    if (it->first == path || is_below(it->first, path)) {
      taken[it->first.substr(path.size())] = it->second;
      it = remove ? tree.erase(it) : std::next(it);
    } else {
      ++it;
    }
  }
  return taken;
}

// A file with one name left is not linked.
void settle_links(StoreModel::Tree& tree) {
  std::map<std::uint64_t, int> names;
  for (const auto& [path, node] : tree) ++names[node.link];
  for (auto& [path, node] : tree) {
    if (names[node.link] == 1) node.link = 0;
  }
}

// Links as the first of their paths, to be compared: their numbers mean nothing.
std::map<std::uint64_t, std::string> first_names(const StoreModel::Tree& tree) {
  std::map<std::uint64_t, std::string> first;
  for (const auto& [path, node] : tree) first.try_emplace(node.link, node.link == 0 ? "" : path);
  return first;
}

std::uint64_t fresh_link(const StoreModel::Tree& tree) {
  std::uint64_t last = 0;
  for (const auto& [path, node] : tree) last = std::max(last, node.link);
  return last + 1;
}

// What was taken comes under other numbers, so that it is never linked with what is there.
void renumber(StoreModel::Tree& taken, const StoreModel::Tree& tree) {
  const auto base = fresh_link(tree);
  for (auto& [path, node] : taken) {
    if (node.link != 0) node.link += base;
  }
  settle_links(taken);
}

bool splits_a_link(const StoreModel::Tree& tree, const std::string& path) {
  for (const auto& [each, node] : tree) {
    if (node.link == 0 || (each != path && !is_below(each, path))) continue;
    for (const auto& name : StoreWorkload::names_of(tree, each)) {
      if (name != path && !is_below(name, path)) return true;
    }
  }
  return false;
}

void finish(StoreModel& model, int branch) {
  for (int each = 0; each < 2; ++each) {
    if (each != branch && !model.joined) continue;
    model.left_out[each].clear();
    if (model.head[each] || !model.live[each].empty()) model.head[each] = model.live[each];
  }
  model.joined = false;
}

}  // namespace

std::string StoreOp::text() const {
  static constexpr const char* kNames[] = {"put", "write", "append", "truncate", "mkdir", "remove", "rename", "copy range",
                                           "copy entry", "chmod", "link", "finish", "retarget", "rename branch", "sync", "exchange",
                                           "finish while writing"};
  return fmt::format("{} {}:{} -> {}:{} at {}/{} length {} bytes {} mode {:o}", kNames[static_cast<int>(kind)], branch, path,
                     other, other_path, offset, other_offset, length, bytes.size(), mode);
}

store::StagingLimits StoreWorkload::limits(std::uint64_t seed) {
  store::StagingLimits limits;
  if (seed % 4 == 0) return limits;
  limits.segment_bytes = std::uint64_t{256} << 10U;
  limits.slack_bytes = std::uint64_t{512} << 10U;
  limits.spool_bytes = seed % 4 == 1 ? 0 : seed % 4 == 2 ? 5000 : 100'000;
  limits.spool_extents = 3;
  limits.overwritten_bytes = 10'000;
  limits.spool_layers = 1 + seed / 4 % 3;
  return limits;
}

BranchRef StoreWorkload::branch(int number) { return *BranchRef::parse(number == 0 ? "data@master" : "data@staging"); }

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

std::string StoreWorkload::some_bytes() {
  static constexpr std::uint64_t kSizes[] = {0, 1, 100, 129, 4096, 20000, 70000, 400000};
  std::string bytes(kSizes[below(8)], '\0');
  const bool repeated = below(4) == 0;
  const char fill = static_cast<char>('a' + below(26));
  for (auto& c : bytes) c = repeated ? fill : static_cast<char>(random_());
  return bytes;
}

std::string StoreWorkload::some_name() { return fmt::format("n{}", below(12)); }

std::optional<std::string> StoreWorkload::some_path(const StoreModel::Tree& tree, bool directory) {
  std::vector<std::string> paths;
  for (const auto& [path, node] : tree) {
    if (node.directory == directory) paths.push_back(path);
  }
  if (paths.empty()) return std::nullopt;
  return paths[below(paths.size())];
}

std::string StoreWorkload::some_directory(const StoreModel::Tree& tree) {
  return below(3) == 0 ? "/" : some_path(tree, true).value_or("/");
}

StoreOp StoreWorkload::next(const StoreModel& model) {
  for (;;) {
    StoreOp op;
    op.branch = static_cast<int>(below(2));
    op.other = static_cast<int>(below(2));
    const auto& tree = model.live[op.branch];
    const auto& other_tree = model.live[op.other];
    const auto roll = below(100);
    const auto target = [&] { return join(some_directory(other_tree), some_name()); };
    if (roll < 20) {
      op.kind = StoreOp::Kind::kPut;
      op.path = join(some_directory(tree), some_name());
      op.bytes = some_bytes();
      op.mode = below(2) == 0 ? 0644 : 0755;
      const auto found = tree.find(op.path);
      if (found != tree.end() && found->second.directory) continue;
      return op;
    }
    if (roll < 50) {
      const auto path = some_path(tree, false);
      if (!path) continue;
      op.path = *path;
      const auto size = tree.at(*path).bytes.size();
      op.kind = roll < 35 ? StoreOp::Kind::kWrite : roll < 42 ? StoreOp::Kind::kAppend : StoreOp::Kind::kTruncate;
      op.bytes = op.kind == StoreOp::Kind::kTruncate ? "" : some_bytes();
      if (op.bytes.empty() && op.kind != StoreOp::Kind::kTruncate) continue;
      op.offset = below(size + 1 + (below(8) == 0 ? 100000 : 0));
      op.length = below(size + 1 + (below(4) == 0 ? 50000 : 0));
      return op;
    }
    if (roll < 58) {
      op.kind = StoreOp::Kind::kMakeDirectory;
      op.path = join(some_directory(tree), some_name());
      op.mode = 0755;
      if (tree.contains(op.path)) continue;
      return op;
    }
    if (roll < 66) {
      op.kind = StoreOp::Kind::kRemove;
      const auto path = some_path(tree, below(2) == 0);
      if (!path) continue;
      op.path = *path;
      if (std::any_of(tree.begin(), tree.end(), [&](const auto& each) { return is_below(each.first, op.path); })) continue;
      return op;
    }
    if (roll < 69) {
      op.kind = StoreOp::Kind::kExchange;
      op.other = op.branch;
      const auto path = some_path(tree, below(2) == 0);
      const auto other = some_path(tree, below(2) == 0);
      if (!path || !other || is_below(*path, *other) || is_below(*other, *path)) continue;
      op.path = *path;
      op.other_path = *other;
      return op;
    }
    if (roll < 76) {
      op.kind = StoreOp::Kind::kRename;
      const auto path = some_path(tree, below(2) == 0);
      if (!path) continue;
      op.path = *path;
      op.other_path = target();
      if (op.branch == op.other && (op.other_path == op.path || is_below(op.other_path, op.path))) continue;
      const auto found = other_tree.find(op.other_path);
      if (found != other_tree.end()) {
        if (found->second.directory != tree.at(op.path).directory) continue;
        if (std::any_of(other_tree.begin(), other_tree.end(), [&](const auto& each) { return is_below(each.first, op.other_path); })) continue;
      }
      if (op.branch != op.other && splits_a_link(tree, op.path)) continue;
      return op;
    }
    if (roll < 82) {
      op.kind = StoreOp::Kind::kCopyRange;
      const auto from = some_path(tree, false);
      const auto to = some_path(other_tree, false);
      if (!from || !to || (op.branch == op.other && *from == *to)) continue;
      if (op.branch == op.other && tree.at(*from).link != 0 && tree.at(*from).link == tree.at(*to).link) continue;
      op.path = *from;
      op.other_path = *to;
      const auto size = tree.at(*from).bytes.size();
      if (size == 0) continue;
      const bool whole = below(2) == 0;
      op.offset = whole ? 0 : below(size);
      op.length = whole ? size : 1 + below(size - op.offset);
      op.other_offset = whole ? 0 : below(other_tree.at(*to).bytes.size() + 1);
      return op;
    }
    if (roll < 87) {
      op.kind = StoreOp::Kind::kCopyEntry;
      const auto path = some_path(tree, below(2) == 0);
      if (!path) continue;
      op.path = *path;
      op.other_path = target();
      const auto found = other_tree.find(op.other_path);
      if (found != other_tree.end() && (found->second.directory || tree.at(op.path).directory)) continue;
      if (op.branch == op.other && (op.other_path == op.path || is_below(op.other_path, op.path))) continue;
      return op;
    }
    if (roll < 90) {
      op.kind = StoreOp::Kind::kChmod;
      const auto path = some_path(tree, below(2) == 0);
      if (!path) continue;
      op.path = *path;
      op.mode = static_cast<std::uint32_t>(0600 + below(0100));
      return op;
    }
    if (roll < 93) {
      op.kind = StoreOp::Kind::kLink;
      const auto path = some_path(tree, false);
      if (!path) continue;
      op.path = *path;
      op.other = op.branch;
      op.other_path = join(some_directory(tree), some_name());
      if (tree.contains(op.other_path)) continue;
      return op;
    }
    if (roll < 94) {
      op.kind = StoreOp::Kind::kFinish;
      return op;
    }
    if (roll < 96) {
      op.kind = StoreOp::Kind::kFinishWhileWriting;
      const auto path = some_path(tree, false);
      if (!path) continue;
      op.path = *path;
      return op;
    }
    if (roll < 98) {
      op.kind = StoreOp::Kind::kRetarget;
      op.other = 1 - op.branch;
      if (!model.head[op.other] && model.live[op.other].empty()) continue;
      return op;
    }
    op.kind = roll < 99 ? StoreOp::Kind::kRenameBranch : StoreOp::Kind::kSync;
    return op;
  }
}

void StoreWorkload::apply(const StoreOp& op, StoreModel& model) {
  auto& tree = model.live[op.branch];
  auto& other_tree = model.live[op.other];
  const auto change = [](StoreModel::Tree& where, const std::string& path, const auto& edit) {
    for (const auto& name : names_of(where, path)) edit(where[name]);
  };
  switch (op.kind) {
    case StoreOp::Kind::kPut:
      tree.try_emplace(op.path, StoreModel::Node{false, "", op.mode, 0});
      change(tree, op.path, [&](auto& node) { node.bytes = op.bytes; });
      break;
    case StoreOp::Kind::kWrite: change(tree, op.path, [&](auto& node) { write_at(node.bytes, op.offset, op.bytes); }); break;
    case StoreOp::Kind::kAppend: change(tree, op.path, [&](auto& node) { node.bytes += op.bytes; }); break;
    case StoreOp::Kind::kTruncate: change(tree, op.path, [&](auto& node) { node.bytes.resize(op.length); }); break;
    case StoreOp::Kind::kMakeDirectory: tree[op.path] = {true, "", op.mode, 0}; break;
    case StoreOp::Kind::kRemove:
      tree.erase(op.path);
      settle_links(tree);
      break;
    case StoreOp::Kind::kLink: {
      const auto link = fresh_link(tree);
      change(tree, op.path, [&](auto& node) { node.link = link; });
      tree[op.other_path] = tree[op.path];
      break;
    }
    case StoreOp::Kind::kRename:
    case StoreOp::Kind::kCopyEntry: {
      const bool moves = op.kind == StoreOp::Kind::kRename;
      if (const auto found = other_tree.find(op.other_path); moves && op.branch == op.other && found != other_tree.end() &&
                                                             found->second.link != 0 && found->second.link == tree[op.path].link) {
        break;  // two names of one file
      }
      auto taken = take(tree, op.path, moves);
      if (!moves || op.branch != op.other) renumber(taken, other_tree);
      for (const auto& [below, node] : taken) other_tree[op.other_path + below] = node;
      settle_links(other_tree);
      if (op.kind == StoreOp::Kind::kRename && op.branch != op.other) model.joined = true;
      break;
    }
    case StoreOp::Kind::kExchange: {
      const auto taken = take(tree, op.path, true);
      const auto other = op.other_path == op.path ? taken : take(tree, op.other_path, true);
      for (const auto& [below, node] : taken) tree[op.other_path + below] = node;
      for (const auto& [below, node] : other) tree[op.path + below] = node;
      break;
    }
    case StoreOp::Kind::kCopyRange:
      change(other_tree, op.other_path, [&, bytes = std::string(tree[op.path].bytes.substr(op.offset, op.length))](auto& node) {
        write_at(node.bytes, op.other_offset, bytes);
      });
      break;
    case StoreOp::Kind::kChmod: change(tree, op.path, [&](auto& node) { node.mode = op.mode; }); break;
    case StoreOp::Kind::kFinish: finish(model, op.branch); break;
    case StoreOp::Kind::kFinishWhileWriting: {
      change(tree, op.path, [](auto& node) { node.bytes += 'a'; });
      finish(model, op.branch);
      const auto names = names_of(tree, op.path);
      model.left_out[op.branch] = {names.begin(), names.end()};
      change(tree, op.path, [](auto& node) { node.bytes += 'b'; });
      break;
    }
    case StoreOp::Kind::kRetarget:
      finish(model, op.other);
      finish(model, op.branch);
      model.live[op.branch] = *model.head[op.other];
      model.head[op.branch] = model.head[op.other];
      break;
    case StoreOp::Kind::kRenameBranch:
    case StoreOp::Kind::kSync: break;
  }
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

std::vector<std::string> StoreWorkload::names_of(const StoreModel::Tree& tree, const std::string& path) {
  const auto found = tree.find(path);
  if (found == tree.end() || found->second.link == 0) return {path};
  std::vector<std::string> names;
  for (const auto& [each, node] : tree) {
    if (node.link == found->second.link) names.push_back(each);
  }
  return names;
}

std::string StoreWorkload::difference(const StoreModel& expected, const StoreModel& found) {
  const auto compare = [](const std::string& what, const StoreModel::Tree& a, const StoreModel::Tree& b) -> std::string {
    const auto first_of_a = first_names(a);
    const auto first_of_b = first_names(b);
    for (const auto& [path, node] : a) {
      const auto other = b.find(path);
      if (other == b.end()) return fmt::format("{}:{} is missing", what, path);
      if (first_of_a.at(node.link) != first_of_b.at(other->second.link)) {
        return fmt::format("{}:{} is linked with '{}' and should be with '{}'", what, path, first_of_b.at(other->second.link),
                           first_of_a.at(node.link));
      }
      auto same = other->second;
      same.link = node.link;
      if (same == node) continue;
      std::size_t at = 0;
      while (at < std::min(node.bytes.size(), other->second.bytes.size()) && node.bytes[at] == other->second.bytes[at]) ++at;
      return fmt::format("{}:{} differs: {} bytes, mode {:o} expected; {} bytes, mode {:o} found; first difference at {}", what, path,
                         node.bytes.size(), node.mode, other->second.bytes.size(), other->second.mode, at);
    }
    for (const auto& [path, node] : b) {
      if (!a.contains(path)) return fmt::format("{}:{} should not be there", what, path);
    }
    return "";
  };
  for (int number = 0; number < 2; ++number) {
    const auto name = branch(number).str();
    if (auto text = compare(name + " (live)", expected.live[number], found.live[number]); !text.empty()) return text;
    auto expected_head = expected.head[number].value_or(StoreModel::Tree());
    auto found_head = found.head[number].value_or(StoreModel::Tree());
    for (const auto& path : expected.left_out[number]) {
      expected_head.erase(path);
      found_head.erase(path);
    }
    if (auto text = compare(name + " (HEAD)", expected_head, found_head); !text.empty()) return text;
  }
  return "";
}

}  // namespace pfs::test
