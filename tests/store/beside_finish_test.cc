// What goes on beside a commit that is being finished: other branches, and changes of the same one.
#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <future>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <boost/filesystem.hpp>

#include "store/catalog_world.h"

namespace pfs::test {
namespace {

using namespace pfs::store;
using World = CatalogWorld;

TEST_CASE("one branch's long finish keeps no other branch waiting", "[store]") {
  World world;
  world.make_branch("slow@master");
  world.make_branch("quick@master");
  world.put("slow@master", "f", "one");
  world.put("quick@master", "f", "one");
  Gate gate;
  gate.held = branch_ref("slow@master");
  world.store().set_publish_hook(&gate);
  auto slow = std::async(std::launch::async, [&] { return world.catalog().finish(branch_ref("slow@master"), {}).has_value(); });
  gate.reached.get_future().wait();

  const auto quick = world.finish("quick@master");
  CHECK(world.head("quick@master") == quick);
  CHECK_FALSE(world.head("slow@master"));
  const auto finishing = world.catalog().branch(branch_ref("slow@master"));
  REQUIRE(finishing);
  CHECK(finishing->finishing);
  CHECK(finishing->open != *finishing->finishing);

  // what is removed meanwhile and not in that commit gives its room back when it is over, not at the next start
  const auto open_file = world.put("quick@master", "temporary", std::string(1000, 'x'));
  REQUIRE(world.trees().remove(world.root("quick@master"), "temporary", false));
  gate.open.set_value();
  CHECK(slow.get());
  CHECK(world.head("slow@master") == finishing->finishing);
  world.store().set_publish_hook(nullptr);
}

TEST_CASE("files unlinked while a commit is being finished give their room back", "[store]") {
  World world;
  world.make_branch("slow@master");
  world.make_branch("quick@master");
  world.put("slow@master", "kept", "one");
  world.put("slow@master", "gone", "two");
  Gate gate;
  gate.held = branch_ref("slow@master");
  world.store().set_publish_hook(&gate);
  auto slow = std::async(std::launch::async, [&] { return world.catalog().finish(branch_ref("slow@master"), {}).has_value(); });
  gate.reached.get_future().wait();
  REQUIRE(world.trees().remove(world.root("slow@master"), "gone", false));
  world.put("quick@master", "temporary", std::string(1000, 'x'));
  REQUIRE(world.trees().remove(world.root("quick@master"), "temporary", false));
  gate.open.set_value();
  CHECK(slow.get());
  world.store().set_publish_hook(nullptr);
  CHECK_FALSE(world.has("slow@master", "gone"));
  world.finish("slow@master");
  world.put("quick@master", "f", "one");
  world.finish("quick@master");
  // a segment is deleted when nothing refers to it any more; the one that is written to stays
  REQUIRE(world.trees().sync(world.root("quick@master")));
  world.put("quick@master", "f", "two");
  world.finish("quick@master");
  CHECK(world.staged_segments() <= 1);
  CHECK(world.get("slow@master", "kept") == "one");
}

TEST_CASE("a file removed while a commit is being finished takes no other file's bytes with it", "[store]") {
  World world;
  world.make_branch("slow@master");
  world.make_branch("quick@master");
  const std::string big(900'000, 'x');
  world.put("slow@master", "gone", big);
  Gate gate;
  gate.held = branch_ref("slow@master");
  world.store().set_publish_hook(&gate);
  auto slow = std::async(std::launch::async, [&] { return world.catalog().finish(branch_ref("slow@master"), {}).has_value(); });
  gate.reached.get_future().wait();
  world.put("slow@master", "stays", big);
  REQUIRE(world.trees().remove(world.root("slow@master"), "gone", false));  // the last thing before the rows are folded
  gate.open.set_value();
  CHECK(slow.get());
  world.store().set_publish_hook(nullptr);
  for (int i = 0; i < 10; ++i) {  // until a segment is worth deleting
    world.put("quick@master", "f" + std::to_string(i), big);
    world.finish("quick@master");
  }
  CHECK(world.get("slow@master", "stays") == big);
  world.finish("slow@master");
  CHECK(world.get("slow@master", "stays") == big);
}

TEST_CASE("a file removed before its row knows what was written over takes no other file's bytes with it", "[store]") {
  World world;
  for (const char* branch : {"slow@master", "quick@master", "third@master"}) world.make_branch(branch);
  world.put("slow@master", "f", "one");
  auto twice = world.file(world.root("quick@master"), "twice");
  world.trees().opened_for_write(twice);
  REQUIRE(world.trees().write(twice, 0, as_bytes(std::string(900'000, 'x'))));
  world.trees().released_for_write(twice);  // now its row knows these
  const std::string stays(400'000, 'y');
  world.put("third@master", "stays", stays);  // where the log has it, too
  world.trees().opened_for_write(twice);
  AttributeChange empty;
  empty.size = 0;
  REQUIRE(world.trees().set_attributes(twice, empty));
  REQUIRE(world.trees().write(twice, 0, as_bytes(std::string("new"))));
  REQUIRE(world.trees().remove(world.root("quick@master"), "twice", false));
  Gate gate;
  gate.held = branch_ref("slow@master");
  world.store().set_publish_hook(&gate);
  auto slow = std::async(std::launch::async, [&] { return world.catalog().finish(branch_ref("slow@master"), {}).has_value(); });
  gate.reached.get_future().wait();
  world.trees().released_for_write(twice);
  twice.reset();
  world.put("quick@master", "f", "looks after what was removed");
  gate.open.set_value();
  CHECK(slow.get());
  world.store().set_publish_hook(nullptr);
  for (int i = 0; i < 10; ++i) {  // until a segment is worth deleting
    world.put("quick@master", "f" + std::to_string(i), std::string(900'000, 'x'));
    world.finish("quick@master");
  }
  CHECK(world.get("third@master", "stays") == stays);
}

TEST_CASE("a directory of many files is changed while its commit is being finished", "[store]") {
  constexpr int kFiles = 6000;  // more than are folded in one batch
  World world;
  world.make_branch("data@master");
  world.make_branch("other@master");
  std::map<std::string, std::string> expected;
  std::vector<NodePtr> open;  // some stay loaded
  for (int i = 0; i < kFiles; ++i) {
    const auto name = "file" + std::to_string(i);
    auto file = world.put("data@master", name, name);
    if (i % 10 == 0) open.push_back(std::move(file));
    expected[name] = name;
  }
  Gate gate;
  gate.held = branch_ref("data@master");
  world.store().set_publish_hook(&gate);
  auto finished = std::async(std::launch::async, [&] { return world.catalog().finish(branch_ref("data@master"), {}).has_value(); });
  gate.reached.get_future().wait();
  for (int i = 0; i < kFiles; i += 700) {
    const auto name = "file" + std::to_string(i);
    world.put("data@master", name, "newer");
    expected[name] = "newer" + name.substr(std::min<std::size_t>(5, name.size()));
    const auto removed = "file" + std::to_string(i + 5);
    REQUIRE(world.trees().remove(world.root("data@master"), removed, false));
    expected.erase(removed);
    const auto renamed = "file" + std::to_string(i + 7);
    REQUIRE(world.trees().rename(world.root("data@master"), renamed, world.root("data@master"), "moved" + renamed, RenameMode::kReplace));
    expected["moved" + renamed] = expected[renamed];
    expected.erase(renamed);
  }
  gate.open.set_value();
  CHECK(finished.get());
  world.store().set_publish_hook(nullptr);
  const auto check = [&] {
    std::map<std::string, std::string> found;
    REQUIRE(world.trees().list(world.root("data@master"), "", [&](const ListedEntry& entry) {
      found[entry.name] = world.get("data@master", entry.name);
      return true;
    }));
    CHECK(found == expected);
  };
  check();
  const auto first = world.finish("data@master");
  check();
  open.clear();
  world.open();
  CHECK(world.head("data@master") == first);
  check();
  // what was staged is released: the next commit deletes the segment
  world.put("other@master", "f", "one");
  world.finish("other@master");
  CHECK(world.staged_segments() <= 1);
}

TEST_CASE("many threads on many branches: every change is in a commit, none is in two places", "[store]") {
  World world;
  constexpr int kBranches = 4;
  constexpr int kChanges = 40;
  for (int i = 0; i < kBranches; ++i) world.make_branch("data@b" + std::to_string(i));
  std::vector<std::future<void>> threads;
  for (int i = 0; i < kBranches; ++i) {
    threads.push_back(std::async(std::launch::async, [&, i] {
      const auto branch = branch_ref("data@b" + std::to_string(i));
      const auto other = branch_ref("data@b" + std::to_string((i + 1) % kBranches));
      for (int change = 0; change < kChanges; ++change) {
        const std::string name = "f" + std::to_string(i) + "-" + std::to_string(change);
        auto& trees = world.trees();
        const auto here = trees.root(*trees.branch(branch));
        MakeRequest request;
        const auto file = trees.make(here, name, request);
        if (!file || !trees.write(*file, 0, std::as_bytes(std::span(name)))) throw std::runtime_error("write");
        if (change % 3 == 0 && !trees.rename(here, name, trees.root(*trees.branch(other)), name, RenameMode::kReplace)) {
          throw std::runtime_error("rename");
        }
        if (change % 4 == 3 && !world.catalog().finish(branch, {})) throw std::runtime_error("finish");
      }
    }));
  }
  for (auto& thread : threads) REQUIRE_NOTHROW(thread.get());
  for (int i = 0; i < kBranches; ++i) world.finish("data@b" + std::to_string(i));
  world.open();
  for (int i = 0; i < kBranches; ++i) {
    for (int change = 0; change < kChanges; ++change) {
      const std::string name = "f" + std::to_string(i) + "-" + std::to_string(change);
      const int where = change % 3 == 0 ? (i + 1) % kBranches : i;
      for (int at = 0; at < kBranches; ++at) {
        INFO(name << " in branch " << at);
        CHECK(world.has("data@b" + std::to_string(at), name) == (at == where));
      }
      CHECK(world.get("data@b" + std::to_string(where), name) == name);
    }
  }
}

TEST_CASE("many threads change one branch while it is committed again and again", "[store]") {
  World world;
  world.make_branch("data@master");
  constexpr int kThreads = 4;
  constexpr int kRounds = 60;
  std::atomic<bool> done{false};
  auto committer = std::async(std::launch::async, [&] {
    while (!done) {
      if (!world.catalog().finish(branch_ref("data@master"), {})) throw std::runtime_error("finish");
    }
  });
  std::vector<std::map<std::string, std::string>> expected(kThreads);
  std::vector<std::future<void>> threads;
  for (int number = 0; number < kThreads; ++number) {
    threads.push_back(std::async(std::launch::async, [&, number] {
      auto& trees = world.trees();
      auto& mine = expected[static_cast<std::size_t>(number)];
      const auto root = trees.root(*trees.branch(branch_ref("data@master")));
      const auto must = [](const auto& result) {
        if (!result) throw std::runtime_error(result.error().message);
      };
      for (int round = 0; round < kRounds; ++round) {
        const std::string name = std::to_string(number) + "-" + std::to_string(round % 7);
        MakeRequest request;
        request.exclusive = false;
        const auto file = trees.make(root, name, request);
        must(file);
        auto& bytes = mine[name];
        const std::string piece(1 + static_cast<std::size_t>(round) * 37 % 5000, static_cast<char>('a' + round % 26));
        switch (round % 5) {
          case 0:
          case 1:
            must(trees.append(*file, std::as_bytes(std::span(piece))));
            bytes += piece;
            break;
          case 2: {
            AttributeChange change;
            change.size = bytes.size() / 2;
            must(trees.set_attributes(*file, change));
            bytes.resize(bytes.size() / 2);
            break;
          }
          case 3:
            must(trees.write(*file, 0, std::as_bytes(std::span(piece))));
            bytes.replace(0, std::min(piece.size(), bytes.size()), piece);
            break;
          case 4: {
            const std::string copy = "copy-" + std::to_string(number);
            const auto target = trees.make(root, copy, request);
            must(target);
            AttributeChange change;
            change.size = 0;
            must(trees.set_attributes(*target, change));
            must(trees.copy_range(*file, 0, *target, 0, bytes.size()));
            mine[copy] = bytes;
            break;
          }
        }
      }
    }));
  }
  for (auto& thread : threads) REQUIRE_NOTHROW(thread.get());
  done = true;
  REQUIRE_NOTHROW(committer.get());
  const auto check = [&] {
    auto& trees = world.trees();
    for (const auto& mine : expected) {
      for (const auto& [name, bytes] : mine) {
        INFO(name);
        const auto file = trees.lookup(world.root("data@master"), name);
        REQUIRE(file);
        std::string found(bytes.size() + 1, '\0');
        const auto got = trees.read(*file, 0, std::as_writable_bytes(std::span(found)));
        REQUIRE(got);
        found.resize(*got);
        CHECK(found == bytes);
      }
    }
  };
  check();
  world.finish("data@master");
  world.open();
  check();
}

std::size_t count_in(const std::string& directory) {
  return static_cast<std::size_t>(std::distance(boost::filesystem::directory_iterator(directory), boost::filesystem::directory_iterator()));
}

/// How many descriptors of this process are files below a directory.
std::size_t open_below(const std::string& directory) {
  std::size_t count = 0;
  for (const auto& one : boost::filesystem::directory_iterator("/proc/self/fd")) {
    boost::system::error_code gone;
    count += boost::filesystem::read_symlink(one.path(), gone).string().starts_with(directory) ? 1 : 0;
  }
  return count;
}

TEST_CASE("other branches' commits leave a file that is being written one spool", "[store]") {
  World world;
  world.make_branch("long@master");
  world.make_branch("quick@master");
  std::string expected(2'000'000, 'a');
  const auto file = world.put("long@master", "f", expected);
  const std::string piece(5000, 'b');
  for (int commit = 0; commit < 20; ++commit) {
    world.put("quick@master", "g", std::to_string(commit));
    world.finish("quick@master");
    const auto offset = static_cast<std::size_t>(commit) * 70'001;
    REQUIRE(world.trees().write(file, offset, as_bytes(piece)));
    expected.replace(offset, piece.size(), piece);
  }
  CHECK(count_in(world.path() + "/stage/spool") == 1);
  CHECK(world.get("long@master", "f") == expected);
  world.open();
  CHECK(world.get("long@master", "f") == expected);
  world.finish("long@master");
  CHECK(world.get("long@master", "f") == expected);
}

TEST_CASE("a file that is being written while its own branch is finished shows the commit what it was", "[store]") {
  World world;
  world.make_branch("slow@master");
  world.make_branch("quick@master");
  const std::string before(2'000'000, 'a');
  const auto file = world.put("slow@master", "f", before);
  Gate gate;
  gate.held = branch_ref("slow@master");
  world.store().set_publish_hook(&gate);
  auto slow = std::async(std::launch::async, [&] { return world.catalog().finish(branch_ref("slow@master"), {}).has_value(); });
  gate.reached.get_future().wait();
  std::string after = before;
  for (int commit = 0; commit < 5; ++commit) {
    const std::string piece(3000, static_cast<char>('c' + commit));
    REQUIRE(world.trees().write(file, static_cast<std::uint64_t>(commit) * 100, as_bytes(piece)));
    after.replace(static_cast<std::size_t>(commit) * 100, piece.size(), piece);
    world.put("quick@master", "g", std::to_string(commit));
    world.finish("quick@master");
  }
  gate.open.set_value();
  CHECK(slow.get());
  world.store().set_publish_hook(nullptr);
  CHECK(world.text(world.head_root("slow@master"), "f") == before);
  CHECK(world.get("slow@master", "f") == after);
  world.finish("slow@master");
  world.open();
  CHECK(world.text(world.head_root("slow@master"), "f") == after);
}

TEST_CASE("many files in spools do not keep as many descriptors", "[store]") {
  World world;
  world.make_branch("data@master");
  constexpr std::size_t kFiles = 150;
  const std::string bytes(1'200'000, 's');
  for (std::size_t number = 0; number < kFiles; ++number) world.put("data@master", std::to_string(number), bytes);
  REQUIRE(count_in(world.path() + "/stage/spool") == kFiles);
  CHECK(open_below(world.path() + "/stage/spool") <= 64);
  CHECK(world.get("data@master", "0") == bytes);
}

TEST_CASE("a directory whose many files were removed is empty", "[store]") {
  World world;
  world.make_branch("data@master");
  const auto directory = world.make(world.root("data@master"), "d", Kind::kDirectory);
  constexpr int kFiles = 1500;  // several pages of names
  for (int number = 0; number < kFiles; ++number) world.make(directory, std::to_string(number));
  world.finish("data@master");
  for (int number = 0; number < kFiles; ++number) REQUIRE(world.trees().remove(directory, std::to_string(number), false));
  std::size_t names = 0;
  REQUIRE(world.trees().list(directory, {}, [&](const ListedEntry&) { return ++names < SIZE_MAX; }));
  CHECK(names == 0);
  world.make(directory, "z");  // behind all of them
  REQUIRE(world.trees().list(directory, {}, [&](const ListedEntry& entry) {
    CHECK(entry.name == "z");
    return ++names < SIZE_MAX;
  }));
  CHECK(names == 1);
  REQUIRE(world.trees().remove(directory, "z", false));
  CHECK(world.trees().remove(world.root("data@master"), "d", true));
}

}  // namespace
}  // namespace pfs::test
