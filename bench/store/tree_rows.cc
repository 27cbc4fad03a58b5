// Rows about trees of many files: a change, a reference copy, a difference.
#include <functional>

#include <fmt/format.h>

#include "base/file.h"
#include "half_compressible.h"
#include "rows.h"

namespace pfs::bench {

namespace {

using store::NodePtr;

constexpr const char* kTree = "tree";

// A tree of so many small files, as one commit; with flat=yes all of them in one directory.
void plant(const Arguments& arguments) {
  World world(arguments.text("store"));
  const bool flat = arguments.text_or("flat", "no") == "yes";
  const double all = seconds([&] {
    NodePtr directory;
    for (std::uint64_t i = 0; i < arguments.number("files"); ++i) {
      const auto path = flat ? fmt::format("{}/f{:07}", kTree, i) : fmt::format("{}/{}", kTree, path_in_tree(i));
      const auto slash = path.rfind('/');
      if (flat ? i == 0 : i % 100 == 0) directory = world.directory(path.substr(0, slash));
      world.put(directory, path.substr(slash + 1), bytes_in_tree(i));
    }
    world.finish();
  });
  report("seconds", all);
}

// One file changed and committed, so many times.
void change(const Arguments& arguments) {
  World world(arguments.text("store"));
  const auto files = arguments.number("files");
  std::vector<double> times;
  for (std::uint64_t i = 0; i < arguments.number("changes"); ++i) {
    const auto path = fmt::format("{}/{}", kTree, path_in_tree(index_of_change(i, files)));
    const auto text = fmt::format("change {}", i);
    times.push_back(seconds([&] {
      const auto file = world.file(path);
      world.trees().opened_for_write(file);
      must(world.trees().write(file, 0, as_bytes(text)));
      world.trees().released_for_write(file);
      world.finish();
    }));
  }
  report_spread("seconds", times);
}

// The whole tree copied by reference under another name, and committed.
void copy(const Arguments& arguments) {
  World world(arguments.text("store"));
  std::vector<double> copies;
  std::vector<double> commits;
  for (std::uint64_t i = 0; i < arguments.number("copies"); ++i) {
    double copied = 0;
    commits.push_back(seconds([&] {
      copied = seconds([&] { must(world.trees().copy_entry(world.file(kTree), world.root(), fmt::format("copy{}", i))); });
      world.finish();
    }));
    copies.push_back(copied);
  }
  report_spread("copy_seconds", copies);
  report_spread("seconds", commits);
}

// How many files differ between two finished directories: the store tells the differences of one directory, in time
// that follows them, and equal sub-directories are no difference.
std::uint64_t differences(const store::TreeReader& reader, const Digest& before, const Digest& after) {
  std::uint64_t count = 0;
  must(reader.diff(before, after, [&](const auto& old_entry, const auto& new_entry) {
    const bool both = old_entry && new_entry && old_entry->is_directory() && new_entry->is_directory();
    count += both ? differences(reader, old_entry->subtree.root, new_entry->subtree.root) : 1;
    return true;
  }));
  return count;
}

// Pairs of neighbouring commits, newest first: each pair has nodes that were not read before.
void diff(const Arguments& arguments) {
  World world(arguments.text("store"));
  std::vector<double> times;
  for (std::uint64_t i = 0; i < arguments.number("pairs"); ++i) {
    times.push_back(seconds([&] {
      const auto after = world.commit_back(i);
      const auto before = world.commit_back(i + 1);
      const auto count = differences(world.store().tree_reader(), before.root.root, after.root.root);
      if (count != 1) must(Result<void>(Error{Code::kInternal, fmt::format("diff: {} differences instead of 1", count)}));
    }));
  }
  report_spread("seconds", times);
}

}  // namespace

void add_tree_rows(Rows& rows) {
  rows["plant"] = plant;
  rows["change"] = change;
  rows["copy"] = copy;
  rows["diff"] = diff;
}

}  // namespace pfs::bench
