#include "store/tree/link_index.h"

#include <map>

#include "base/codec.h"
#include "store/tree/tree_editor.h"

namespace pfs::store {

namespace {

std::string key_prefix(std::uint64_t link_id) { return Encoder().u64(link_id).str(); }

using Names = std::map<std::string, bool>;  // key -> whether it is there afterwards

// Every linked name that one of the directories has and the other has not, or not of the same link.
Result<void> collect(const TreeStore& trees, const Digest& before, const Digest& after, const std::string& prefix, Names& names) {
  Result<void> outcome;
  PFS_TRY(trees.diff_links(before, after, [&](const std::optional<Entry>& old_entry, const std::optional<Entry>& new_entry) {
    const std::string path = prefix + (old_entry ? old_entry->name : new_entry->name);
    if (old_entry && old_entry->link_id != 0) names.try_emplace(key_prefix(old_entry->link_id) + path, false);
    if (new_entry && new_entry->link_id != 0) names[key_prefix(new_entry->link_id) + path] = true;
    const auto& old_below = old_entry && old_entry->is_directory() ? old_entry->subtree : empty_subtree();
    const auto& new_below = new_entry && new_entry->is_directory() ? new_entry->subtree : empty_subtree();
    if (old_below.root != new_below.root) outcome = collect(trees, old_below.root, new_below.root, path + "/", names);
    return outcome.has_value();
  }));
  return outcome;
}

// Calls `visit` with each path of the link, in order.
Result<void> scan_paths(const TreeStore& trees, const Digest& links, std::uint64_t link_id,
                        const std::function<void(std::string_view)>& visit) {
  const std::string prefix = key_prefix(link_id);
  return trees.scan(links, prefix, [&](const Entry& entry) {
    const std::string_view key = entry.name;
    if (!key.starts_with(prefix)) return false;
    visit(key.substr(prefix.size()));
    return true;
  });
}

}  // namespace

Result<std::vector<std::string>> link_paths(const TreeStore& trees, const Digest& links, std::uint64_t link_id) {
  std::vector<std::string> paths;
  PFS_TRY(scan_paths(trees, links, link_id, [&](std::string_view path) { paths.emplace_back(path); }));
  return paths;
}

Result<std::uint32_t> link_count(const TreeStore& trees, const Digest& links, std::uint64_t link_id) {
  std::uint32_t count = 0;
  PFS_TRY(scan_paths(trees, links, link_id, [&](std::string_view) { ++count; }));
  return count;
}

Result<Digest> update_links(const TreeStore& trees, ObjectWriter& writer, const Digest& links, const Subtree& before,
                            const Subtree& after) {
  if (after.totals.links == 0) return empty_subtree().root;
  Names names;
  PFS_TRY(collect(trees, before.root, after.root, "", names));
  if (names.empty()) return links;
  std::vector<EntryChange> changes;
  changes.reserve(names.size());
  for (auto& [key, present] : names) {
    Entry entry;
    entry.name = key;
    changes.push_back({key, present ? std::optional(std::move(entry)) : std::nullopt});
  }
  PFS_TRY_ASSIGN(const auto edited, edit_tree(trees, writer, links, changes));
  return edited.root;
}

}  // namespace pfs::store
