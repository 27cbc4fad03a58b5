#include "support/store_workload.h"

#include <algorithm>

#include <fmt/format.h>

#include "support/tree_paths.h"

namespace pfs::test {
namespace {

bool splits_a_link(const StoreModel::Tree& tree, const std::string& path) {
  for (const auto& [each, node] : tree) {
    if (node.link == 0 || (each != path && !is_below(each, path))) continue;
    for (const auto& name : StoreWorkload::names_of(tree, each)) {
      if (name != path && !is_below(name, path)) return true;
    }
  }
  return false;
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

}  // namespace pfs::test
