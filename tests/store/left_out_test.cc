// Commits that leave out the files that are being written (docs/semantics.md S49).
#include <catch2/catch.hpp>

#include <atomic>
#include <future>
#include <stdexcept>

#include "support/store_world.h"

namespace pfs::test {
namespace {

using namespace pfs::store;

const BranchRef kMaster = *BranchRef::parse("data@master");
const BranchRef kDev = *BranchRef::parse("data@dev");

class World : public StoreWorld {
 public:
  World() : StoreWorld({kMaster, kDev}) {}

  NodePtr make(const std::string& name) { return file(root(), name); }
  void put(const std::string& name, const std::string& bytes) {
    const auto file = begin(name, bytes);
    trees().released_for_write(file);
  }
  // Opens it, writes, and keeps it open.
  NodePtr begin(const std::string& name, const std::string& bytes) {
    const auto file = make(name);
    trees().opened_for_write(file, 0);
    AttributeChange empty;
    empty.size = 0;
    REQUIRE(trees().set_attributes(file, empty));
    REQUIRE(trees().write(file, 0, as_bytes(bytes)));
    return file;
  }
  void rename(const std::string& from, const std::string& to, const BranchRef& to_branch = kMaster) {
    REQUIRE(trees().rename(root(), from, root(to_branch), to, RenameMode::kReplace));
  }
  FinishResult finish(bool leave_out = true, const BranchRef& ref = kMaster) {
    FinishOptions options;
    options.automatic = leave_out;
    options.leave_out_written = leave_out;
    const auto finished = catalog().finish(ref, options);
    REQUIRE(finished);
    return *finished;
  }
  std::string live(const std::string& name, const BranchRef& ref = kMaster) { return text(root(ref), name); }
  std::string committed(const std::string& name, const BranchRef& ref = kMaster) { return text(head_root(ref), name); }
  Stat committed_stat(const std::string& name) { return *trees().stat(*trees().lookup(head_root(), name)); }
};

TEST_CASE("a commit leaves out what is being written: a known file stays what it was, a new one is absent", "[store]") {
  World world;
  world.put("known", "before");
  world.put("other", "one");
  world.finish();
  const auto known = world.begin("known", "half");
  const auto fresh = world.begin("fresh", "half");
  world.put("other", "two");
  CHECK(world.finish().made);
  CHECK(world.committed("known") == "before");
  CHECK(world.committed("fresh") == "(none)");
  CHECK(world.committed("other") == "two");
  const auto description = world.head_commit().description;
  CHECK((description == "left out: 2: /known, /fresh" || description == "left out: 2: /fresh, /known"));
  CHECK(world.live("known") == "half");
  CHECK(world.live("fresh") == "half");

  REQUIRE(world.trees().append(known, as_bytes(std::string_view(" and whole"))));
  REQUIRE(world.trees().append(fresh, as_bytes(std::string_view(" and whole"))));
  world.trees().released_for_write(known);
  world.trees().released_for_write(fresh);
  CHECK(world.finish().made);
  CHECK(world.committed("known") == "half and whole");
  CHECK(world.committed("fresh") == "half and whole");
  CHECK(world.head_commit().description.empty());
}

TEST_CASE("a commit that is asked for takes files as they are", "[store]") {
  World world;
  const auto file = world.begin("file", "half");
  CHECK(world.finish(false).made);
  CHECK(world.committed("file") == "half");
}

TEST_CASE("where nothing but files being written has changed there is no commit, and they are in a later one", "[store]") {
  World world;
  world.put("file", "before");
  world.finish();
  const auto first = world.head_commit().id;
  const auto file = world.begin("file", "half");
  for (int turn = 0; turn < 3; ++turn) {
    CHECK_FALSE(world.finish().made);
    CHECK(world.head_commit().id == first);
    REQUIRE(world.trees().append(file, as_bytes(std::string_view("+"))));
  }
  CHECK(world.catalog().open_commit(kMaster)->changed);
  world.trees().released_for_write(file);
  CHECK(world.finish().made);
  CHECK(world.committed("file") == "half+++");
}

TEST_CASE("what was left out is there after a kill, and in the next commit", "[store]") {
  World world;
  world.put("known", "before");
  world.finish();
  {
    const auto known = world.begin("known", "half");
    const auto fresh = world.begin("fresh", std::string(3'000'000, 'f'));  // in a spool
    world.put("other", "whole");
    CHECK(world.finish().made);
    REQUIRE(world.trees().append(known, as_bytes(std::string_view("+"))));
    REQUIRE(world.trees().append(fresh, as_bytes(std::string_view("+"))));
  }
  world.open();
  CHECK(world.live("known") == "half+");
  CHECK(world.live("fresh") == std::string(3'000'000, 'f') + "+");
  CHECK(world.committed("known") == "before");
  CHECK(world.committed("fresh") == "(none)");
  CHECK(world.finish().made);
  CHECK(world.committed("known") == "half+");
  CHECK(world.committed("fresh") == std::string(3'000'000, 'f') + "+");
}

TEST_CASE("a file that was renamed while it is being written is under its new name as it was", "[store]") {
  World world;
  world.put("old", "before");
  world.put("target", "replaced");
  world.finish();
  const auto file = world.begin("old", "half");
  world.rename("old", "new");
  world.put("other", "whole");
  world.finish();
  CHECK(world.committed("old") == "(none)");
  CHECK(world.committed("new") == "before");
  CHECK(world.live("new") == "half");
  // the same across branches, which are published together
  world.rename("new", "moved", kDev);
  world.finish();
  CHECK(world.committed("new") == "(none)");
  CHECK(world.committed("moved", kDev) == "before");
  world.trees().released_for_write(file);
  world.finish(true, kDev);
  CHECK(world.committed("moved", kDev) == "half");
}

TEST_CASE("a new file that takes another's name while it is being written leaves the other in the commit", "[store]") {
  World world;
  world.put("config", "old");
  world.finish();
  const auto file = world.begin("config.tmp", "new, ha");
  world.rename("config.tmp", "config");
  world.put("other", "whole");
  world.finish();
  CHECK(world.committed("config") == "old");
  CHECK(world.committed("config.tmp") == "(none)");
  REQUIRE(world.trees().append(file, as_bytes(std::string_view("lf done"))));
  world.trees().released_for_write(file);
  world.finish();
  CHECK(world.committed("config") == "new, half done");
}

TEST_CASE("a new file that is called as a removed directory leaves nothing of it in the commit", "[store]") {
  World world;
  MakeRequest directory;
  directory.kind = Kind::kDirectory;
  const auto made = world.trees().make(world.root(), "name", directory);
  REQUIRE(made);
  REQUIRE(world.trees().make(*made, "file", {}));
  world.finish();
  REQUIRE(world.trees().remove(*made, "file", false));
  REQUIRE(world.trees().remove(world.root(), "name", true));
  const auto file = world.begin("name", "half");
  world.finish();
  CHECK_FALSE(world.trees().lookup(world.trees().root(*world.trees().commit(world.head_commit())), "name"));
  world.trees().released_for_write(file);
  world.finish();
  CHECK(world.committed("name") == "half");
}

TEST_CASE("a file with several names is left out under all of them", "[store]") {
  World world;
  world.put("a", "before");
  REQUIRE(world.trees().link(world.at("a"), world.root(), "b"));
  world.finish();
  const auto file = world.begin("a", "half");
  REQUIRE(world.trees().link(file, world.root(), "c"));
  REQUIRE(world.trees().remove(world.root(), "b", false));
  world.put("other", "whole");
  world.finish();
  CHECK(world.committed("a") == "before");
  CHECK(world.committed("b") == "(none)");
  CHECK(world.committed("c") == "before");
  CHECK(world.committed_stat("a").links == 2);
  CHECK(world.committed_stat("c").link_id == world.committed_stat("a").link_id);
  CHECK(world.live("c") == "half");
  world.trees().released_for_write(file);
  world.open();
  CHECK(world.trees().stat(world.at("c"))->links == 2);
  world.finish();
  CHECK(world.committed("c") == "half");
  CHECK(world.committed_stat("a").links == 2);
}

TEST_CASE("a file that is left out again and again is as quick to read as before, and gives its room back", "[store]") {
  World world;
  const auto file = world.begin("log", "");
  std::string expected;
  for (int turn = 0; turn < 200; ++turn) {
    REQUIRE(world.trees().append(file, as_bytes(std::string_view("line\n"))));
    expected += "line\n";
    world.put("other", std::to_string(turn));
    REQUIRE(world.finish().made);
  }
  CHECK(world.live("log") == expected);
  CHECK(world.committed("log") == "(none)");
  world.trees().released_for_write(file);
  world.finish();
  CHECK(world.committed("log") == expected);
}

TEST_CASE("a file that was left out and removed before its commit was published is gone", "[store]") {
  World world;
  {
    const auto file = world.begin("file", std::string(100'000, 'x'));
    world.put("other", "whole");
    world.finish();
    REQUIRE(world.trees().remove(world.root(), "file", false));
    world.trees().released_for_write(file);
  }
  world.put("other", "again");
  world.finish();
  CHECK(world.live("file") == "(none)");
  CHECK(world.committed("file") == "(none)");
  world.open();
  CHECK(world.live("file") == "(none)");
}

TEST_CASE("while files are written and renamed by many, no commit that leaves them out has one by half", "[store]") {
  World world;
  constexpr int kThreads = 3;
  constexpr int kVersions = 80;
  std::atomic<bool> done{false};
  // each whole version of a file is one letter, 6,000 times
  const auto is_whole = [](const std::string& bytes) {
    return bytes.size() == 6000 && bytes.find_first_not_of(bytes.front()) == bytes.npos;
  };
  const auto must = [](const auto& result) {
    if (!result) throw std::runtime_error(result.error().message);
  };
  std::vector<std::future<void>> threads;
  for (int number = 0; number < kThreads; ++number) {
    threads.push_back(std::async(std::launch::async, [&, number] {
      auto& trees = world.trees();
      const auto root = trees.root(*trees.branch(kMaster));
      const auto name = [&](int version) { return std::to_string(number) + (version / 5 % 2 == 0 ? "-even" : "-odd"); };
      MakeRequest request;
      request.exclusive = false;
      for (int version = 0; version < kVersions; ++version) {
        const std::string half(3000, static_cast<char>('a' + version % 26));
        const auto file = trees.make(root, name(version), request);
        must(file);
        trees.opened_for_write(*file, 0);
        AttributeChange empty;
        empty.size = 0;
        must(trees.set_attributes(*file, empty));
        must(trees.append(*file, as_bytes(half)));
        if (version % 5 == 4) must(trees.rename(root, name(version), root, name(version + 1), RenameMode::kReplace));
        must(trees.append(*file, as_bytes(half)));
        trees.released_for_write(*file);
      }
    }));
  }
  auto committer = std::async(std::launch::async, [&] {
    int commits = 0;
    std::optional<CommitId> last;
    while (!done) {
      FinishOptions options;
      options.leave_out_written = true;
      const auto finished = world.catalog().finish(kMaster, options);
      must(finished);
      if (!finished->made || finished->commit == last) continue;
      last = finished->commit;
      ++commits;
      const auto commit = world.catalog().commit(finished->commit);
      must(commit);
      const auto root = world.trees().root(*world.trees().commit(*commit));
      must(world.trees().list(root, "", [&](const ListedEntry& entry) {
        const auto file = world.trees().lookup(root, entry.name);
        std::string bytes(entry.stat.size, '\0');
        if (!file || !world.trees().read(*file, 0, std::as_writable_bytes(std::span(bytes)))) throw std::runtime_error("read");
        // a file that was made and not written to yet is no file being written
        if (!bytes.empty() && !is_whole(bytes)) throw std::runtime_error(entry.name + " is there by half");
        return true;
      }));
    }
    return commits;
  });
  for (auto& thread : threads) REQUIRE_NOTHROW(thread.get());
  done = true;
  int commits = 0;
  REQUIRE_NOTHROW(commits = committer.get());
  CHECK(commits > 0);
  world.open();
  const auto last = std::string(6000, static_cast<char>('a' + (kVersions - 1) % 26));
  for (int number = 0; number < kThreads; ++number) CHECK(world.live(std::to_string(number) + "-even") == last);
  world.finish();
  for (int number = 0; number < kThreads; ++number) CHECK(world.committed(std::to_string(number) + "-even") == last);
}

}  // namespace
}  // namespace pfs::test
