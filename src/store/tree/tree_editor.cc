#include "store/tree/tree_editor.h"

#include <algorithm>
#include <concepts>
#include <functional>
#include <optional>

#include "base/bug.h"

namespace pfs::store {

namespace {

// A level's items are entries (level 0) or references to nodes of the level below; a level is edited the same way for both.
template <class Item>
struct ItemChange {
  std::string name;
  std::optional<Item> item;  // nullopt: removed
};

// A level's changes in order, of which the first is looked at.
template <class Item>
class Changes {
 public:
  using Next = std::function<Result<std::optional<ItemChange<Item>>>()>;
  explicit Changes(Next next) : next_(std::move(next)) {}

  // To the first one, and past the present one.
  Result<void> advance() {
    PFS_TRY_ASSIGN(front_, next_());
    return {};
  }
  bool at_end() const { return !front_; }
  const std::string& name() const { return front_->name; }
  std::optional<Item> take_item() { return std::move(front_->item); }

 private:
  const Next next_;
  std::optional<ItemChange<Item>> front_;
};

const std::string& name_of(const Entry& entry) { return entry.name; }
const std::string& name_of(const ChildRef& child) { return child.last_name; }

class Editor {
 public:
  Editor(const TreeStore& trees, ObjectWriter& writer, const Digest& root, Owner directory)
      : trees_(trees), writer_(writer), root_(root), directory_(directory) {}

  Result<Subtree> run(const NextChange& next) {
    PFS_TRY_ASSIGN(const auto old_root, trees_.load(root_));
    const unsigned old_top = old_root->level();
    Changes<Entry> entries([&next]() -> Result<std::optional<ItemChange<Entry>>> {
      PFS_TRY_ASSIGN(auto change, next());
      if (!change) return std::optional<ItemChange<Entry>>();
      return std::optional(ItemChange<Entry>{std::move(change->name), std::move(change->entry)});
    });
    PFS_TRY_ASSIGN(auto above, edit_level(0, entries));
    for (unsigned level = 1; level <= old_top; ++level) {
      if (above.empty()) return Subtree{root_, data_digest_of(*old_root), totals_of_node(*old_root)};
      Changes<ChildRef> children([at = std::size_t{0}, below = std::move(above)]() mutable -> Result<std::optional<ItemChange<ChildRef>>> {
        return at < below.size() ? std::optional(std::move(below[at++])) : std::nullopt;
      });
      PFS_TRY_ASSIGN(above, edit_level(level, children));
    }
    return finish(old_top, *old_root, std::move(above));
  }

 private:
  static constexpr std::size_t kPendingAtOnce = 4 * NodeRule::kMax;

  static Digest data_digest_of(const LoadedNode& node) {
    return node.leaf() != nullptr ? node.leaf()->data_digest() : node.inner()->data_digest();
  }
  static Totals totals_of_node(const LoadedNode& node) {
    return node.leaf() != nullptr ? node.leaf()->totals() : node.inner()->totals();
  }

  // The changes to the top level name the old root's replacement: none, one node, or several that need levels above them.
  Result<Subtree> finish(unsigned top, const LoadedNode& old_root, std::vector<ItemChange<ChildRef>> changes) {
    if (changes.empty()) return Subtree{root_, data_digest_of(old_root), totals_of_node(old_root)};
    std::vector<ChildRef> nodes;
    for (auto& change : changes) {
      if (change.item) nodes.push_back(std::move(*change.item));
    }
    if (nodes.empty()) return empty_subtree();
    for (unsigned level = top + 1; nodes.size() > 1; ++level) {
      std::vector<ChildRef> parents;
      PFS_TRY(cut_all(level, std::move(nodes), parents));
      nodes = std::move(parents);
      top = level;
    }
    return collapse(top, nodes.front());
  }

  // A root with one child gives way to the child, so that a tree that shrank equals one that never grew.
  Result<Subtree> collapse(unsigned level, ChildRef root) {
    for (; level > 0; --level) {
      const InnerNode* inner = nullptr;
      NodeRef loaded;
      if (const auto made = made_inner_.find(root.digest); made != made_inner_.end()) {
        inner = &made->second;
      } else {
        PFS_TRY_ASSIGN(loaded, trees_.load(root.digest));
        inner = loaded->inner();
      }
      if (inner == nullptr || inner->children.size() != 1) break;
      root = ChildRef(inner->children.front());
    }
    return Subtree{root.digest, root.data_digest, root.totals};
  }

  // The node of `level` that holds `name`, or would hold it; the last one for names past all. Null where the old tree
  // is empty.
  Result<NodeRef> node_for(unsigned level, std::string_view name) {
    Digest digest = root_;
    for (;;) {
      PFS_TRY_ASSIGN(auto node, trees_.load(digest));
      if (node->level() == level) return node;
      const auto* inner = node->inner();
      if (inner == nullptr) return Error{Code::kCorrupt, "directory tree: its levels do not add up"};
      auto it = std::lower_bound(inner->children.begin(), inner->children.end(), name,
                                 [](const ChildRef& child, std::string_view key) { return child.last_name < key; });
      if (it == inner->children.end()) --it;
      digest = it->digest;
    }
  }

  // The node of `level` after the one whose greatest name is `last`; null at the end.
  Result<NodeRef> node_after(unsigned level, std::string_view last) {
    Digest digest = root_;
    bool beyond = false;
    for (;;) {
      PFS_TRY_ASSIGN(auto node, trees_.load(digest));
      if (node->level() == level) return beyond ? node : NodeRef{};
      const auto* inner = node->inner();
      if (inner == nullptr) return Error{Code::kCorrupt, "directory tree: its levels do not add up"};
      auto it = std::upper_bound(inner->children.begin(), inner->children.end(), last,
                                 [](std::string_view key, const ChildRef& child) { return key < child.last_name; });
      if (it == inner->children.end()) return NodeRef{};
      beyond = true;
      digest = it->digest;
    }
  }

  // The node of `level` before the one that holds `name`; null at the beginning.
  Result<NodeRef> node_before(unsigned level, std::string_view name) {
    Digest digest = root_;
    std::optional<Digest> sibling;  // of the lowest node on the way that has one to its left
    for (;;) {
      PFS_TRY_ASSIGN(const auto node, trees_.load(digest));
      if (node->level() == level) break;
      const auto* inner = node->inner();
      if (inner == nullptr) return Error{Code::kCorrupt, "directory tree: its levels do not add up"};
      auto it = std::lower_bound(inner->children.begin(), inner->children.end(), name,
                                 [](const ChildRef& child, std::string_view key) { return child.last_name < key; });
      if (it == inner->children.end()) --it;
      if (it != inner->children.begin()) sibling = std::prev(it)->digest;
      digest = it->digest;
    }
    if (!sibling) return NodeRef{};
    for (;;) {
      PFS_TRY_ASSIGN(auto node, trees_.load(*sibling));
      if (node->level() == level) return node;
      const auto* inner = node->inner();
      if (inner == nullptr) return Error{Code::kCorrupt, "directory tree: its levels do not add up"};
      sibling = inner->children.back().digest;
    }
  }

  // Where cutting has to begin for a change to `name`. A node that was cut for its size alone ends where the items up to
  // kMax from its beginning say, and some of those lie in the next node: never farther, or it would have ended there.
  // `done`: the greatest name that an earlier run has cut already, with all that its cuts depend on.
  template <class Item>
  Result<NodeRef> first_to_cut(unsigned level, std::string_view name, const std::string& done) {
    PFS_TRY_ASSIGN(auto node, node_for(level, name));
    PFS_TRY_ASSIGN(auto before, node_before(level, name));
    if (!before) return node;
    const auto& items = items_of<Item>(*before);
    const auto& last = name_of(items.back());
    if (!done.empty() && last <= done) return node;
    return NodeRule::ends(NodeRule::hash(last, level), items.size()) ? node : before;
  }

  template <class Item>
  static const std::vector<Item>& items_of(const LoadedNode& node) {
    if constexpr (std::same_as<Item, Entry>) {
      return node.leaf()->entries;
    } else {
      return node.inner()->children;
    }
  }

  // Applies the changes to one level of the old tree; returns what that means for the level above. A run begins at the
  // node that holds the first change, or the one before, and ends where a cut falls on an old boundary with nothing pending.
  template <class Item>
  Result<std::vector<ItemChange<ChildRef>>> edit_level(unsigned level, Changes<Item>& changes) {
    std::vector<ItemChange<ChildRef>> above;
    std::string done;
    PFS_TRY(changes.advance());
    while (!changes.at_end()) {
      PFS_TRY_ASSIGN(auto node, first_to_cut<Item>(level, changes.name(), done));
      std::vector<Item> pending;
      std::vector<ChildRef> made;
      std::vector<std::string> removed;
      for (;;) {
        const auto& items = items_of<Item>(*node);
        std::string last;
        NodeRef following;
        if (!items.empty()) {
          last = name_of(items.back());
          removed.push_back(last);
          done = last;
          PFS_TRY_ASSIGN(following, node_after(level, last));
        }
        std::size_t at = 0;
        for (bool more = true; more;) {
          PFS_TRY_ASSIGN(more, merge(items, at, changes, following ? &last : nullptr, pending));
          PFS_TRY(cut_ready(level, pending, made));
        }
        if (!following) {
          if (!pending.empty()) PFS_TRY(make_node(level, std::move(pending), made));
          break;
        }
        // past this node nothing is pending: what follows is cut where it was
        if (pending.empty()) break;
        node = std::move(following);
      }
      report(removed, made, above);
    }
    std::sort(above.begin(), above.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return above;
  }

  // Old items from `at` on and the changes up to `last` (all that are left, without one), in order, into `pending`: so many
  // that cutting has something to do. Returns whether there are more.
  template <class Item>
  static Result<bool> merge(const std::vector<Item>& items, std::size_t& at, Changes<Item>& changes, const std::string* last,
                            std::vector<Item>& pending) {
    while (pending.size() < kPendingAtOnce) {
      const bool change_left = !changes.at_end() && (last == nullptr || changes.name() <= *last);
      if (at == items.size() && !change_left) return false;
      if (!change_left || (at < items.size() && name_of(items[at]) < changes.name())) {
        pending.push_back(items[at++]);
        continue;
      }
      if (at < items.size() && name_of(items[at]) == changes.name()) ++at;
      if (auto item = changes.take_item()) pending.push_back(std::move(*item));
      PFS_TRY(changes.advance());
    }
    return true;
  }

  // Cuts off every node whose end is decided by what is pending; the rest stays.
  template <class Item>
  Result<void> cut_ready(unsigned level, std::vector<Item>& pending, std::vector<ChildRef>& made) {
    std::size_t start = 0;
    std::size_t count = 0;
    std::uint64_t least = 0;
    std::size_t least_count = 0;
    while (start + count < pending.size()) {
      const auto hash = NodeRule::hash(name_of(pending[start + count]), level);
      ++count;
      if (count > NodeRule::kMax / 2 && (least_count == 0 || hash < least)) {
        least = hash;
        least_count = count;
      }
      std::size_t size = 0;
      if (NodeRule::ends(hash, count)) {
        size = count;
      } else if (count == NodeRule::kMax) {
        size = least_count;
      }
      if (size == 0) continue;
      const auto begin = pending.begin() + static_cast<std::ptrdiff_t>(start);
      const auto end = begin + static_cast<std::ptrdiff_t>(size);
      PFS_TRY(make_node(level, std::vector<Item>(std::make_move_iterator(begin), std::make_move_iterator(end)), made));
      start += size;
      count = 0;
      least_count = 0;
    }
    pending.erase(pending.begin(), pending.begin() + static_cast<std::ptrdiff_t>(start));
    return {};
  }

  Result<void> cut_all(unsigned level, std::vector<ChildRef> items, std::vector<ChildRef>& made) {
    PFS_TRY(cut_ready(level, items, made));
    return items.empty() ? Result<void>{} : make_node(level, std::move(items), made);
  }

  Result<void> make_node(unsigned, std::vector<Entry> entries, std::vector<ChildRef>& made) {
    LeafNode node{std::move(entries)};
    return store_node(node.encode(), owner_of_part(directory_, 1, node.entries.front().name), node.entries.back().name, node.data_digest(), node.totals(), made);
  }

  Result<void> make_node(unsigned level, std::vector<ChildRef> children, std::vector<ChildRef>& made) {
    InnerNode node{level, std::move(children)};
    PFS_TRY(store_node(node.encode(), owner_of_part(directory_, level + 1, node.children.front().last_name), node.children.back().last_name, node.data_digest(), node.totals(), made));
    if (node.children.size() == 1) made_inner_[made.back().digest] = std::move(node);
    else made_inner_[made.back().digest] = InnerNode{};
    return {};
  }

  Result<void> store_node(std::string bytes, Owner owner, const std::string& last, const Digest& data_digest,
                          const Totals& totals, std::vector<ChildRef>& made) {
    const Digest digest = node_digest(bytes);
    made.push_back({last, digest, data_digest, totals});
    return writer_.add({ObjectKind::kNode, digest}, std::move(bytes), owner);
  }

  // Old nodes that went and new ones that came, as changes to the level above; a node that stayed the same is none.
  static void report(const std::vector<std::string>& removed, std::vector<ChildRef>& made,
                     std::vector<ItemChange<ChildRef>>& above) {
    for (const auto& name : removed) {
      const bool replaced = std::any_of(made.begin(), made.end(), [&](const ChildRef& ref) { return ref.last_name == name; });
      if (!replaced) above.push_back({name, std::nullopt});
    }
    for (auto& ref : made) {
      std::string name = ref.last_name;
      above.push_back({std::move(name), std::move(ref)});
    }
  }

  const TreeStore& trees_;
  ObjectWriter& writer_;
  const Digest root_;
  const Owner directory_;
  // inner nodes made here, for collapse(): they cannot be read before the writer is flushed
  std::unordered_map<Digest, InnerNode> made_inner_;
};

}  // namespace

Result<Subtree> edit_tree(const TreeStore& trees, ObjectWriter& writer, const Digest& root,
                          const std::vector<EntryChange>& changes, Owner directory) {
  return edit_tree(trees, writer, root, [at = changes.begin(), end = changes.end()]() mutable -> Result<std::optional<EntryChange>> {
    return at == end ? std::nullopt : std::optional(*at++);
  }, directory);
}

Result<Subtree> edit_tree(const TreeStore& trees, ObjectWriter& writer, const Digest& root, const NextChange& next, Owner directory) {
  return Editor(trees, writer, root, directory).run(next);
}

}  // namespace pfs::store
