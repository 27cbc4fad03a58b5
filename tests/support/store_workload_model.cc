#include "support/store_workload.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "support/tree_paths.h"

namespace pfs::test {
namespace {

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

void finish(StoreModel& model, int branch) {
  for (int each = 0; each < 2; ++each) {
    if (each != branch && !model.joined) continue;
    model.left_out[each].clear();
    if (model.head[each] || !model.live[each].empty()) model.head[each] = model.live[each];
  }
  model.joined = false;
}

}  // namespace

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
      const auto names = names_of(tree, op.path);
      const bool first = !model.head[op.branch];
      finish(model, op.branch);
      // a branch on which nothing else was written has nothing to commit yet, and cannot be retargeted to
      if (first && names.size() == tree.size()) model.head[op.branch].reset();
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
