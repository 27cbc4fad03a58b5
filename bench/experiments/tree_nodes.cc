// How names alone cut a directory: sizes of nodes, and how many an update, an insertion and a deletion make anew, in a
// directory of 200,000 sequential names. Prints the table that docs/format.md quotes.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>

#include <boost/filesystem.hpp>
#include <fmt/format.h>

#include "base/clock.h"
#include "store/pack/dir_blob_store.h"
#include "store/refs/rocks_db.h"
#include "store/refs/rocks_local_db.h"
#include "store/tree/tree_editor.h"

using namespace pfs;
using namespace pfs::store;

namespace {

template <class T>
T must(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "tree_nodes: %s\n", result.error().message.c_str());
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

Entry file(const std::string& name, int version) {
  Entry entry;
  entry.name = name;
  entry.attributes.mode = 0644;
  entry.content.bytes = fmt::format("version {}", version);
  entry.content.size = entry.content.bytes.size();
  return entry;
}

std::size_t count_hot(const LocalDb& local) {
  std::size_t rows = 0;
  must(local.scan(Family::kHot, "", "", [&](std::string_view, std::string_view) { return ++rows > 0; }));
  return rows;
}

}  // namespace

int main() {
  const std::string directory = fmt::format("/tmp/pfs-tree-nodes-{}", ::getpid());
  boost::filesystem::create_directories(directory + "/open");
  {
    SystemClock clock;
    const auto database = must(RocksDatabase::open(directory + "/db"));
    RocksLocalDb local(*database);
    const auto blobs = must(DirBlobStore::open(directory + "/packs"));
    const auto packs = must(PackSet::open(directory + "/open", local, *blobs, clock));
    Objects objects(local, *packs);
    TreeStore trees(objects);
    const auto edit = [&](const Digest& root, const std::vector<EntryChange>& changes) {
      ObjectWriter writer(objects);
      const auto edited = must(edit_tree(trees, writer, root, changes));
      must(writer.flush());
      return edited;
    };
    std::vector<EntryChange> all;
    for (int i = 0; i < 200000; ++i) {
      const auto name = fmt::format("file-{:07}", i * 2);
      all.push_back({name, file(name, 0)});
    }
    const auto base = edit(empty_subtree().root, all);
    // sizes of the leaves
    std::vector<std::size_t> sizes;
    std::vector<Digest> next{base.root};
    unsigned levels = 0;
    for (bool inner = true; inner; ++levels) {
      std::vector<Digest> below;
      inner = false;
      for (const auto& digest : next) {
        const auto node = must(trees.load(digest));
        if (node->leaf() != nullptr) {
          sizes.push_back(node->leaf()->entries.size());
          continue;
        }
        inner = true;
        for (const auto& child : node->inner()->children) below.push_back(child.digest);
      }
      next = std::move(below);
    }
    std::sort(sizes.begin(), sizes.end());
    const auto at = [&](double share) { return sizes[static_cast<std::size_t>(share * static_cast<double>(sizes.size() - 1))]; };
    std::printf("leaves %zu, entries p1 %zu p50 %zu p99 %zu max %zu, levels %u\n", sizes.size(), at(0.01), at(0.5), at(0.99), sizes.back(), levels);
    std::mt19937_64 random(1);
    const auto measure = [&](const char* what, auto change) {
      constexpr int kEdits = 2000;
      const auto before = count_hot(local);
      for (int i = 0; i < kEdits; ++i) edit(base.root, {change(static_cast<int>(random() % 200000), i + 1)});
      std::printf("%s: %.2f nodes made anew\n", what, static_cast<double>(count_hot(local) - before) / kEdits);
    };
    measure("update", [](int i, int version) { const auto name = fmt::format("file-{:07}", i * 2); return EntryChange{name, file(name, version)}; });
    measure("insertion", [](int i, int version) { const auto name = fmt::format("file-{:07}", i * 2 + 1); return EntryChange{name, file(name, version)}; });
    measure("deletion", [](int i, int) { return EntryChange{fmt::format("file-{:07}", i * 2), std::nullopt}; });
  }
  boost::filesystem::remove_all(directory);
  return 0;
}
