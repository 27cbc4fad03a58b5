#include <catch2/catch.hpp>

#include <cstdlib>
#include <map>
#include <random>

#include <fmt/format.h>

#include "store/tree/tree_editor.h"
#include "support/object_store.h"
#include "support/rounds.h"

namespace pfs::test {
namespace {

using namespace pfs::store;

Entry file(const std::string& name, std::uint64_t number) {
  Entry entry;
  entry.name = name;
  entry.attributes.mode = 0644;
  entry.content.bytes = fmt::format("{}", number);
  entry.content.size = entry.content.bytes.size();
  return entry;
}

using Names = std::map<std::string, Entry>;

Subtree edit(ObjectStore& store, const Digest& root, const std::vector<EntryChange>& changes) {
  ObjectWriter writer(store.objects());
  auto edited = edit_tree(store.trees(), writer, root, changes);
  REQUIRE(edited);
  REQUIRE(writer.flush());
  return *edited;
}

Subtree afresh(ObjectStore& store, const Names& names) {
  std::vector<EntryChange> all;
  for (const auto& [name, entry] : names) all.push_back({name, entry});
  return edit(store, empty_subtree().root, all);
}

void check_equal(ObjectStore& store, const Subtree& tree, const Names& names) {
  std::vector<Entry> listed;
  REQUIRE(store.trees().scan(tree.root, "", [&](const Entry& entry) {
    listed.push_back(entry);
    return true;
  }));
  REQUIRE(listed.size() == names.size());
  auto expected = names.begin();
  bool equal = true;
  std::uint64_t bytes = 0;
  for (const auto& entry : listed) {
    equal = equal && entry == expected->second;
    bytes += entry.content.size;
    ++expected;
  }
  CHECK(equal);
  CHECK(tree.totals.files == names.size());
  CHECK(tree.totals.bytes == bytes);
}

TEST_CASE("a directory tree is a function of its entries, whatever the history", "[store][property]") {
  const std::uint64_t seed = seed_of_run();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int history = 0; history < rounds(12, 3000); ++history) {
    ObjectStore store;
    Names names;
    Subtree tree = empty_subtree();
    const std::uint64_t range = 1 + random() % 3000;
    for (int step = 0; step < 25; ++step) {
      std::map<std::string, EntryChange> changes;
      const std::uint64_t count = 1 + random() % (step == 0 ? range : 40);
      for (std::uint64_t i = 0; i < count; ++i) {
        const std::string name = fmt::format("name-{:05}", random() % range);
        const bool removes = random() % 3 == 0;
        changes[name] = {name, removes ? std::nullopt : std::optional(file(name, random() % 4))};
      }
      Names before = names;
      std::vector<EntryChange> sorted;
      for (auto& [name, change] : changes) {
        sorted.push_back(change);
        if (change.entry) names[name] = *change.entry;
        else names.erase(name);
      }
      const Subtree edited = edit(store, tree.root, sorted);
      check_equal(store, edited, names);
      CHECK(edited == afresh(store, names));

      // the difference of two versions is what was changed, no more and no less
      std::map<std::string, std::pair<std::optional<Entry>, std::optional<Entry>>> differs;
      REQUIRE(store.trees().diff(tree.root, edited.root, [&](const auto& old_entry, const auto& new_entry) {
        differs[old_entry ? old_entry->name : new_entry->name] = {old_entry, new_entry};
        return true;
      }));
      std::size_t expected = 0;
      for (const auto& [name, change] : changes) {
        const auto old_entry = before.find(name);
        const bool same = old_entry == before.end() ? !change.entry : change.entry && *change.entry == old_entry->second;
        if (same) continue;
        ++expected;
        CHECK(differs.contains(name));
      }
      CHECK(differs.size() == expected);
      tree = edited;
    }
  }
}

TEST_CASE("a chmod moves no boundary and changes no data digest", "[store][property]") {
  ObjectStore store;
  Names names;
  for (int i = 0; i < 2000; ++i) names[fmt::format("f{:04}", i)] = file(fmt::format("f{:04}", i), 1);
  const Subtree before = afresh(store, names);
  Entry changed = names["f1000"];
  changed.attributes.mode = 0600;
  changed.attributes.mtime = Timestamp{42};
  const Subtree after = edit(store, before.root, {{"f1000", changed}});
  CHECK(after.root != before.root);
  CHECK(after.data_digest == before.data_digest);
  changed.attributes.mode = 0755;  // the exec bit is data
  CHECK(edit(store, before.root, {{"f1000", changed}}).data_digest != before.data_digest);
}

TEST_CASE("a change behind a node that was cut for its size alone moves that cut where it must", "[store][property]") {
  const std::uint64_t seed = seed_of_run();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  // few of them are boundaries, so that most nodes end where the bound on their size says
  std::vector<std::string> pool;
  for (int i = 0; pool.size() < 1500; ++i) {
    const std::string name = fmt::format("m{:07}", i);
    if (random() % 40 == 0 || !NodeRule::ends(NodeRule::hash(name, 0), NodeRule::kMax)) pool.push_back(name);
  }
  for (int history = 0; history < rounds(4, 400); ++history) {
    ObjectStore store;
    Names names;
    for (const auto& name : pool) {
      if (random() % 4 != 0) names[name] = file(name, 1);
    }
    Subtree tree = afresh(store, names);
    for (int step = 0; step < 40; ++step) {
      std::map<std::string, EntryChange> changes;
      for (std::uint64_t count = 1 + random() % 3; count > 0; --count) {
        const auto& name = pool[random() % pool.size()];
        const bool removes = names.contains(name);
        changes[name] = {name, removes ? std::nullopt : std::optional(file(name, 2))};
        if (removes) names.erase(name);
        else names[name] = file(name, 2);
      }
      std::vector<EntryChange> sorted;
      for (const auto& [name, change] : changes) sorted.push_back(change);
      tree = edit(store, tree.root, sorted);
      REQUIRE(tree == afresh(store, names));
    }
  }
}

TEST_CASE("names ground so that none is a boundary cost no more than the bound on nodes", "[store][property]") {
  ObjectStore store;
  Names names;
  for (int i = 0; names.size() < 3000; ++i) {
    const std::string name = fmt::format("m{:07}", i);
    if (!NodeRule::ends(NodeRule::hash(name, 0), NodeRule::kMax)) names[name] = file(name, 1);
  }
  const Subtree tree = afresh(store, names);
  names["a"] = file("a", 2);
  ObjectWriter writer(store.objects());
  auto edited = edit_tree(store.trees(), writer, tree.root, {{"a", names["a"]}});
  REQUIRE(edited);
  REQUIRE(writer.flush());
  CHECK(*edited == afresh(store, names));
}

}  // namespace
}  // namespace pfs::test
