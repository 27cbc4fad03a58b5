#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <map>
#include <random>
#include <string_view>

#include <fmt/format.h>

#include "store/tree/tree_editor.h"
#include "support/must.h"
#include "support/object_store.h"
#include "support/rounds.h"
#include "support/store_world.h"

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

// Few bytes, so that many names are the beginnings of others: the least and the greatest that a name can have, too.
std::string some_name(std::mt19937_64& random) {
  static constexpr std::string_view kBytes = "ab-\x01\x7f\xff";
  std::string name(1 + random() % 6, '\0');
  for (auto& c : name) c = kBytes[random() % kBytes.size()];
  return name;
}

// Where to begin: the beginning, a name that is there, one beside it, or any.
std::string some_start(std::mt19937_64& random, const Names& names) {
  const auto roll = random() % 8;
  if (roll == 0) return "";
  if (roll < 4 || names.empty()) return some_name(random);
  auto name = std::next(names.begin(), static_cast<std::ptrdiff_t>(random() % names.size()))->first;
  if (roll == 4) name.pop_back();
  if (roll == 5) name.push_back('\x01');  // the first that could come behind it
  if (roll == 6 && name.back() != '\x01') name.back() = static_cast<char>(name.back() - 1);
  return name;
}

// One that ends within a node or a page, or one that is never reached.
std::size_t some_limit(std::mt19937_64& random) {
  const std::size_t most = random() % 4 == 0 ? 10'000 : 600;
  return 1 + random() % most;
}

// What an iteration must give: those behind `after`, `limit` of them at most.
std::vector<Entry> behind(const Names& names, const std::string& after, std::size_t limit) {
  std::vector<Entry> expected;
  for (auto it = names.upper_bound(after); it != names.end() && expected.size() < limit; ++it) expected.push_back(it->second);
  return expected;
}

TEST_CASE("a directory tree is scanned from any name on, as far as is asked for", "[store][property]") {
  const std::uint64_t seed = seed_of_run();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int history = 0; history < rounds(8, 2000); ++history) {
    ObjectStore store;
    Names names;
    Subtree tree = empty_subtree();
    for (int step = 0; step < 4; ++step) {
      std::map<std::string, EntryChange> changes;
      for (auto count = random() % 1500; count > 0; --count) {
        const auto name = some_name(random);
        const bool removes = names.contains(name);
        changes[name] = {name, removes ? std::nullopt : std::optional(file(name, random() % 1000))};
      }
      std::vector<EntryChange> sorted;
      for (const auto& [name, change] : changes) {
        sorted.push_back(change);
        if (change.entry) names[name] = *change.entry;
        else names.erase(name);
      }
      tree = edit(store, tree.root, sorted);
      for (int look = 0; look < 60; ++look) {
        const auto start = some_start(random, names);
        const auto limit = some_limit(random);
        INFO("history " << history << ", step " << step << ": " << limit << " behind '" << printable(start) << "'");
        std::vector<Entry> found;
        bool told_to_stop = false;
        bool went_on = false;
        REQUIRE(store.trees().scan(tree.root, start, [&](const Entry& entry) {
          went_on = went_on || told_to_stop;
          found.push_back(entry);
          told_to_stop = found.size() >= limit;
          return !told_to_stop;
        }));
        CHECK_FALSE(went_on);
        const bool equal = found == behind(names, start, limit);
        REQUIRE(equal);

        const auto at = names.lower_bound(start);
        const auto one = must(store.trees().find(tree.root, start));
        const bool same = at != names.end() && at->first == start ? one == at->second : !one;
        REQUIRE(same);
      }
    }
  }
}

TEST_CASE("a live directory is listed from any name on, whatever of it is committed", "[store][property]") {
  const std::uint64_t seed = seed_of_run();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int history = 0; history < rounds(4, 400); ++history) {
    StoreWorld world({branch_ref("data@master")});
    Names names;
    for (int turn = 0; turn < 6; ++turn) {
      if (random() % 3 == 0) world.open();
      const auto top = world.root();
      for (auto count = random() % 600; count > 0; --count) {
        const auto name = some_name(random);
        if (names.contains(name)) continue;
        must(world.trees().make(top, name, {}));
        names[name] = file(name, 0);
      }
      // many in a row: a listing goes on behind a page of names that were removed
      auto from = names.lower_bound(some_start(random, names));
      for (auto count = random() % 500; count > 0 && from != names.end(); --count) {
        must(world.trees().remove(top, from->first, false));
        from = names.erase(from);
      }
      if (random() % 2 == 0) world.finish();
      for (int look = 0; look < 40; ++look) {
        const auto start = some_start(random, names);
        const auto limit = some_limit(random);
        INFO("history " << history << ", turn " << turn << ": " << limit << " behind '" << printable(start) << "'");
        std::vector<std::string> expected;
        for (const auto& entry : behind(names, start, limit)) expected.push_back(entry.name);
        std::vector<std::string> found;
        bool told_to_stop = false;
        bool went_on = false;
        REQUIRE(world.trees().list(top, start, [&](const ListedEntry& entry) {
          went_on = went_on || told_to_stop;
          found.push_back(entry.name);
          told_to_stop = found.size() >= limit;
          return !told_to_stop;
        }));
        CHECK_FALSE(went_on);
        const bool equal = found == expected;
        REQUIRE(equal);
      }
    }
  }
}

}  // namespace
}  // namespace pfs::test
