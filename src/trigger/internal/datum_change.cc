#include "trigger/internal/datum_change.h"

#include <algorithm>
#include <set>

#include "store/glob.h"

namespace pfs::trigger {

namespace {

using Files = DatumMaker::Files;
using Tuples = std::vector<Files>;

const std::optional<store::Subtree>& root_of(const InputRoots& roots, const PfsInput& input) {
  static const std::optional<store::Subtree> none;
  const auto found = roots.find(input.ref());
  return found == roots.end() ? none : found->second;
}

bool same_content(const std::optional<store::Subtree>& a, const std::optional<store::Subtree>& b) {
  if (!a || !b) return !a && !b;
  return a->data_digest == b->data_digest;
}

bool is_unchanged(const Input& input, const InputRoots& before, const InputRoots& after) {
  for (const PfsInput* leaf : leaves(input)) {
    if (!same_content(root_of(before, *leaf), root_of(after, *leaf))) return false;
  }
  return true;
}

/// The entry at a path, as a glob's match has it.
Result<std::optional<store::Entry>> entry_at(const store::TreeReader& reader, const store::Subtree& root, const RepoPath& path) {
  if (!path.is_root()) return reader.find_path(root.root, path);
  store::Entry whole;
  whole.attributes.kind = store::Kind::kDirectory;
  whole.attributes.mode = 0755;
  whole.subtree = root;
  return std::optional(whole);
}

/// Every path that the glob matches in one of the trees and that is, is above or is below something that differs. nullopt where
/// that lies deeper than a path of ours reaches: a tree may, as a directory that is moved takes along what is below it.
Result<std::optional<std::set<RepoPath>>> candidates(const store::TreeReader& reader, const store::Glob& glob, const store::Subtree& before,
                                      const store::Subtree& after) {
  std::set<RepoPath> found;
  if (glob.matches(RepoPath())) {
    found.insert(RepoPath());
    return std::optional(std::move(found));
  }
  Result<void> visited;
  bool too_deep = false;
  PFS_TRY(reader.diff(before.root, after.root, store::DiffOptions{}, [&](const store::Difference& difference) {
    auto path = RepoPath::parse(difference.path);
    if (!path) {
      too_deep = path.error().code == Code::kNameTooLong;
      if (!too_deep) visited = std::move(path).error();
      return false;
    }
    for (RepoPath at = std::move(*path); !at.is_root(); at = at.parent()) {
      if (found.contains(at)) break;  // and what is above it has been looked at
      if (glob.matches(at)) found.insert(at);
    }
    return true;
  }));
  PFS_TRY(visited);
  return too_deep ? std::nullopt : std::optional(std::move(found));
}

Result<std::optional<DatumChange>> change_of_branch(const store::TreeReader& reader, const PfsInput& input, const InputRoots& before,
                                     const InputRoots& after) {
  DatumChange change;
  const auto tuple = [&](const RepoPath& path, const store::Entry& entry) {
    return Files{std::make_shared<const DatumFile>(DatumFile{&input, path, entry, {}, {}})};
  };
  const auto& old_root = root_of(before, input);
  const auto& new_root = root_of(after, input);
  if (same_content(old_root, new_root)) return std::optional(std::move(change));
  if (!old_root || !new_root) {
    PFS_TRY_ASSIGN(const Files files, list_files(reader, input, old_root ? before : after));
    for (const auto& file : files) (old_root ? change.removed : change.added).push_back({file});
    return std::optional(std::move(change));
  }
  PFS_TRY_ASSIGN(const store::Glob glob, store::Glob::parse(input.glob));
  PFS_TRY_ASSIGN(const auto paths, candidates(reader, glob, *old_root, *new_root));
  if (!paths) return std::optional<DatumChange>();
  for (const RepoPath& path : *paths) {
    PFS_TRY_ASSIGN(const auto old_entry, entry_at(reader, *old_root, path));
    PFS_TRY_ASSIGN(const auto new_entry, entry_at(reader, *new_root, path));
    if (old_entry && new_entry && old_entry->data_digest() == new_entry->data_digest()) continue;  // times, owners
    if (old_entry) change.removed.push_back(tuple(path, *old_entry));
    if (new_entry) change.added.push_back(tuple(path, *new_entry));
  }
  return std::optional(std::move(change));
}

/// Parts that have a name in common may have the same datum, which stays when one of them loses it.
bool may_share_datums(const Input& input) {
  std::set<RepoName> names;
  for (const PfsInput* leaf : leaves(input)) {
    if (!names.insert(leaf->name).second) return true;
  }
  return false;
}

Result<std::optional<DatumChange>> change_of_union(const store::TreeReader& reader, const Input& input, const InputRoots& before,
                                                   const InputRoots& after) {
  if (may_share_datums(input)) return std::optional<DatumChange>();
  DatumChange all;
  for (const Input& part : input.parts) {
    PFS_TRY_ASSIGN(auto change, find_change(reader, part, before, after));
    if (!change) return change;
    all.removed.insert(all.removed.end(), change->removed.begin(), change->removed.end());
    all.added.insert(all.added.end(), change->added.begin(), change->added.end());
  }
  return std::optional(std::move(all));
}

/// What one part has lost or won, with everything of the others.
Result<std::optional<DatumChange>> change_of_cross(const store::TreeReader& reader, const Input& input, const InputRoots& before,
                                                   const InputRoots& after) {
  std::optional<std::size_t> changed;
  for (std::size_t i = 0; i < input.parts.size(); ++i) {
    if (is_unchanged(input.parts[i], before, after)) continue;
    if (changed) return std::optional<DatumChange>();
    changed = i;
  }
  if (!changed) return std::optional(DatumChange());
  // the parts that have not changed would be listed with what they have twice
  if (std::any_of(input.parts.begin(), input.parts.end(), may_share_datums)) return std::optional<DatumChange>();
  PFS_TRY_ASSIGN(auto part, find_change(reader, input.parts[*changed], before, after));
  if (!part) return part;
  std::vector<Tuples> factors;
  for (std::size_t i = 0; i < input.parts.size(); ++i) {
    factors.emplace_back();
    if (i == *changed) continue;
    PFS_TRY_ASSIGN(factors.back(), list_tuples(reader, input.parts[i], after));
  }
  DatumChange change;
  factors[*changed] = std::move(part->removed);
  PFS_TRY_ASSIGN(change.removed, cross_product(input, factors));
  factors[*changed] = std::move(part->added);
  PFS_TRY_ASSIGN(change.added, cross_product(input, factors));
  return std::optional(std::move(change));
}

}  // namespace

Result<std::optional<DatumChange>> find_change(const store::TreeReader& reader, const Input& input, const InputRoots& before,
                                               const InputRoots& after) {
  switch (input.kind) {
    case Input::Kind::kPfs: return change_of_branch(reader, input.pfs, before, after);
    case Input::Kind::kUnion: return change_of_union(reader, input, before, after);
    case Input::Kind::kCross: return change_of_cross(reader, input, before, after);
    case Input::Kind::kJoin:
    case Input::Kind::kGroup: break;
  }
  return is_unchanged(input, before, after) ? std::optional(DatumChange()) : std::optional<DatumChange>();
}

}  // namespace pfs::trigger
