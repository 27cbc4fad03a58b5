#include "support/store_workload.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "support/tree_paths.h"

namespace pfs::test {
namespace {

void write_at(std::string& bytes, std::uint64_t offset, const std::string& what) {
  if (bytes.size() < offset + what.size()) bytes.resize(offset + what.size());
  bytes.replace(offset, what.size(), what);
}

// Everything at or below `path`, with its paths relative to it.
StoreModel::Tree part_of(const StoreModel::Tree& tree, const std::string& path) {
  StoreModel::Tree part;
  for (const auto& [each, node] : tree) {
    if (each == path || is_below(each, path)) part[each.substr(path.size())] = node;
  }
  return part;
}

StoreModel::Tree take(StoreModel::Tree& tree, const std::string& path) {
  auto taken = part_of(tree, path);
  for (const auto& [below, node] : taken) tree.erase(path + below);
  return taken;
}

void put(StoreModel::Tree& tree, const std::string& path, const StoreModel::Tree& part) {
  for (const auto& [below, node] : part) tree[path + below] = node;
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

// A name came into a directory or went: the clock says when.
void touch_directory_of(StoreModel::Tree& tree, const std::string& path) {
  if (const auto directory = tree.find(parent_of(path)); directory != tree.end()) directory->second.mtime.reset();
}

// A commit may have directories with older times: they alone make none worth keeping.
StoreModel::Tree as_committed(StoreModel::Tree tree) {
  for (auto& [path, node] : tree) {
    if (node.is_directory()) node.mtime.reset();
  }
  return tree;
}

void finish(StoreModel& model, int branch) {
  for (int each = 0; each < 2; ++each) {
    if (each != branch && !model.joined) continue;
    model.left_out[each].clear();
    if (model.head[each] || !model.live[each].empty()) model.head[each] = as_committed(model.live[each]);
  }
  model.joined = false;
}

template <class Edit>
void change(StoreModel::Tree& tree, const std::string& path, const Edit& edit) {
  for (const auto& name : StoreWorkload::names_of(tree, path)) edit(tree[name]);
}

// The clock says when a file was written.
template <class Edit>
void change_bytes(StoreModel::Tree& tree, const std::string& path, const Edit& edit) {
  change(tree, path, [&](StoreModel::Node& node) {
    edit(node.bytes);
    node.mtime.reset();
  });
}

void make(StoreModel::Tree& tree, const StoreOp& op, store::Kind kind) {
  StoreModel::Node node;
  node.kind = kind;
  node.mode = op.mode;
  if (kind != store::Kind::kFile && kind != store::Kind::kDirectory) {
    node.bytes = op.bytes;
    node.uid = op.uid;
    node.gid = op.gid;
    node.rdev = op.rdev;
  }
  tree[op.path] = std::move(node);
  touch_directory_of(tree, op.path);
}

void rename_or_copy(const StoreOp& op, StoreModel& model) {
  auto& tree = model.live[op.branch];
  auto& other_tree = model.live[op.other];
  const bool moves = op.kind == StoreOp::Kind::kRename;
  if (const auto found = other_tree.find(op.other_path); moves && op.branch == op.other && found != other_tree.end() &&
                                                         found->second.link != 0 && found->second.link == tree[op.path].link) {
    return;  // two names of one file
  }
  auto taken = moves ? take(tree, op.path) : part_of(tree, op.path);
  if (!moves || op.branch != op.other) renumber(taken, other_tree);
  put(other_tree, op.other_path, taken);
  settle_links(other_tree);
  if (moves) touch_directory_of(tree, op.path);
  touch_directory_of(other_tree, op.other_path);
  if (moves && op.branch != op.other) model.joined = true;
}

// Everything is copied before anything is put.
void put_entries(const StoreOp& op, StoreModel& model) {
  auto& tree = model.live[op.branch];
  std::vector<StoreModel::Tree> copies;
  for (const auto& one : op.puts) copies.push_back(one.source ? part_of(model.live[op.other], *one.source) : StoreModel::Tree());
  for (std::size_t i = 0; i < copies.size(); ++i) {
    take(tree, op.puts[i].path);
    renumber(copies[i], tree);
    put(tree, op.puts[i].path, copies[i]);
    touch_directory_of(tree, op.puts[i].path);
  }
  settle_links(tree);
  if (op.path.empty()) return;
  tree[op.path].mode = op.mode;
  tree[op.path].mtime = op.mtime;
}

std::string words_for(const StoreModel::Node& node) {
  return fmt::format("kind {}, {} bytes, mode {:o}, owner {}:{}, rdev {:x}, {} xattrs, time {}", static_cast<int>(node.kind),
                     node.bytes.size(), node.mode, node.uid, node.gid, node.rdev, node.xattrs.size(),
                     node.mtime ? fmt::format("{}", node.mtime->nanoseconds) : std::string("of the clock"));
}

std::string tree_difference(const std::string& what, const StoreModel::Tree& expected, const StoreModel::Tree& found) {
  const auto first_expected = first_names(expected);
  const auto first_found = first_names(found);
  for (const auto& [path, node] : expected) {
    const auto other = found.find(path);
    if (other == found.end()) return fmt::format("{}:{} is missing", what, path);
    if (first_expected.at(node.link) != first_found.at(other->second.link)) {
      return fmt::format("{}:{} is linked with '{}' and should be with '{}'", what, path, first_found.at(other->second.link),
                         first_expected.at(node.link));
    }
    auto same = other->second;
    same.link = node.link;
    if (!node.mtime) same.mtime.reset();
    if (same == node) continue;
    std::size_t at = 0;
    while (at < std::min(node.bytes.size(), same.bytes.size()) && node.bytes[at] == same.bytes[at]) ++at;
    return fmt::format("{}:{} differs: {} expected; {} found; first difference of bytes at {}", what, path, words_for(node),
                       words_for(same), at);
  }
  for (const auto& [path, node] : found) {
    if (!expected.contains(path)) return fmt::format("{}:{} should not be there", what, path);
  }
  return "";
}

}  // namespace

void StoreWorkload::apply(const StoreOp& op, StoreModel& model) {
  auto& tree = model.live[op.branch];
  switch (op.kind) {
    case StoreOp::Kind::kPut:
      if (!tree.contains(op.path)) make(tree, op, store::Kind::kFile);
      change_bytes(tree, op.path, [&](auto& bytes) { bytes = op.bytes; });
      break;
    case StoreOp::Kind::kWrite: change_bytes(tree, op.path, [&](auto& bytes) { write_at(bytes, op.offset, op.bytes); }); break;
    case StoreOp::Kind::kAppend: change_bytes(tree, op.path, [&](auto& bytes) { bytes += op.bytes; }); break;
    case StoreOp::Kind::kTruncate: change_bytes(tree, op.path, [&](auto& bytes) { bytes.resize(op.length); }); break;
    case StoreOp::Kind::kCopyRange:
      change_bytes(model.live[op.other], op.other_path,
                   [&, copied = tree[op.path].bytes.substr(op.offset, op.length)](auto& bytes) {
                     write_at(bytes, op.other_offset, copied);
                   });
      break;
    case StoreOp::Kind::kMakeDirectory: make(tree, op, store::Kind::kDirectory); break;
    case StoreOp::Kind::kMakeSpecial: make(tree, op, op.made); break;
    case StoreOp::Kind::kRemove:
      tree.erase(op.path);
      touch_directory_of(tree, op.path);
      settle_links(tree);
      break;
    case StoreOp::Kind::kLink: {
      const auto link = fresh_link(tree);
      change(tree, op.path, [&](auto& node) { node.link = link; });
      tree[op.other_path] = tree[op.path];
      touch_directory_of(tree, op.other_path);
      break;
    }
    case StoreOp::Kind::kRename:
    case StoreOp::Kind::kCopyEntry: rename_or_copy(op, model); break;
    case StoreOp::Kind::kExchange: {
      const auto taken = take(tree, op.path);
      const auto other = op.other_path == op.path ? taken : take(tree, op.other_path);
      put(tree, op.other_path, taken);
      put(tree, op.path, other);
      touch_directory_of(tree, op.path);
      touch_directory_of(tree, op.other_path);
      break;
    }
    case StoreOp::Kind::kPutEntries: put_entries(op, model); break;
    case StoreOp::Kind::kChmod: change(tree, op.path, [&](auto& node) { node.mode = op.mode; }); break;
    case StoreOp::Kind::kOwn:
      change(tree, op.path, [&](auto& node) {
        node.uid = op.uid;
        node.gid = op.gid;
        node.mtime = op.mtime;
      });
      break;
    case StoreOp::Kind::kSetXattr: change(tree, op.path, [&](auto& node) { node.xattrs[op.name] = op.bytes; }); break;
    case StoreOp::Kind::kRemoveXattr: change(tree, op.path, [&](auto& node) { node.xattrs.erase(op.name); }); break;
    case StoreOp::Kind::kFinish: finish(model, op.branch); break;
    case StoreOp::Kind::kFinishWhileWriting: {
      change_bytes(tree, op.path, [](auto& bytes) { bytes += 'a'; });
      const auto names = names_of(tree, op.path);
      const bool first = !model.head[op.branch];
      finish(model, op.branch);
      // a branch on which nothing else was written has nothing to commit yet, and no HEAD to be kept
      if (first && names.size() == tree.size()) model.head[op.branch].reset();
      model.left_out[op.branch] = {names.begin(), names.end()};
      change_bytes(tree, op.path, [](auto& bytes) { bytes += 'b'; });
      break;
    }
    case StoreOp::Kind::kDiscard: tree = model.head[op.branch].value_or(StoreModel::Tree()); break;
    case StoreOp::Kind::kKeep: model.kept[op.branch] = model.head[op.branch]; break;
    case StoreOp::Kind::kRetarget:
      finish(model, op.branch);
      tree = *model.kept[op.branch];
      model.head[op.branch] = model.kept[op.branch];
      break;
    case StoreOp::Kind::kRenameBranch:
    case StoreOp::Kind::kSync: break;
  }
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
  for (int number = 0; number < 2; ++number) {
    const auto name = branch(number).str();
    if (auto text = tree_difference(name + " (live)", expected.live[number], found.live[number]); !text.empty()) return text;
    auto expected_head = as_committed(expected.head[number].value_or(StoreModel::Tree()));
    auto found_head = found.head[number].value_or(StoreModel::Tree());
    for (const auto& path : expected.left_out[number]) {
      expected_head.erase(path);
      found_head.erase(path);
    }
    if (auto text = tree_difference(name + " (HEAD)", expected_head, found_head); !text.empty()) return text;
    const auto expected_kept = as_committed(expected.kept[number].value_or(StoreModel::Tree()));
    const auto found_kept = found.kept[number].value_or(StoreModel::Tree());
    if (auto text = tree_difference(keeper(number).str(), expected_kept, found_kept); !text.empty()) return text;
  }
  return "";
}

}  // namespace pfs::test
