#include "store/tree/tree_store.h"

#include <algorithm>

#include <fmt/format.h>

namespace pfs::store {

namespace {

// Walks a tree so that two can be walked side by side, skipping what both have. With `linked_only` the tree is what is left
// of it without the entries that neither are names of hard links nor have any below them.
class DiffCursor {
 public:
  DiffCursor(const TreeStore& trees, const Digest& root, bool linked_only)
      : trees_(trees), root_(root), linked_only_(linked_only) {}

  Result<void> start() { return root_ == empty_subtree().root ? Result<void>{} : push(root_); }

  bool at_end() const { return stack_.empty(); }
  /// The digest of the node before which it stands: what may be skipped whole. Null before an entry.
  const Digest* subtree() const {
    const auto& top = stack_.back();
    return top.node->inner() != nullptr ? &top.node->inner()->children[top.at].digest : nullptr;
  }
  unsigned level() const { return stack_.back().node->level(); }
  const Entry& entry() const { return stack_.back().node->leaf()->entries[stack_.back().at]; }
  /// The greatest name of what the cursor stands before.
  const std::string& last_name() const {
    const auto& top = stack_.back();
    return top.node->leaf() != nullptr ? top.node->leaf()->entries[top.at].name : top.node->inner()->children[top.at].last_name;
  }
  Result<void> descend() { return push(stack_.back().node->inner()->children[stack_.back().at].digest); }
  void skip() {
    ++stack_.back().at;
    settle();
  }

 private:
  struct Level {
    NodeRef node;
    std::size_t at = 0;

    std::size_t count() const { return node->leaf() != nullptr ? node->leaf()->entries.size() : node->inner()->children.size(); }
    bool has_links() const {
      return (node->leaf() != nullptr ? totals_of(node->leaf()->entries[at]) : node->inner()->children[at].totals).links > 0;
    }
  };
  Result<void> push(const Digest& digest) {
    PFS_TRY_ASSIGN(auto node, trees_.load(digest));
    stack_.push_back({std::move(node), 0});
    settle();
    return {};
  }
  // Goes on to the next item that counts, upwards where a node is at its end.
  void settle() {
    while (!stack_.empty()) {
      auto& top = stack_.back();
      while (linked_only_ && top.at < top.count() && !top.has_links()) ++top.at;
      if (top.at < top.count()) return;
      stack_.pop_back();
      if (!stack_.empty()) ++stack_.back().at;
    }
  }

  const TreeStore& trees_;
  const Digest root_;
  const bool linked_only_;
  std::vector<Level> stack_;
};

const Digest& root_of(const std::optional<Entry>& entry) {
  return entry && entry->is_directory() ? entry->subtree.root : empty_subtree().root;
}

// Whether a directory is another but for what is below it.
bool differs_itself(const Entry& a, Entry b) {
  b.subtree = a.subtree;
  return a != b;
}

}  // namespace

Result<NodeRef> TreeStore::load(const Digest& digest) const {
  {
    Lock lock(mutex_);
    if (const auto found = by_digest_.find(digest); found != by_digest_.end()) {
      recent_.splice(recent_.begin(), recent_, found->second);
      return found->second->node;
    }
  }
  auto loaded = std::make_shared<LoadedNode>();
  if (digest == empty_subtree().root) {
    loaded->node = LeafNode{};
  } else {
    PFS_TRY_ASSIGN(const auto object, objects_.read({ObjectKind::kNode, digest}));
    if (node_digest(object.bytes) != digest) {
      return Error{Code::kCorrupt, fmt::format("tree node {}: its bytes have another digest", digest.hex())};
    }
    PFS_TRY_ASSIGN(const auto level, node_level(object.bytes));
    if (level == 0) {
      PFS_TRY_ASSIGN(loaded->node, LeafNode::decode(object.bytes));
    } else {
      PFS_TRY_ASSIGN(loaded->node, InnerNode::decode(object.bytes));
    }
    loaded->cost = object.bytes.size() * 4;  // decoded entries take about four times their encoded bytes
  }
  loaded->cost += 512;
  Lock lock(mutex_);
  if (by_digest_.contains(digest)) return loaded;
  recent_.push_front({digest, loaded});
  by_digest_[digest] = recent_.begin();
  cached_bytes_ += loaded->cost;
  while (cached_bytes_ > kCacheBytes && recent_.size() > 1) {
    cached_bytes_ -= recent_.back().node->cost;
    by_digest_.erase(recent_.back().digest);
    recent_.pop_back();
  }
  return loaded;
}

Result<std::optional<Entry>> TreeStore::find(const Digest& root, std::string_view name) const {
  Digest digest = root;
  for (;;) {
    PFS_TRY_ASSIGN(const auto node, load(digest));
    if (const auto* leaf = node->leaf()) {
      const auto it = std::lower_bound(leaf->entries.begin(), leaf->entries.end(), name,
                                       [](const Entry& entry, std::string_view key) { return entry.name < key; });
      if (it == leaf->entries.end() || it->name != name) return std::optional<Entry>{};
      return std::optional<Entry>(*it);
    }
    const auto& children = node->inner()->children;
    const auto it = std::lower_bound(children.begin(), children.end(), name,
                                     [](const ChildRef& child, std::string_view key) { return child.last_name < key; });
    if (it == children.end()) return std::optional<Entry>{};
    digest = it->digest;
  }
}

Result<bool> TreeStore::scan_node(const Digest& digest, std::string_view after,
                                  const std::function<bool(const Entry&)>& visit) const {
  PFS_TRY_ASSIGN(const auto node, load(digest));
  if (const auto* leaf = node->leaf()) {
    for (const auto& entry : leaf->entries) {
      if (!after.empty() && entry.name <= after) continue;
      if (!visit(entry)) return false;
    }
    return true;
  }
  for (const auto& child : node->inner()->children) {
    if (!after.empty() && child.last_name <= after) continue;
    PFS_TRY_ASSIGN(const bool go_on, scan_node(child.digest, after, visit));
    if (!go_on) return false;
  }
  return true;
}

Result<void> TreeStore::scan(const Digest& root, std::string_view after,
                             const std::function<bool(const Entry&)>& visit) const {
  PFS_TRY(scan_node(root, after, visit));
  return {};
}

Result<std::optional<Entry>> TreeStore::find_path(const Digest& root, const RepoPath& path) const {
  Digest directory = root;
  std::optional<Entry> entry;
  for (const auto& part : path.parts()) {
    if (entry) {
      if (!entry->is_directory()) return std::optional<Entry>{};
      directory = entry->subtree.root;
    }
    PFS_TRY_ASSIGN(entry, find(directory, part));
    if (!entry) return entry;
  }
  return entry;
}

Result<void> TreeStore::diff(const Digest& old_root, const Digest& new_root, const DiffVisit& visit) const {
  return diff_entries(old_root, new_root, false, visit);
}

Result<void> TreeStore::diff_links(const Digest& old_root, const Digest& new_root, const DiffVisit& visit) const {
  return diff_entries(old_root, new_root, true, visit);
}

Result<void> TreeStore::diff_entries(const Digest& old_root, const Digest& new_root, bool linked_only, const DiffVisit& visit) const {
  if (old_root == new_root) return {};
  DiffCursor before(*this, old_root, linked_only);
  DiffCursor after(*this, new_root, linked_only);
  PFS_TRY(before.start());
  PFS_TRY(after.start());
  while (!before.at_end() || !after.at_end()) {
    // the higher cursor goes down until both stand before nodes of one level, or before entries
    if (!before.at_end() && before.subtree() != nullptr && !after.at_end() && after.subtree() != nullptr &&
        before.level() == after.level() && *before.subtree() == *after.subtree() && before.last_name() == after.last_name()) {
      before.skip();
      after.skip();
      continue;
    }
    if (!before.at_end() && before.subtree() != nullptr &&
        (after.at_end() || after.subtree() == nullptr || before.level() >= after.level())) {
      PFS_TRY(before.descend());
      continue;
    }
    if (!after.at_end() && after.subtree() != nullptr) {
      PFS_TRY(after.descend());
      continue;
    }
    const int order = before.at_end() ? 1 : after.at_end() ? -1 : before.entry().name.compare(after.entry().name);
    bool go_on = true;
    if (order < 0) {
      go_on = visit(before.entry(), std::nullopt);
      before.skip();
    } else if (order > 0) {
      go_on = visit(std::nullopt, after.entry());
      after.skip();
    } else {
      if (before.entry() != after.entry()) go_on = visit(before.entry(), after.entry());
      before.skip();
      after.skip();
    }
    if (!go_on) return {};
  }
  return {};
}

Result<void> TreeStore::diff(const Digest& old_root, const Digest& new_root, const DiffOptions& options,
                             const std::function<bool(const Difference&)>& visit) const {
  if (options.below.is_root()) {
    PFS_TRY(diff_below(old_root, new_root, "", options.recursive, visit));
    return {};
  }
  PFS_TRY_ASSIGN(const auto before, find_path(old_root, options.below));
  PFS_TRY_ASSIGN(const auto after, find_path(new_root, options.below));
  std::string prefix;
  for (const auto& part : options.below.parts()) prefix.append(part).push_back('/');
  PFS_TRY(diff_below(root_of(before), root_of(after), prefix, options.recursive, visit));
  return {};
}

Result<bool> TreeStore::diff_below(const Digest& old_root, const Digest& new_root, const std::string& prefix, bool recursive,
                                   const std::function<bool(const Difference&)>& visit) const {
  Result<bool> going = true;
  PFS_TRY(diff(old_root, new_root, [&](const std::optional<Entry>& before, const std::optional<Entry>& after) {
    Difference difference{prefix + (before ? before->name : after->name), before, after};
    const bool both_directories = before && after && before->is_directory() && after->is_directory();
    if (!recursive || !both_directories || differs_itself(*before, *after)) {
      going = visit(difference);
      if (!*going) return false;
    }
    if (recursive && root_of(before) != root_of(after)) {
      difference.path.push_back('/');
      going = diff_below(root_of(before), root_of(after), difference.path, true, visit);
    }
    return going && *going;
  }));
  return going;
}

}  // namespace pfs::store
