#include "trigger/internal/datum_tree.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <vector>

#include <fmt/format.h>

namespace pfs::trigger {

namespace {

using store::Kind;
using store::LiveTrees;
using store::NodePtr;

constexpr int kMaxHops = 40;  // as the kernel's own limit, path_resolution(7)

Result<NodePtr> make_directory(LiveTrees& trees, const NodePtr& parent, const std::string& name) {
  store::MakeRequest request;
  request.kind = Kind::kDirectory;
  request.mode = 0755;
  return trees.make(parent, name, request);
}

using Parts = std::vector<std::string>;

/// Puts the components of `path` in front of what is still to be walked.
void push_front(std::deque<std::string>& to, std::string_view path) {
  Parts parts;
  while (!path.empty()) {
    const auto end = std::min(path.find('/'), path.size());
    if (end > 0) parts.emplace_back(path.substr(0, end));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  to.insert(to.begin(), parts.begin(), parts.end());
}

/// Follows links as a process in the container would, but never out of the view.
class Resolver {
 public:
  Resolver(LiveTrees& trees, const NodePtr& root) : trees_(trees), root_(root) {}

  /// What a link in the directory `at` (components from the view's root) leads to, when that is within an input.
  Result<std::optional<NodePtr>> input_node(const Parts& at, const std::string& target) {
    if (!start(at, target)) return nothing();
    PFS_TRY_ASSIGN(bool found, walk_to_start());
    while (found && !rest_.empty()) {
      PFS_TRY_ASSIGN(found, step());
    }
    if (!found || walked_.empty() || walked_.front() == "out") return nothing();
    return std::optional(nodes_.back());
  }

 private:
  static std::optional<NodePtr> nothing() { return std::nullopt; }

  /// Sets out from `at` or, for an absolute target, from the view's root. False when it leads elsewhere.
  bool start(const Parts& at, std::string_view target) {
    hops_ = 0;
    rest_.clear();
    walked_ = at;
    return follow(target);
  }

  bool follow(std::string_view target) {
    if (target.starts_with('/')) {
      if (!target.starts_with("/pfs/")) return false;
      target.remove_prefix(4);
      walked_.clear();
      nodes_.clear();
    }
    push_front(rest_, target);
    return true;
  }

  /// Nodes for the directories that the walk starts below.
  Result<bool> walk_to_start() {
    nodes_.clear();
    NodePtr node = root_;
    for (const std::string& name : walked_) {
      PFS_TRY_ASSIGN(node, trees_.lookup(node, name));
      nodes_.push_back(node);
    }
    return true;
  }

  /// One component. False when it leads out of the view or nowhere.
  Result<bool> step() {
    const std::string name = std::move(rest_.front());
    rest_.pop_front();
    if (name == ".") return true;
    if (name == "..") {
      if (walked_.empty()) return false;
      walked_.pop_back();
      nodes_.pop_back();
      return true;
    }
    auto found = trees_.lookup(nodes_.empty() ? root_ : nodes_.back(), name);
    if (!found) {
      if (found.error().code == Code::kNotFound || found.error().code == Code::kNotDirectory) return false;
      return std::move(found).error();
    }
    if (trees_.kind(*found) != Kind::kSymlink) {
      walked_.push_back(name);
      nodes_.push_back(*std::move(found));
      return true;
    }
    if (++hops_ > kMaxHops) return false;
    PFS_TRY_ASSIGN(const std::string target, trees_.read_link(*found));
    return follow(target);
  }

  LiveTrees& trees_;
  const NodePtr root_;
  Parts walked_;                   ///< where we are, from the view's root
  std::vector<NodePtr> nodes_;     ///< the same as nodes
  std::deque<std::string> rest_;   ///< still to be walked
  int hops_ = 0;
};

/// Walks `out`, turning links into what they name.
class OutputWalk {
 public:
  OutputWalk(LiveTrees& trees, const NodePtr& root) : trees_(trees), resolver_(trees, root) {}

  Result<void> directory(const NodePtr& node, Parts& path) {
    // what is listed is changed below: take the names first
    std::vector<std::pair<std::string, Kind>> entries;
    PFS_TRY(trees_.list(node, {}, [&](const store::ListedEntry& entry) {
      const Kind kind = entry.stat.attributes.kind;
      if (kind != Kind::kFile) entries.emplace_back(entry.name, kind);
      return true;
    }));
    for (const auto& [name, kind] : entries) PFS_TRY(entry(node, path, name, kind));
    return {};
  }

 private:
  Result<void> entry(const NodePtr& parent, Parts& path, const std::string& name, Kind kind) {
    switch (kind) {
      case Kind::kFile:
        return {};
      case Kind::kDirectory: {
        PFS_TRY_ASSIGN(const NodePtr node, trees_.lookup(parent, name));
        path.push_back(name);
        PFS_TRY(directory(node, path));
        path.pop_back();
        return {};
      }
      case Kind::kSymlink:
        return link(parent, path, name);
      case Kind::kFifo:
      case Kind::kSocket:
      case Kind::kBlockDevice:
      case Kind::kCharacterDevice:
        break;
    }
    std::string where;
    for (const std::string& part : path) where += "/" + part;
    return Error{Code::kInvalid, fmt::format("/pfs{}/{}: a named pipe, socket or device cannot be an output",
                                             printable(where), printable(name))};
  }

  Result<void> link(const NodePtr& parent, const Parts& path, const std::string& name) {
    PFS_TRY_ASSIGN(const NodePtr node, trees_.lookup(parent, name));
    PFS_TRY_ASSIGN(const std::string target, trees_.read_link(node));
    PFS_TRY_ASSIGN(const auto source, resolver_.input_node(path, target));
    if (!source) return {};
    PFS_TRY(trees_.remove(parent, name, /*is_directory=*/false));
    PFS_TRY(trees_.copy_entry(*source, parent, name));
    return {};
  }

  LiveTrees& trees_;
  Resolver resolver_;
};

}  // namespace

Result<DatumTree> make_datum_tree(LiveTrees& trees, const RepoName& input_name, const Datum& datum) {
  DatumTree view;
  PFS_TRY_ASSIGN(view.tree, trees.scratch());
  const NodePtr root = trees.root(view.tree);
  if (datum.path.is_root()) {
    store::Entry whole = datum.entry;
    whole.name = input_name.str();
    PFS_TRY(trees.put_entry(root, input_name.str(), whole));
  } else {
    PFS_TRY_ASSIGN(NodePtr parent, make_directory(trees, root, input_name.str()));
    const RepoPath above = datum.path.parent();
    for (const std::string& name : above.parts()) {
      PFS_TRY_ASSIGN(parent, make_directory(trees, parent, name));
    }
    PFS_TRY(trees.put_entry(parent, datum.path.name(), datum.entry));
  }
  PFS_TRY_ASSIGN(view.out, make_directory(trees, root, "out"));
  return view;
}

Result<store::Subtree> collect_output(LiveTrees& trees, const DatumTree& view) {
  OutputWalk walk(trees, trees.root(view.tree));
  Parts path{"out"};
  PFS_TRY(walk.directory(view.out, path));
  return trees.snapshot(view.out);
}

}  // namespace pfs::trigger
