#include "store/tree/tree_merge.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "base/codec.h"
#include "store/tree/link_index.h"
#include "store/tree/tree_editor.h"

namespace pfs::store {

namespace {

// The edits of one directory: names that are put or removed, and directories that are edited themselves.
struct Plan {
  struct Below {
    Entry entry;  // with its new attributes, and the subtree that is edited
    std::unique_ptr<Plan> plan;
  };
  std::map<std::string, std::optional<Entry>> names;
  std::map<std::string, Below> directories;
};

using MaybeEntry = std::optional<Entry>;

// Whether nobody could see a difference but by ctime; of directories not by mtime either, which follows what is in them.
bool same(const MaybeEntry& a, const MaybeEntry& b) {
  if (!a || !b) return a.has_value() == b.has_value();
  Entry other = *b;
  other.attributes.ctime = a->attributes.ctime;
  if (a->is_directory() && b->is_directory()) other.attributes.mtime = a->attributes.mtime;
  return *a == other;
}

// The three-way rule for one value: whoever changed it wins; nullopt when both did, and differently.
template <class Value>
std::optional<Value> settle(const Value& base, const Value& ours, const Value& theirs) {
  if (ours == theirs || theirs == base) return ours;
  if (ours == base) return theirs;
  return std::nullopt;
}

class Merge {
 public:
  Merge(const TreeStore& trees, ObjectWriter& writer) : trees_(trees), writer_(writer) {}

  // `at` ends in a slash, or is empty.
  Result<void> plan(const Digest& base, const Digest& ours, const Digest& theirs, const std::string& at, Plan& plan) {
    Result<void> outcome;
    PFS_TRY(trees_.diff(base, theirs, [&](const MaybeEntry& before, const MaybeEntry& after) {
      outcome = plan_name(before, after, ours, at, plan);
      return outcome.has_value();
    }));
    return outcome;
  }

  Result<Subtree> apply(const Digest& root, Plan& plan) {
    for (auto& [name, below] : plan.directories) {
      PFS_TRY_ASSIGN(below.entry.subtree, apply(below.entry.subtree.root, *below.plan));
      plan.names[name] = std::move(below.entry);
    }
    std::vector<EntryChange> changes;
    changes.reserve(plan.names.size());
    for (auto& [name, entry] : plan.names) changes.push_back({name, std::move(entry)});
    return edit_tree(trees_, writer_, root, changes);
  }

  std::vector<std::string> conflicts;

 private:
  Result<void> plan_name(const MaybeEntry& before, const MaybeEntry& after, const Digest& ours, const std::string& at, Plan& plan) {
    const std::string& name = before ? before->name : after->name;
    PFS_TRY_ASSIGN(const auto mine, trees_.find(ours, name));
    if (same(before, mine)) {
      plan.names[name] = after;
    } else if (same(after, mine)) {
      return {};
    } else if (mine && after && mine->is_directory() && after->is_directory() && (!before || before->is_directory())) {
      return plan_directory(before, *mine, *after, at + name, plan);
    } else {
      conflicts.push_back(at + name);
    }
    return {};
  }

  Result<void> plan_directory(const MaybeEntry& before, const Entry& mine, const Entry& after, const std::string& path, Plan& plan) {
    Plan::Below below{mine, std::make_unique<Plan>()};
    // made by both sides: as if both had changed an empty directory with our attributes
    Entry base = before.value_or(mine);
    if (!before) base.subtree = empty_subtree();
    const auto mode = settle(base.attributes.mode, mine.attributes.mode, after.attributes.mode);
    const auto uid = settle(base.attributes.uid, mine.attributes.uid, after.attributes.uid);
    const auto gid = settle(base.attributes.gid, mine.attributes.gid, after.attributes.gid);
    const auto xattrs = settle(base.xattrs, mine.xattrs, after.xattrs);
    const bool differs_at_birth = !before && (mine.attributes.mode != after.attributes.mode || mine.attributes.uid != after.attributes.uid ||
                                              mine.attributes.gid != after.attributes.gid || mine.xattrs != after.xattrs);
    if (!mode || !uid || !gid || !xattrs || differs_at_birth) {
      conflicts.push_back(path);
      return {};
    }
    auto& attributes = below.entry.attributes;
    attributes.mode = *mode;
    attributes.uid = *uid;
    attributes.gid = *gid;
    attributes.mtime = std::max(mine.attributes.mtime, after.attributes.mtime);
    attributes.ctime = std::max(mine.attributes.ctime, after.attributes.ctime);
    below.entry.xattrs = *xattrs;
    PFS_TRY(this->plan(base.subtree.root, mine.subtree.root, after.subtree.root, path + "/", *below.plan));
    plan.directories.emplace(mine.name, std::move(below));
    return {};
  }

  const TreeStore& trees_;
  ObjectWriter& writer_;
};

// The links that have names in what differs between two trees.
Result<void> touched_links(const TreeStore& trees, const Digest& before, const Digest& after, std::set<std::uint64_t>& ids) {
  Result<void> outcome;
  PFS_TRY(trees.diff_links(before, after, [&](const MaybeEntry& old_entry, const MaybeEntry& new_entry) {
    for (const auto* entry : {&old_entry, &new_entry}) {
      if (*entry && (*entry)->link_id != 0) ids.insert((*entry)->link_id);
    }
    const auto& old_below = old_entry && old_entry->is_directory() ? old_entry->subtree : empty_subtree();
    const auto& new_below = new_entry && new_entry->is_directory() ? new_entry->subtree : empty_subtree();
    if (old_below.root != new_below.root) outcome = touched_links(trees, old_below.root, new_below.root, ids);
    return outcome.has_value();
  }));
  return outcome;
}

// All names of a link are one file: where one side gave it a name that the other side's change does not know, they are not.
Result<void> check_links(const TreeStore& trees, const LinkedTree& before, const LinkedTree& after, std::vector<std::string>& conflicts) {
  std::set<std::uint64_t> ids;
  PFS_TRY(touched_links(trees, before.root.root, after.root.root, ids));
  for (const auto id : ids) {
    PFS_TRY_ASSIGN(const auto paths, link_paths(trees, after.links, id));
    std::optional<Entry> first;
    bool agree = true;
    for (const auto& path : paths) {
      PFS_TRY_ASSIGN(const auto parsed, RepoPath::parse(path));
      PFS_TRY_ASSIGN(auto entry, trees.find_path(after.root.root, parsed));
      if (!entry) return Error{Code::kCorrupt, printable(path) + ": a name of a hard link is missing"};
      entry->name.clear();
      if (!first) first = entry;
      agree = agree && *first == *entry;
    }
    if (paths.size() == 1) {  // the others became one ordinary file on the other side
      PFS_TRY_ASSIGN(const auto names_before, link_count(trees, before.links, id));
      agree = names_before <= 1;
    }
    if (!agree) conflicts.insert(conflicts.end(), paths.begin(), paths.end());
  }
  std::sort(conflicts.begin(), conflicts.end());
  return {};
}

}  // namespace

Result<Merged> merge_trees(const TreeStore& trees, ObjectWriter& writer, const Subtree& base, const LinkedTree& ours,
                           const Subtree& theirs) {
  Merge merge(trees, writer);
  Plan plan;
  PFS_TRY(merge.plan(base.root, ours.root.root, theirs.root, "", plan));
  Merged merged{ours, std::move(merge.conflicts)};
  if (!merged.conflicts.empty()) return merged;
  LinkedTree result;
  PFS_TRY_ASSIGN(result.root, merge.apply(ours.root.root, plan));
  if (ours.root.totals.links > 0 || result.root.totals.links > 0) {
    // the side tree and the check read what was made
    PFS_TRY(writer.flush());
    PFS_TRY_ASSIGN(result.links, update_links(trees, writer, ours.links, ours.root, result.root));
    PFS_TRY(writer.flush());
    PFS_TRY(check_links(trees, ours, result, merged.conflicts));
  }
  if (merged.conflicts.empty()) merged.tree = result;
  return merged;
}

}  // namespace pfs::store
