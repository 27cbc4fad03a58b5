#include <catch2/catch.hpp>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <map>
#include <random>

#include <fmt/format.h>

#include "store/tree/link_index.h"
#include "store/tree/tree_editor.h"
#include "store/tree/tree_merge.h"
#include "support/object_store.h"
#include "support/rounds.h"

namespace pfs::test {
namespace {

using namespace pfs::store;

// A tree as a plain map of paths; directories are there with the attributes of their own and no subtree.
using Listing = std::map<std::string, Entry>;

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}
std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

Entry make_entry(const std::string& path, bool directory, std::uint64_t value, std::uint64_t link = 0) {
  Entry entry;
  entry.name = name_of(path);
  entry.attributes.kind = directory ? Kind::kDirectory : Kind::kFile;
  entry.attributes.mode = directory ? 0755 : 0644;
  if (!directory) {
    entry.content.bytes = fmt::format("{}", value);
    entry.content.size = entry.content.bytes.size();
    entry.link_id = link;
  } else if (value % 3 == 0) {
    entry.attributes.mode = 0700;
  }
  return entry;
}

Subtree store_listing(ObjectStore& store, const Listing& listing) {
  ObjectWriter writer(store.objects());
  // children first: longer paths before shorter ones
  std::map<std::string, std::vector<EntryChange>> directories;
  for (const auto& [path, entry] : listing) directories[parent_of(path)].push_back({entry.name, entry});
  std::map<std::string, Subtree> made;
  for (auto it = directories.rbegin(); it != directories.rend(); ++it) {
    auto& [path, entries] = *it;
    for (auto& change : entries) {
      if (!change.entry->is_directory()) continue;
      const auto below = made.find(path.empty() ? change.name : path + "/" + change.name);
      change.entry->subtree = below != made.end() ? below->second : empty_subtree();
    }
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    auto edited = edit_tree(store.trees(), writer, empty_subtree().root, entries);
    REQUIRE(edited);
    made[path] = *edited;
  }
  REQUIRE(writer.flush());
  return made.contains("") ? made[""] : empty_subtree();
}

Listing read_listing(const TreeStore& trees, const Digest& root, const std::string& prefix = "") {
  Listing listing;
  REQUIRE(trees.scan(root, "", [&](const Entry& entry) {
    Entry plain = entry;
    plain.subtree = {};
    listing[prefix + entry.name] = plain;
    if (entry.is_directory()) listing.merge(read_listing(trees, entry.subtree.root, prefix + entry.name + "/"));
    return true;
  }));
  return listing;
}

bool is_below(const std::string& path, const std::string& directory) {
  return directory.empty() || path.rfind(directory + "/", 0) == 0;
}

void remove_path(Listing& listing, const std::string& path) {
  std::erase_if(listing, [&](const auto& each) { return each.first == path || is_below(each.first, path); });
}

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t below(std::uint64_t limit) { return engine_() % limit; }

  std::string directory(const Listing& listing) {
    std::vector<std::string> all{""};
    for (const auto& [path, entry] : listing) {
      if (entry.is_directory()) all.push_back(path);
    }
    return all[below(all.size())];
  }
  void change(Listing& listing) {
    const auto in = directory(listing);
    const auto path = (in.empty() ? "" : in + "/") + fmt::format("n{:02}", below(40));
    const auto roll = below(6);
    if (roll == 0) {
      remove_path(listing, path);
    } else {
      const bool is_directory = roll == 1;
      const auto found = listing.find(path);
      if (found != listing.end() && found->second.is_directory() && is_directory) {
        found->second = make_entry(path, true, below(4));
        return;
      }
      remove_path(listing, path);
      listing[path] = make_entry(path, is_directory, below(3));
    }
  }

 private:
  std::mt19937_64 engine_;
};

struct Pair {
  std::optional<Entry> before;
  std::optional<Entry> after;
};

// The plain answer: what is not alike in two listings, in the order of a walk (names by their bytes, parents first).
std::vector<std::pair<std::vector<std::string>, Pair>> plain_difference(const Listing& a, const Listing& b, const std::string& below) {
  std::map<std::vector<std::string>, Pair> all;
  const auto parts = [](const std::string& path) { return RepoPath::parse(path)->parts(); };
  for (const auto& [path, entry] : a) {
    if (is_below(path, below)) all[parts(path)].before = entry;
  }
  for (const auto& [path, entry] : b) {
    if (is_below(path, below)) all[parts(path)].after = entry;
  }
  std::vector<std::pair<std::vector<std::string>, Pair>> different;
  for (auto& [path, pair] : all) {
    if (pair.before != pair.after) different.emplace_back(path, pair);
  }
  return different;
}

TEST_CASE("the difference of two trees is that of their listings", "[store][property]") {
  const std::uint64_t seed = seed_of_run();
  INFO("seed " << seed);
  Random random(seed);
  ObjectStore store;
  for (int round = 0; round < rounds(40, 4000); ++round) {
    Listing a;
    for (std::uint64_t i = random.below(200); i > 0; --i) random.change(a);
    Listing b = a;
    for (std::uint64_t i = random.below(20); i > 0; --i) random.change(b);
    const auto a_root = store_listing(store, a).root;
    const auto b_root = store_listing(store, b).root;
    DiffOptions options;
    const auto below = random.below(2) == 0 ? std::string() : random.directory(a);
    options.below = *RepoPath::parse(below);
    std::vector<Difference> found;
    REQUIRE(store.trees().diff(a_root, b_root, options, [&](const Difference& difference) {
      found.push_back(difference);
      return true;
    }));
    const auto expected = plain_difference(a, b, below);
    REQUIRE(found.size() == expected.size());
    bool equal = true;
    for (std::size_t i = 0; i < found.size(); ++i) {
      for (auto* entry : {&found[i].before, &found[i].after}) {
        if (*entry) (*entry)->subtree = {};
      }
      equal = equal && RepoPath::parse(found[i].path)->parts() == expected[i].first && found[i].before == expected[i].second.before &&
              found[i].after == expected[i].second.after;
    }
    CHECK(equal);

    // one level: the names of that directory, a changed sub-directory being one
    options.recursive = false;
    std::size_t names = 0;
    REQUIRE(store.trees().diff(a_root, b_root, options, [&](const Difference& difference) {
      const auto& path = difference.path;
      CHECK(parent_of(path) == below);
      CHECK(std::any_of(expected.begin(), expected.end(), [&](const auto& each) {
        const auto full = RepoPath::parse(path)->parts();
        return each.first.size() >= full.size() && std::equal(full.begin(), full.end(), each.first.begin());
      }));
      ++names;
      return true;
    }));
    CHECK((names == 0) == expected.empty());
  }
}

TEST_CASE("one change in 100,000 files is found by the nodes on its path", "[store][property]") {
  ObjectStore store;
  Listing files;
  for (int file = 0; file < 1000; ++file) {
    const auto path = fmt::format("f{:04}", file);
    files[path] = make_entry(path, false, 1);
  }
  const auto whole = store_listing(store, files);
  files["f0500"] = make_entry("f0500", false, 2);
  const auto changed = store_listing(store, files);
  const auto tree = [&](int with_change) {
    std::vector<EntryChange> directories;
    for (int directory = 0; directory < 100; ++directory) {
      auto entry = make_entry(fmt::format("d{:03}", directory), true, 1);
      entry.subtree = directory == with_change ? changed : whole;
      directories.push_back({entry.name, entry});
    }
    ObjectWriter writer(store.objects());
    auto made = edit_tree(store.trees(), writer, empty_subtree().root, directories);
    REQUIRE(made);
    REQUIRE(writer.flush());
    return made->root;
  };
  const auto before = tree(-1);
  const auto after = tree(50);
  double best_ms = 1000;
  for (int attempt = 0; attempt < 5; ++attempt) {
    store.open_packs();  // cold caches
    const auto start = std::chrono::steady_clock::now();
    std::vector<std::string> paths;
    REQUIRE(store.trees().diff(before, after, DiffOptions{}, [&](const Difference& difference) {
      paths.push_back(difference.path);
      return true;
    }));
    best_ms = std::min(best_ms, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    CHECK(paths == std::vector<std::string>{"d050/f0500"});
  }
  WARN("one change in 100,000 files: " << best_ms << " ms");
  CHECK(best_ms < 50);  // the promise is 1.5 ms in a release build; this one may be slow and under load
}

// ---- merging

// The plain rule on listings: nullopt when both changed a path and not to the same.
std::optional<Listing> plain_merge(const Listing& base, const Listing& ours, const Listing& theirs) {
  std::map<std::string, int> all;
  for (const auto* listing : {&base, &ours, &theirs}) {
    for (const auto& [path, entry] : *listing) all[path];
  }
  const auto at = [](const Listing& listing, const std::string& path) {
    const auto found = listing.find(path);
    return found == listing.end() ? std::optional<Entry>() : std::optional(found->second);
  };
  Listing merged;
  for (const auto& [path, ignored] : all) {
    const auto b = at(base, path);
    const auto o = at(ours, path);
    const auto t = at(theirs, path);
    std::optional<Entry> result;
    if (o == t || t == b) result = o;
    else if (o == b) result = t;
    else return std::nullopt;
    if (result) merged[path] = *result;
  }
  // a name in what the other side has removed, or made a file of
  for (const auto& [path, entry] : merged) {
    const auto parent = parent_of(path);
    if (!parent.empty() && (!merged.contains(parent) || !merged.at(parent).is_directory())) return std::nullopt;
  }
  return merged;
}

TEST_CASE("a difference applied to a third tree is what the plain rule gives, or its conflicts and nothing", "[store][property]") {
  const std::uint64_t seed = seed_of_run();
  INFO("seed " << seed);
  Random random(seed);
  ObjectStore store;
  int merged_cleanly = 0;
  int conflicting = 0;
  for (int round = 0; round < rounds(120, 10000); ++round) {
    INFO("round " << round);
    Listing base;
    for (std::uint64_t i = 20 + random.below(200); i > 0; --i) random.change(base);
    Listing ours = base;
    Listing theirs = base;
    for (std::uint64_t i = random.below(12); i > 0; --i) random.change(ours);
    for (std::uint64_t i = random.below(12); i > 0; --i) random.change(theirs);
    const LinkedTree our_tree{store_listing(store, ours), empty_subtree().root};
    ObjectWriter writer(store.objects());
    const auto merged = merge_trees(store.trees(), writer, store_listing(store, base), our_tree, store_listing(store, theirs));
    REQUIRE(merged);
    REQUIRE(writer.flush());
    const auto expected = plain_merge(base, ours, theirs);
    if (!expected) {
      CHECK_FALSE(merged->conflicts.empty());
      CHECK(merged->tree.root == our_tree.root);
      ++conflicting;
    } else if (merged->conflicts.empty()) {
      CHECK(read_listing(store.trees(), merged->tree.root.root) == [&] {
        Listing plain = *expected;
        for (auto& [path, entry] : plain) entry.subtree = {};
        return plain;
      }());
      CHECK(merged->tree.root == store_listing(store, *expected));  // the same tree as one made afresh
      ++merged_cleanly;
    } else {
      // stricter than the plain rule in two things: a directory that one side removed and the other did not leave as it was,
      // and a file of which both made directories that are not the same
      for (const auto& path : merged->conflicts) {
        const auto was_directory = [&](const Listing& listing) {
          const auto found = listing.find(path);
          return found != listing.end() && found->second.is_directory();
        };
        INFO(path);
        CHECK((was_directory(base) || (base.contains(path) && was_directory(ours) && was_directory(theirs))));
      }
      CHECK(merged->tree.root == our_tree.root);
    }
  }
  CHECK(merged_cleanly > 0);
  CHECK(conflicting > 0);
}

TEST_CASE("names of a hard link that would not agree after a merge are conflicts", "[store][property]") {
  ObjectStore store;
  const auto tree_of = [&](const Listing& listing) {
    LinkedTree tree{store_listing(store, listing), {}};
    ObjectWriter writer(store.objects());
    auto links = update_links(store.trees(), writer, empty_subtree().root, empty_subtree(), tree.root);
    REQUIRE(links);
    REQUIRE(writer.flush());
    tree.links = *links;
    return tree;
  };
  const auto merge = [&](const Listing& base, const Listing& ours, const Listing& theirs) {
    ObjectWriter writer(store.objects());
    auto merged = merge_trees(store.trees(), writer, tree_of(base).root, tree_of(ours), tree_of(theirs).root);
    REQUIRE(merged);
    REQUIRE(writer.flush());
    return *merged;
  };
  const Listing base{{"a", make_entry("a", false, 1, 7)}, {"b", make_entry("b", false, 1, 7)}, {"other", make_entry("other", false, 1)}};
  Listing ours = base;
  ours["c"] = make_entry("c", false, 1, 7);

  Listing changed = base;
  changed["a"] = make_entry("a", false, 2, 7);
  changed["b"] = make_entry("b", false, 2, 7);
  CHECK(merge(base, ours, changed).conflicts == std::vector<std::string>{"a", "b", "c"});

  Listing parted = base;
  parted.erase("a");
  parted["b"] = make_entry("b", false, 1);
  CHECK_FALSE(merge(base, ours, parted).conflicts.empty());

  Listing elsewhere = base;
  elsewhere["d"] = make_entry("d", true, 1);
  elsewhere["d/e"] = make_entry("d/e", false, 1, 7);
  const auto merged = merge(base, ours, elsewhere);
  CHECK(merged.conflicts.empty());
  CHECK(*link_paths(store.trees(), merged.tree.links, 7) == std::vector<std::string>{"a", "b", "c", "d/e"});
}

}  // namespace
}  // namespace pfs::test
