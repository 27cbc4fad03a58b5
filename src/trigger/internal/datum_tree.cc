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
/// Entries of committed directories that are looked at for empty ones, in all that the links of a datum bring.
constexpr std::size_t kMostLookedAt = 1 << 16;

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
  struct Found {
    NodePtr node;
    Parts path;  ///< from the view's root
  };

  Resolver(LiveTrees& trees, const NodePtr& root) : trees_(trees), root_(root) {}

  /// What a link in the directory `at` (components from the view's root) leads to, when that is within an input.
  Result<std::optional<Found>> input_node(const Parts& at, const std::string& target) {
    if (!start(at, target)) return nothing();
    PFS_TRY_ASSIGN(bool found, walk_to_start());
    while (found && !rest_.empty()) {
      PFS_TRY_ASSIGN(found, step());
    }
    if (!found || walked_.empty() || walked_.front() == "out") return nothing();
    return std::optional(Found{nodes_.back(), walked_});
  }

 private:
  static std::optional<Found> nothing() { return std::nullopt; }

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

/// The entry of an input with `empty_files` that a stand-in at `path` (of the view) stands for; nullopt for another input's.
Result<std::optional<store::Entry>> stood_for(const store::TreeReader& reader, const Datum& datum, const Parts& path) {
  for (const auto& file : datum.files) {
    if (!file->input->empty_files || path.front() != file->input->name.str()) continue;
    const Parts& above = file->path.parts();
    if (path.size() < above.size() + 1 || !std::equal(above.begin(), above.end(), path.begin() + 1)) continue;
    RepoPath below;
    for (std::size_t i = above.size() + 1; i < path.size(); ++i) below = below.joined(path[i]);
    if (below.is_root()) return std::optional(file->entry);
    return reader.find_path(file->entry.subtree.root, below);
  }
  return std::optional<store::Entry>();
}

bool can_be_output(Kind kind) {
  switch (kind) {
    case Kind::kFile:
    case Kind::kDirectory:
    case Kind::kSymlink:
      return true;
    case Kind::kFifo:
    case Kind::kSocket:
    case Kind::kBlockDevice:
    case Kind::kCharacterDevice:
      break;
  }
  return false;
}

/// A path of the view as the program knows it.
std::string shown(const Parts& path) {
  std::string text = "/pfs";
  for (const std::string& part : path) text += "/" + part;
  return printable(text);
}

Error no_output(const std::string& what) {
  return Error{Code::kInvalid, what + ": a named pipe, socket or device cannot be an output"};
}

/// Looks for empty directories in what was committed, which has no end that anybody knows: as far as a budget goes.
class EmptyDirectories {
 public:
  explicit EmptyDirectories(const store::TreeReader& reader) : reader_(reader) {}

  /// Whether the directory is empty, or one below it, or it cannot be told.
  Result<bool> may_have(const store::Subtree& directory) {
    // its own total has those below it, so that a directory without files is or has an empty one
    if (directory.totals.files == 0) return true;
    std::vector<store::Subtree> below;
    PFS_TRY(reader_.scan(directory.root, {}, [&](const store::Entry& entry) {
      if (entry.is_directory()) below.push_back(entry.subtree);
      return left_ > 0 && --left_ > 0;
    }));
    if (left_ == 0) return true;
    for (const store::Subtree& one : below) {
      PFS_TRY_ASSIGN(const bool found, may_have(one));
      if (found) return true;
    }
    return false;
  }

 private:
  const store::TreeReader& reader_;
  std::size_t left_ = kMostLookedAt;
};

/// Walks `out`, turning links into what they name.
class OutputWalk {
 public:
  OutputWalk(LiveTrees& trees, const store::TreeReader& reader, const Datum& datum, const NodePtr& root)
      : trees_(trees), reader_(reader), datum_(datum), resolver_(trees, root), empty_directories_(reader) {}

  Result<void> directory(const NodePtr& node, Parts& path) {
    // what is listed is changed below: take the names first
    std::vector<std::pair<std::string, Kind>> entries;
    bool empty = true;
    PFS_TRY(trees_.list(node, {}, [&](const store::ListedEntry& entry) {
      const Kind kind = entry.stat.attributes.kind;
      empty = false;
      if (kind != Kind::kFile) entries.emplace_back(entry.name, kind);
      return true;
    }));
    has_empty_directories_ = has_empty_directories_ || (empty && path.size() > 1);
    for (const auto& [name, kind] : entries) PFS_TRY(entry(node, path, name, kind));
    return {};
  }

  bool has_empty_directories() const { return has_empty_directories_; }

 private:
  Result<void> entry(const NodePtr& parent, Parts& path, const std::string& name, Kind kind) {
    if (kind == Kind::kFile) return {};
    if (kind == Kind::kSymlink) return link(parent, path, name);
    path.push_back(name);
    if (kind != Kind::kDirectory) return no_output(shown(path));
    PFS_TRY_ASSIGN(const NodePtr node, trees_.lookup(parent, name));
    PFS_TRY(directory(node, path));
    path.pop_back();
    return {};
  }

  /// Looks for what cannot be an output in what a link brings, where that is not as it was committed, and for empty directories.
  Result<void> check_source(const NodePtr& node, Parts& path, const std::string& from) {
    if (!can_be_output(trees_.kind(node))) return no_output(fmt::format("{} leads to {}", from, shown(path)));
    if (trees_.kind(node) != Kind::kDirectory) return {};
    PFS_TRY_ASSIGN(const auto unchanged, trees_.finished_entry(node));
    if (unchanged) return look_into(*unchanged);
    std::vector<std::string> others;
    bool empty = true;
    PFS_TRY(trees_.list(node, {}, [&](const store::ListedEntry& entry) {
      const Kind kind = entry.stat.attributes.kind;
      empty = false;
      if (kind != Kind::kFile && kind != Kind::kSymlink) others.push_back(entry.name);
      return true;
    }));
    has_empty_directories_ = has_empty_directories_ || empty;
    for (const std::string& name : others) {
      PFS_TRY_ASSIGN(const NodePtr below, trees_.lookup(node, name));
      path.push_back(name);
      PFS_TRY(check_source(below, path, from));
      path.pop_back();
    }
    return {};
  }

  Result<void> look_into(const store::Entry& entry) {
    if (has_empty_directories_ || !entry.is_directory()) return {};
    PFS_TRY_ASSIGN(has_empty_directories_, empty_directories_.may_have(entry.subtree));
    return {};
  }

  Result<void> link(const NodePtr& parent, const Parts& path, const std::string& name) {
    PFS_TRY_ASSIGN(const NodePtr node, trees_.lookup(parent, name));
    PFS_TRY_ASSIGN(const std::string target, trees_.read_link(node));
    PFS_TRY_ASSIGN(auto source, resolver_.input_node(path, target));
    if (!source) return {};
    PFS_TRY_ASSIGN(auto whole, stood_for(reader_, datum_, source->path));
    if (whole && !can_be_output(whole->attributes.kind)) {
      return no_output(fmt::format("{}/{} leads to {}", shown(path), printable(name), shown(source->path)));
    }
    if (whole) {
      PFS_TRY(look_into(*whole));
    } else {
      PFS_TRY(check_source(source->node, source->path, shown(path) + "/" + printable(name)));
    }
    PFS_TRY(trees_.remove(parent, name, /*is_directory=*/false));
    if (whole) {
      whole->name = name;
      PFS_TRY(trees_.put_entry(parent, name, *whole));
    } else {
      PFS_TRY(trees_.copy_entry(source->node, parent, name));
    }
    return {};
  }

  LiveTrees& trees_;
  const store::TreeReader& reader_;
  const Datum& datum_;
  Resolver resolver_;
  EmptyDirectories empty_directories_;
  bool has_empty_directories_ = false;
};

/// Puts the files of a datum where its program looks for them.
class ViewBuilder {
 public:
  ViewBuilder(LiveTrees& trees, const store::TreeReader& reader) : trees_(trees), reader_(reader) {}

  Result<void> add(const NodePtr& root, const DatumFile& file) {
    std::vector<std::string> names{file.input->name.str()};
    const auto& parts = file.path.parts();
    names.insert(names.end(), parts.begin(), parts.end());
    NodePtr parent = root;
    for (std::size_t i = 0; i + 1 < names.size(); ++i) {
      PFS_TRY_ASSIGN(parent, directory(parent, names[i]));
    }
    store::Entry entry = file.entry;
    entry.name = names.back();
    if (file.input->empty_files) return put_empty(parent, entry);
    PFS_TRY(trees_.put_entry(parent, entry.name, entry));
    return {};
  }

 private:
  Result<NodePtr> directory(const NodePtr& parent, const std::string& name) {
    auto there = trees_.lookup(parent, name);
    if (there || there.error().code != Code::kNotFound) return there;
    return make_directory(trees_, parent, name);
  }

  Result<void> put_empty(const NodePtr& parent, const store::Entry& entry) {
    if (!entry.is_directory()) {
      PFS_TRY(trees_.put_entry(parent, entry.name, without_content(entry)));
      return {};
    }
    PFS_TRY_ASSIGN(const NodePtr node, directory(parent, entry.name));
    return put_empties(node, entry.subtree);
  }

  /// A directory at a time, so that a big one costs a few batches.
  Result<void> put_empties(const NodePtr& node, const store::Subtree& source) {
    std::vector<store::EntryPut> puts;
    std::vector<store::Entry> directories;
    PFS_TRY(reader_.scan(source.root, {}, [&](const store::Entry& entry) {
      if (entry.is_directory()) {
        directories.push_back(entry);
      } else {
        puts.push_back({node, entry.name, without_content(entry)});
      }
      return true;
    }));
    PFS_TRY(trees_.put_entries(puts, {}));
    for (const store::Entry& entry : directories) PFS_TRY(put_empty(node, entry));
    return {};
  }

  static store::Entry without_content(store::Entry entry) {
    if (entry.attributes.kind == Kind::kFile) entry.content = {};
    entry.link_id = 0;
    return entry;
  }

  LiveTrees& trees_;
  const store::TreeReader& reader_;
};

}  // namespace

Result<DatumTree> make_datum_tree(LiveTrees& trees, const store::TreeReader& reader, const Datum& datum) {
  DatumTree view;
  PFS_TRY_ASSIGN(view.tree, trees.scratch_view("out"));
  const NodePtr root = trees.root(view.tree);
  ViewBuilder builder(trees, reader);
  for (const auto& file : datum.files) PFS_TRY(builder.add(root, *file));
  PFS_TRY_ASSIGN(view.out, make_directory(trees, root, "out"));
  return view;
}

namespace {

/// What the program has left at /pfs/out: perhaps not the directory that it found there.
Result<NodePtr> output_directory(LiveTrees& trees, const DatumTree& view) {
  auto found = trees.lookup(trees.root(view.tree), "out");
  if (!found && found.error().code != Code::kNotFound) return std::move(found).error();
  if (!found) return Error{Code::kInvalid, "/pfs/out: removed by the command; what is there when it ends is the output"};
  if (trees.kind(*found) == Kind::kDirectory) return found;
  return Error{Code::kInvalid, "/pfs/out: no directory any more when the command ended; what is in that is the output"};
}

}  // namespace

Result<DatumOutput> collect_output(LiveTrees& trees, const store::TreeReader& reader, const Datum& datum,
                                   const DatumTree& view) {
  OutputWalk walk(trees, reader, datum, trees.root(view.tree));
  PFS_TRY_ASSIGN(const NodePtr out, output_directory(trees, view));
  Parts path{"out"};
  PFS_TRY(walk.directory(out, path));
  DatumOutput output;
  PFS_TRY_ASSIGN(output.tree, trees.snapshot(out));
  output.has_empty_directories = walk.has_empty_directories();
  return output;
}

}  // namespace pfs::trigger
