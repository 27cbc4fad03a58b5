#include <map>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "support/store_workload.h"

// What a store holds, and whether it says the same of it by all ways.

namespace pfs::test {

using store::LiveTrees;
using store::NodePtr;

namespace {

Result<void> check_listed(const std::string& path, const store::Stat& listed, const store::Stat& stat) {
  auto attributes = listed.attributes;
  attributes.ctime = stat.attributes.ctime;
  const bool is_directory = stat.attributes.kind == store::Kind::kDirectory;
  if (attributes != stat.attributes || (!is_directory && listed.size != stat.size) || listed.links != stat.links ||
      listed.link_id != stat.link_id) {
    return Error{Code::kInternal, path + ": the listing and the lookup differ"};
  }
  if ((stat.links > 1) != (stat.link_id != 0)) {
    return Error{Code::kInternal, path + ": a link id and one name, or none and several"};
  }
  return {};
}

Result<std::string> read_bytes(LiveTrees& trees, const NodePtr& node, const store::Stat& stat) {
  std::string bytes;
  if (stat.attributes.kind == store::Kind::kSymlink) {
    PFS_TRY_ASSIGN(bytes, trees.read_link(node));
  } else if (stat.attributes.kind == store::Kind::kFile) {
    bytes.resize(stat.size);
    PFS_TRY_ASSIGN(const auto got, trees.read(node, 0, std::as_writable_bytes(std::span(bytes))));
    bytes.resize(got);
  }
  if (bytes.size() != stat.size) return Error{Code::kInternal, fmt::format("{}: shorter than its size", trees.path(node))};
  return bytes;
}

Result<StoreModel::Node> read_node(LiveTrees& trees, const NodePtr& node, const store::Stat& stat) {
  StoreModel::Node found;
  found.kind = stat.attributes.kind;
  found.mode = stat.attributes.mode;
  found.uid = stat.attributes.uid;
  found.gid = stat.attributes.gid;
  found.rdev = stat.attributes.rdev;
  if (stat.attributes.mtime < StoreWorkload::kClockBegins) found.mtime = stat.attributes.mtime;
  PFS_TRY_ASSIGN(found.xattrs, trees.xattrs(node));
  if (found.is_directory()) return found;
  PFS_TRY_ASSIGN(found.bytes, read_bytes(trees, node, stat));
  return found;
}

Result<std::optional<StoreModel::Tree>> read_head(store::Store& store, const store::Branch& branch) {
  if (!branch.head) return std::optional<StoreModel::Tree>();
  PFS_TRY_ASSIGN(const auto commit, store.catalog().commit(*branch.head));
  PFS_TRY_ASSIGN(const auto tree, store.trees().commit(commit));
  PFS_TRY_ASSIGN(auto found, StoreWorkload::read_tree(store.trees(), store.trees().root(tree)));
  return std::optional(std::move(found));
}

}  // namespace

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
      const std::string at = path + "/" + entry.name;
      PFS_TRY_ASSIGN(const auto node, trees.lookup(directory, entry.name));
      PFS_TRY_ASSIGN(const auto stat, trees.stat(node));
      PFS_TRY(check_listed(at, entry.stat, stat));
      PFS_TRY_ASSIGN(auto found, read_node(trees, node, stat));
      if (found.is_directory()) {
        next.emplace_back(at, node);
      } else if (stat.links > 1) {
        auto& [number, names] = links.try_emplace(node, links.size() + 1, 0).first->second;
        found.link = number;
        ++names;
      }
      tree[at] = std::move(found);
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
  for (int number = 0; number < 2; ++number) {
    PFS_TRY_ASSIGN(const auto tree, store.trees().branch(branch(number)));
    PFS_TRY_ASSIGN(model.live[number], read_tree(store.trees(), store.trees().root(tree)));
    PFS_TRY_ASSIGN(const auto record, store.catalog().branch(branch(number)));
    PFS_TRY_ASSIGN(model.head[number], read_head(store, record));
    const auto kept = store.catalog().branch(keeper(number));
    if (!kept && kept.error().code != Code::kNotFound) return kept.error();
    if (!kept) continue;
    PFS_TRY_ASSIGN(model.kept[number], read_head(store, *kept));
  }
  return model;
}

}  // namespace pfs::test
