#include "support/store_workload.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "support/tree_paths.h"

namespace pfs::test {
namespace {

using store::Kind;

bool is_file(const StoreModel::Node& node) { return node.kind == Kind::kFile; }
bool is_directory(const StoreModel::Node& node) { return node.is_directory(); }
bool is_no_directory(const StoreModel::Node& node) { return !node.is_directory(); }
bool has_no_set_time(const StoreModel::Node& node) { return is_file(node) && !node.mtime; }

bool is_at_or_below(const std::string& path, const std::string& directory) {
  return path == directory || is_below(path, directory);
}

bool is_empty(const StoreModel::Tree& tree, const std::string& path) {
  return std::none_of(tree.begin(), tree.end(), [&](const auto& each) { return is_below(each.first, path); });
}

bool has_links(const StoreModel::Tree& tree, const std::string& path) {
  return std::any_of(tree.begin(), tree.end(),
                     [&](const auto& each) { return each.second.link != 0 && is_at_or_below(each.first, path); });
}

bool splits_a_link(const StoreModel::Tree& tree, const std::string& path) {
  for (const auto& [each, node] : tree) {
    if (node.link == 0 || !is_at_or_below(each, path)) continue;
    for (const auto& name : StoreWorkload::names_of(tree, each)) {
      if (!is_at_or_below(name, path)) return true;
    }
  }
  return false;
}

}  // namespace

std::string StoreOp::text() const {
  static constexpr const char* kNames[] = {"put", "write", "append", "truncate", "mkdir", "make special", "remove", "rename",
                                           "exchange", "link", "copy range", "copy entry", "put entries", "chmod", "own",
                                           "set xattr", "remove xattr", "finish", "finish while writing", "discard", "keep",
                                           "retarget", "rename branch", "sync"};
  auto words = fmt::format("{} {}:{} -> {}:{} at {}/{} length {} bytes {} mode {:o}", kNames[static_cast<int>(kind)], branch,
                           path, other, other_path, offset, other_offset, length, bytes.size(), mode);
  if (kind == Kind::kMakeSpecial) words += fmt::format(" kind {} rdev {:x}", static_cast<int>(made), rdev);
  if (kind == Kind::kMakeSpecial || kind == Kind::kOwn) words += fmt::format(" owner {}:{}", uid, gid);
  if (kind == Kind::kOwn || kind == Kind::kPutEntries) words += fmt::format(" time {}", mtime.nanoseconds);
  if (!name.empty()) words += " " + name;
  for (const auto& put : puts) {
    words += fmt::format(" [{} = {}{}]", put.path, put.source.value_or("nothing"), put.held ? ", held" : "");
  }
  return words;
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

BranchRef StoreWorkload::branch(int number) { return *BranchRef::parse(number == 0 ? "data@master" : "other@staging"); }
BranchRef StoreWorkload::keeper(int number) { return *BranchRef::parse(number == 0 ? "data@kept" : "other@kept"); }

std::string StoreWorkload::some_bytes() {
  static constexpr std::uint64_t kSizes[] = {0, 1, 100, 129, 4096, 20000, 70000, 400000};
  std::string bytes(kSizes[below(8)], '\0');
  const bool repeated = below(4) == 0;
  const char fill = static_cast<char>('a' + below(26));
  for (auto& c : bytes) c = repeated ? fill : static_cast<char>(random_());
  return bytes;
}

std::string StoreWorkload::some_name() { return fmt::format("n{}", below(12)); }

std::uint32_t StoreWorkload::some_owner() {
  static constexpr std::uint32_t kOwners[] = {0, 1000, 65'534, 4'000'000'000};
  return kOwners[below(4)];
}

Timestamp StoreWorkload::some_time() {
  const auto nanoseconds = static_cast<std::int64_t>(below(static_cast<std::uint64_t>(kClockBegins.nanoseconds)));
  return Timestamp{below(4) == 0 ? -nanoseconds : nanoseconds};  // before 1970, too
}

std::optional<std::string> StoreWorkload::some_path(const StoreModel::Tree& tree, Wanted wanted) {
  std::vector<std::string> paths;
  for (const auto& [path, node] : tree) {
    if (wanted(node)) paths.push_back(path);
  }
  if (paths.empty()) return std::nullopt;
  return paths[below(paths.size())];
}

std::optional<std::string> StoreWorkload::some_entry(const StoreModel::Tree& tree) {
  return some_path(tree, below(2) == 0 ? is_directory : is_no_directory);
}

std::string StoreWorkload::some_directory(const StoreModel::Tree& tree) {
  return below(3) == 0 ? "/" : some_path(tree, is_directory).value_or("/");
}

StoreOp StoreWorkload::next(const StoreModel& model) {
  struct Share {
    std::uint64_t weight;
    bool (StoreWorkload::*draw)(const StoreModel&, StoreOp&);
  };
  static constexpr Share kShares[] = {
      {20, &StoreWorkload::draw_put},        {30, &StoreWorkload::draw_write},      {8, &StoreWorkload::draw_make_directory},
      {6, &StoreWorkload::draw_make_special}, {8, &StoreWorkload::draw_remove},     {7, &StoreWorkload::draw_rename},
      {3, &StoreWorkload::draw_exchange},    {4, &StoreWorkload::draw_link},        {6, &StoreWorkload::draw_copy_range},
      {5, &StoreWorkload::draw_copy_entry},  {5, &StoreWorkload::draw_put_entries}, {3, &StoreWorkload::draw_chmod},
      {4, &StoreWorkload::draw_own},         {6, &StoreWorkload::draw_xattr},       {2, &StoreWorkload::draw_finish},
      {2, &StoreWorkload::draw_finish_while_writing},                               {2, &StoreWorkload::draw_discard},
      {2, &StoreWorkload::draw_keep},        {2, &StoreWorkload::draw_retarget},    {1, &StoreWorkload::draw_rename_branch},
      {1, &StoreWorkload::draw_sync}};
  std::uint64_t all = 0;
  for (const auto& share : kShares) all += share.weight;
  for (;;) {
    StoreOp op;
    op.branch = static_cast<int>(below(2));
    op.other = static_cast<int>(below(2));
    auto roll = below(all);
    const auto* share = std::begin(kShares);
    for (; roll >= share->weight; ++share) roll -= share->weight;
    if ((this->*share->draw)(model, op)) return op;
  }
}

// ---- bytes

bool StoreWorkload::draw_put(const StoreModel& model, StoreOp& op) {
  const auto& tree = model.live[op.branch];
  op.kind = StoreOp::Kind::kPut;
  op.path = join(some_directory(tree), some_name());
  op.bytes = some_bytes();
  op.mode = below(2) == 0 ? 0644 : 0755;
  const auto found = tree.find(op.path);
  return found == tree.end() || is_file(found->second);
}

bool StoreWorkload::draw_write(const StoreModel& model, StoreOp& op) {
  const auto& tree = model.live[op.branch];
  const auto path = some_path(tree, is_file);
  if (!path) return false;
  op.path = *path;
  const auto size = tree.at(*path).bytes.size();
  const auto roll = below(30);
  op.kind = roll < 15 ? StoreOp::Kind::kWrite : roll < 22 ? StoreOp::Kind::kAppend : StoreOp::Kind::kTruncate;
  op.bytes = op.kind == StoreOp::Kind::kTruncate ? "" : some_bytes();
  if (op.bytes.empty() && op.kind != StoreOp::Kind::kTruncate) return false;
  op.offset = below(size + 1 + (below(8) == 0 ? 100000 : 0));
  op.length = below(size + 1 + (below(4) == 0 ? 50000 : 0));
  return true;
}

bool StoreWorkload::draw_copy_range(const StoreModel& model, StoreOp& op) {
  const auto& tree = model.live[op.branch];
  const auto& other_tree = model.live[op.other];
  op.kind = StoreOp::Kind::kCopyRange;
  const auto from = some_path(tree, is_file);
  const auto to = some_path(other_tree, is_file);
  if (!from || !to || (op.branch == op.other && *from == *to)) return false;
  if (op.branch == op.other && tree.at(*from).link != 0 && tree.at(*from).link == tree.at(*to).link) return false;
  op.path = *from;
  op.other_path = *to;
  const auto size = tree.at(*from).bytes.size();
  if (size == 0) return false;
  const bool whole = below(2) == 0;
  op.offset = whole ? 0 : below(size);
  op.length = whole ? size : 1 + below(size - op.offset);
  op.other_offset = whole ? 0 : below(other_tree.at(*to).bytes.size() + 1);
  return true;
}

// ---- names

bool StoreWorkload::draw_make_directory(const StoreModel& model, StoreOp& op) {
  const auto& tree = model.live[op.branch];
  op.kind = StoreOp::Kind::kMakeDirectory;
  op.path = join(some_directory(tree), some_name());
  op.mode = 0755;
  return !tree.contains(op.path);
}

bool StoreWorkload::draw_make_special(const StoreModel& model, StoreOp& op) {
  static constexpr Kind kKinds[] = {Kind::kSymlink, Kind::kSymlink, Kind::kSymlink, Kind::kSymlink,
                                    Kind::kFifo,    Kind::kSocket,  Kind::kBlockDevice, Kind::kCharacterDevice};
  static constexpr std::uint64_t kTargetSizes[] = {1, 20, 128, 129, 1000, 4095};  // from 129 on they are no part of the entry
  const auto& tree = model.live[op.branch];
  op.kind = StoreOp::Kind::kMakeSpecial;
  op.path = join(some_directory(tree), some_name());
  op.made = kKinds[below(8)];
  op.mode = static_cast<std::uint32_t>(0600 + below(0200));
  op.uid = some_owner();
  op.gid = some_owner();
  if (op.made == Kind::kSymlink) {
    op.bytes.resize(kTargetSizes[below(6)]);
    for (auto& c : op.bytes) c = static_cast<char>('a' + below(26));
  }
  if (op.made == Kind::kBlockDevice || op.made == Kind::kCharacterDevice) op.rdev = random_();
  return !tree.contains(op.path);
}

bool StoreWorkload::draw_remove(const StoreModel& model, StoreOp& op) {
  const auto& tree = model.live[op.branch];
  op.kind = StoreOp::Kind::kRemove;
  const auto path = some_entry(tree);
  if (!path) return false;
  op.path = *path;
  return is_empty(tree, op.path);
}

bool StoreWorkload::draw_rename(const StoreModel& model, StoreOp& op) {
  const auto& tree = model.live[op.branch];
  const auto& other_tree = model.live[op.other];
  op.kind = StoreOp::Kind::kRename;
  const auto path = some_entry(tree);
  if (!path) return false;
  op.path = *path;
  op.other_path = join(some_directory(other_tree), some_name());
  if (op.branch == op.other && is_at_or_below(op.other_path, op.path)) return false;
  const auto found = other_tree.find(op.other_path);
  if (found != other_tree.end()) {
    if (found->second.is_directory() != tree.at(op.path).is_directory()) return false;
    if (!is_empty(other_tree, op.other_path)) return false;
  }
  return op.branch == op.other || !splits_a_link(tree, op.path);
}

bool StoreWorkload::draw_exchange(const StoreModel& model, StoreOp& op) {
  const auto& tree = model.live[op.branch];
  op.kind = StoreOp::Kind::kExchange;
  op.other = op.branch;
  const auto path = some_entry(tree);
  const auto other = some_entry(tree);
  if (!path || !other || is_below(*path, *other) || is_below(*other, *path)) return false;
  op.path = *path;
  op.other_path = *other;
  return true;
}

bool StoreWorkload::draw_link(const StoreModel& model, StoreOp& op) {
  const auto& tree = model.live[op.branch];
  op.kind = StoreOp::Kind::kLink;
  const auto path = some_path(tree, is_no_directory);
  if (!path) return false;
  op.path = *path;
  op.other = op.branch;
  op.other_path = join(some_directory(tree), some_name());
  return !tree.contains(op.other_path);
}

bool StoreWorkload::draw_copy_entry(const StoreModel& model, StoreOp& op) {
  const auto& tree = model.live[op.branch];
  const auto& other_tree = model.live[op.other];
  op.kind = StoreOp::Kind::kCopyEntry;
  const auto path = some_entry(tree);
  if (!path) return false;
  op.path = *path;
  op.other_path = join(some_directory(other_tree), some_name());
  const auto found = other_tree.find(op.other_path);
  if (found != other_tree.end() && (found->second.is_directory() || tree.at(op.path).is_directory())) return false;
  return op.branch != op.other || !is_at_or_below(op.other_path, op.path);
}

// Hard links are put in batches of their own: what a kill could leave a part of is put alone.
bool StoreWorkload::draw_put_entries(const StoreModel& model, StoreOp& op) {
  const auto& tree = model.live[op.branch];
  const auto& other_tree = model.live[op.other];
  op.kind = StoreOp::Kind::kPutEntries;
  bool several_batches = false;
  for (auto count = 1 + below(4); count > 0; --count) {
    StoreOp::Put put;
    put.path = join(some_directory(tree), some_name());
    if (below(3) != 0) put.path = some_entry(tree).value_or(put.path);
    if (below(2) == 0) put.source = some_entry(other_tree);
    put.held = below(2) == 0;
    if (put.source && op.branch == op.other && is_below(put.path, *put.source)) return false;
    for (const auto& before : op.puts) {
      if (is_at_or_below(put.path, before.path) || is_below(before.path, put.path)) return false;
    }
    const bool copies_links = put.source && other_tree.at(*put.source).is_directory() && has_links(other_tree, *put.source);
    several_batches = several_batches || copies_links || has_links(tree, put.path);
    op.puts.push_back(std::move(put));
  }
  if (several_batches) {
    op.puts.resize(1);
    return true;
  }
  const auto directory = below(2) == 0 ? some_path(tree, is_directory) : std::nullopt;
  if (!directory) return true;
  for (const auto& put : op.puts) {
    if (is_at_or_below(*directory, put.path)) return false;
  }
  op.path = *directory;
  op.mode = static_cast<std::uint32_t>(0700 + below(0100));
  op.mtime = some_time();
  return true;
}

// ---- attributes

bool StoreWorkload::draw_chmod(const StoreModel& model, StoreOp& op) {
  op.kind = StoreOp::Kind::kChmod;
  const auto path = some_entry(model.live[op.branch]);
  if (!path) return false;
  op.path = *path;
  op.mode = static_cast<std::uint32_t>(0600 + below(0100));
  return true;
}

bool StoreWorkload::draw_own(const StoreModel& model, StoreOp& op) {
  op.kind = StoreOp::Kind::kOwn;
  const auto path = some_entry(model.live[op.branch]);
  if (!path) return false;
  op.path = *path;
  op.uid = some_owner();
  op.gid = some_owner();
  op.mtime = some_time();
  return true;
}

bool StoreWorkload::draw_xattr(const StoreModel& model, StoreOp& op) {
  static constexpr std::uint64_t kSizes[] = {0, 10, 100, 300, 5000};  // over 256 bytes in all they are an object
  const auto& tree = model.live[op.branch];
  const auto path = some_entry(tree);
  if (!path) return false;
  op.path = *path;
  const auto& there = tree.at(*path).xattrs;
  if (!there.empty() && below(3) == 0) {
    op.kind = StoreOp::Kind::kRemoveXattr;
    op.name = std::next(there.begin(), static_cast<std::ptrdiff_t>(below(there.size())))->first;
    return true;
  }
  op.kind = StoreOp::Kind::kSetXattr;
  op.name = fmt::format("user.x{}", below(4));
  op.bytes.resize(kSizes[below(5)]);
  for (auto& c : op.bytes) c = static_cast<char>(random_());
  return true;
}

// ---- branches

bool StoreWorkload::draw_finish(const StoreModel&, StoreOp& op) {
  op.kind = StoreOp::Kind::kFinish;
  return true;
}

// A kill between the two appends may leave the time that one of them has set.
bool StoreWorkload::draw_finish_while_writing(const StoreModel& model, StoreOp& op) {
  op.kind = StoreOp::Kind::kFinishWhileWriting;
  const auto path = some_path(model.live[op.branch], has_no_set_time);
  if (!path) return false;
  op.path = *path;
  return true;
}

// What was left out of HEAD is not known; files that were moved between the branches are published first.
bool StoreWorkload::draw_discard(const StoreModel& model, StoreOp& op) {
  op.kind = StoreOp::Kind::kDiscard;
  return !model.joined && model.left_out[op.branch].empty();
}

bool StoreWorkload::draw_keep(const StoreModel& model, StoreOp& op) {
  op.kind = StoreOp::Kind::kKeep;
  op.other = op.branch;
  return model.head[op.branch] && model.left_out[op.branch].empty();
}

bool StoreWorkload::draw_retarget(const StoreModel& model, StoreOp& op) {
  op.kind = StoreOp::Kind::kRetarget;
  op.other = op.branch;
  return model.kept[op.branch].has_value();
}

bool StoreWorkload::draw_rename_branch(const StoreModel&, StoreOp& op) {
  op.kind = StoreOp::Kind::kRenameBranch;
  return true;
}

bool StoreWorkload::draw_sync(const StoreModel&, StoreOp& op) {
  op.kind = StoreOp::Kind::kSync;
  return true;
}

}  // namespace pfs::test
