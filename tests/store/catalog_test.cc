#include <catch2/catch.hpp>

#include <array>
#include <atomic>
#include <future>
#include <map>
#include <thread>

#include <boost/filesystem.hpp>

#include "base/clock.h"
#include "store/store.h"
#include "support/temporary_directory.h"

namespace pfs::test {
namespace {

using namespace pfs::store;

BranchRef branch_ref(const std::string& text) { return *BranchRef::parse(text); }
CommitRef commit_ref(const std::string& text) { return *CommitRef::parse(text); }

class World {
 public:
  World() { open(); }

  void open() {
    store_.reset();
    StoreOptions options;
    options.path = directory_ / "store";
    options.clock = &clock_;
    options.automatic_commits = false;
    auto opened = Store::open(options);
    REQUIRE(opened);
    store_ = std::move(*opened);
    REQUIRE(store_->resume());
  }

  Store& store() { return *store_; }
  Catalog& catalog() { return store_->catalog(); }
  LiveTrees& trees() { return store_->trees(); }

  void make(const std::string& branch) { REQUIRE(catalog().create_branch(branch_ref(branch), std::nullopt, true)); }
  NodePtr root(const std::string& branch) {
    auto tree = trees().branch(branch_ref(branch));
    REQUIRE(tree);
    return trees().root(*tree);
  }
  NodePtr put(const std::string& branch, const std::string& name, const std::string& bytes) {
    MakeRequest request;
    request.exclusive = false;
    auto file = trees().make(root(branch), name, request);
    REQUIRE(file);
    REQUIRE(trees().write(*file, 0, std::as_bytes(std::span(bytes))));
    return *file;
  }
  std::string get(const std::string& branch, const std::string& name) {
    auto file = trees().lookup(root(branch), name);
    if (!file) return "(" + file.error().message + ")";
    std::string bytes(100, '\0');
    auto got = trees().read(*file, 0, std::as_writable_bytes(std::span(bytes)));
    REQUIRE(got);
    bytes.resize(*got);
    return bytes;
  }
  bool has(const std::string& branch, const std::string& name) { return trees().lookup(root(branch), name).has_value(); }
  CommitId finish(const std::string& branch) {
    auto done = catalog().finish(branch_ref(branch), {});
    REQUIRE(done);
    return done->commit;
  }
  std::optional<CommitId> head(const std::string& branch) {
    auto found = catalog().branch(branch_ref(branch));
    REQUIRE(found);
    return found->head;
  }
  std::size_t staged_segments() const {
    const auto path = directory_ / "store/stage/log";
    return static_cast<std::size_t>(std::distance(boost::filesystem::directory_iterator(path), boost::filesystem::directory_iterator()));
  }

 private:
  TemporaryDirectory directory_;
  SystemClock clock_;
  std::unique_ptr<Store> store_;
};

/// Refuses, or holds up, the moves of one branch.
class Gate : public PublishHook {
 public:
  Result<void> on_moves(std::span<const HeadMove> moves, const BranchAfter&, RefTxn&) override {
    for (const auto& move : moves) {
      if (move.branch == refused) return Error{Code::kUnavailable, "refused by the test"};
      if (move.branch == held) {
        reached.set_value();
        open.get_future().wait();
      }
    }
    return {};
  }
  void after_moves(std::span<const HeadMove> moves) override { told += static_cast<int>(moves.size()); }
  void after_discard(const BranchRef&) override {}
  Result<void> on_delete(const BranchRef&, store::DeletionOf) override { return {}; }
  Result<void> on_commits_deleted(std::span<const CommitId>, store::RefTxn&) override { return {}; }

  std::optional<BranchRef> refused;
  std::optional<BranchRef> held;
  std::promise<void> reached;
  std::promise<void> open;
  std::atomic<int> told{0};
};

TEST_CASE("steps see what those before them did, and are one transaction", "[store]") {
  World world;
  const std::vector<RefStep> steps{CreateRepo{*RepoName::parse("data"), "pictures"}, CreateBranch{branch_ref("data@master"), {}, false},
                                   StartCommit{branch_ref("data@master"), "first"}, FinishCommit{branch_ref("data@master"), {}},
                                   CreateBranch{branch_ref("data@copy"), commit_ref("data@master"), false}};
  const auto done = world.catalog().transact(steps);
  REQUIRE(done);
  REQUIRE(done->size() == 5);
  CHECK((*done)[2].commit == (*done)[3].commit);
  CHECK(world.head("data@copy") == (*done)[3].commit);
  CHECK(world.catalog().commit((*done)[3].commit)->description == "first");
  CHECK(world.catalog().repo(*RepoName::parse("data"))->description == "pictures");
}

TEST_CASE("a step that is refused leaves none of the others", "[store]") {
  World world;
  world.make("data@master");
  world.put("data@master", "f", "one");
  const std::vector<RefStep> steps{CreateRepo{*RepoName::parse("other"), ""}, FinishCommit{branch_ref("data@master"), {}},
                                   CreateBranch{branch_ref("data@master"), {}, false}};
  const auto done = world.catalog().transact(steps);
  REQUIRE_FALSE(done);
  CHECK(done.error().code == Code::kExists);
  CHECK_FALSE(world.catalog().repo(*RepoName::parse("other")));
  CHECK_FALSE(world.head("data@master"));
  CHECK(world.get("data@master", "f") == "one");
  // and what was frozen for it is still a commit's worth of changes
  CHECK(world.catalog().open_commit(branch_ref("data@master"))->changed);
  world.finish("data@master");
  CHECK(world.head("data@master"));
}

TEST_CASE("branches finished in one transaction are published together or not at all", "[store]") {
  World world;
  world.make("a@master");
  world.make("b@master");
  world.put("a@master", "f", "one");
  world.put("b@master", "f", "two");
  Gate gate;
  gate.refused = branch_ref("b@master");
  world.store().set_publish_hook(&gate);
  const std::vector<RefStep> steps{FinishCommit{branch_ref("a@master"), {}}, FinishCommit{branch_ref("b@master"), {}}};
  CHECK_FALSE(world.catalog().transact(steps));
  CHECK_FALSE(world.head("a@master"));
  CHECK_FALSE(world.head("b@master"));
  CHECK(gate.told == 0);
  gate.refused.reset();
  REQUIRE(world.catalog().transact(steps));
  CHECK(world.head("a@master"));
  CHECK(world.head("b@master"));
  CHECK(gate.told == 2);
  world.store().set_publish_hook(nullptr);
}

TEST_CASE("a HEAD moves only from where it was expected", "[store]") {
  World world;
  world.make("data@master");
  world.make("data@staging");
  world.put("data@master", "f", "one");
  const auto first = world.finish("data@master");
  world.put("data@master", "f", "two");
  const auto second = world.finish("data@master");
  world.put("data@staging", "f", "three");
  const auto staged = world.finish("data@staging");

  const std::array<RefStep, 1> wrong{MoveHead{branch_ref("data@master"), commit_ref("data@staging"), first}};
  const auto refused = world.catalog().transact(wrong);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::kConflict);
  CHECK(world.head("data@master") == second);
  const std::array<RefStep, 1> right{MoveHead{branch_ref("data@master"), commit_ref("data@staging"), second}};
  REQUIRE(world.catalog().transact(right));
  CHECK(world.head("data@master") == staged);
  CHECK(world.get("data@master", "f") == "three");
}

TEST_CASE("a commit that is finished and pointed to in one transaction", "[store]") {
  World world;
  world.make("data@master");
  world.make("data@staging");
  world.put("data@staging", "f", "new");
  const std::vector<RefStep> steps{FinishCommit{branch_ref("data@staging"), {}}, MoveHead{branch_ref("data@master"), commit_ref("data@staging"), {}}};
  REQUIRE(world.catalog().transact(steps));
  CHECK(world.head("data@master") == world.head("data@staging"));
  CHECK(world.get("data@master", "f") == "new");
  world.open();
  CHECK(world.get("data@master", "f") == "new");
}

TEST_CASE("one branch's long finish keeps no other branch waiting", "[store]") {
  World world;
  world.make("slow@master");
  world.make("quick@master");
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
  world.make("slow@master");
  world.make("quick@master");
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
  world.make("slow@master");
  world.make("quick@master");
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
  CHECK(world.get("slow@master", "stays") == big.substr(0, 100));
  world.finish("slow@master");
  CHECK(world.get("slow@master", "stays") == big.substr(0, 100));
}

TEST_CASE("a directory of many files is changed while its commit is being finished", "[store]") {
  constexpr int kFiles = 6000;  // more than are folded in one batch
  World world;
  world.make("data@master");
  world.make("other@master");
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

TEST_CASE("a discarded commit is gone, whole, for good", "[store]") {
  World world;
  world.make("data@master");
  world.put("data@master", "f", "one");
  const auto head = world.finish("data@master");
  REQUIRE(world.catalog().start_commit(branch_ref("data@master"), "by hand"));
  const auto open = world.catalog().open_commit(branch_ref("data@master"))->id;
  auto held = world.put("data@master", "f", "changed");
  MakeRequest directory;
  directory.kind = Kind::kDirectory;
  {
    const auto made = world.trees().make(world.root("data@master"), "d", directory);
    REQUIRE(made);
    REQUIRE(world.trees().make(*made, "below", {}));
  }

  REQUIRE(world.catalog().discard(branch_ref("data@master")));
  CHECK(world.get("data@master", "f") == "one");
  CHECK_FALSE(world.has("data@master", "d"));
  const auto after = world.catalog().open_commit(branch_ref("data@master"));
  CHECK_FALSE(after->by_hand);
  CHECK_FALSE(after->changed);
  CHECK(after->id != open);
  CHECK(world.head("data@master") == head);
  // who has the file open goes on reading what it wrote
  std::string bytes(7, '\0');
  CHECK(*world.trees().read(held, 0, std::as_writable_bytes(std::span(bytes))) == 7);
  CHECK(bytes == "changed");
  held.reset();
  world.put("data@master", "g", "later");
  world.open();
  CHECK(world.get("data@master", "f") == "one");
  CHECK(world.get("data@master", "g") == "later");
  world.finish("data@master");
  CHECK_FALSE(world.has("data@master", "d"));
}

TEST_CASE("what a rename has joined cannot be discarded alone", "[store]") {
  World world;
  world.make("data@master");
  world.make("data@staging");
  world.put("data@staging", "f", "one");
  REQUIRE(world.trees().rename(world.root("data@staging"), "f", world.root("data@master"), "f", RenameMode::kReplace));
  const auto refused = world.catalog().discard(branch_ref("data@master"));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::kBusy);
  world.finish("data@master");
  CHECK(world.get("data@master", "f") == "one");
  REQUIRE(world.catalog().discard(branch_ref("data@master")));
}

TEST_CASE("a branch that is made again under its name begins empty", "[store]") {
  World world;
  world.make("data@master");
  world.put("data@master", "f", "one");
  REQUIRE(world.catalog().delete_branch(branch_ref("data@master"), true));
  world.make("data@master");
  CHECK_FALSE(world.has("data@master", "f"));
  world.put("data@master", "g", "two");
  world.open();
  CHECK_FALSE(world.has("data@master", "f"));
  CHECK(world.get("data@master", "g") == "two");
}

TEST_CASE("many threads on many branches: every change is in a commit, none is in two places", "[store]") {
  World world;
  constexpr int kBranches = 4;
  constexpr int kChanges = 40;
  for (int i = 0; i < kBranches; ++i) world.make("data@b" + std::to_string(i));
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
  world.make("data@master");
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

TEST_CASE("a branch that is renamed onto the name of one that was deleted goes on with both logs", "[store]") {
  World world;
  world.make("data@old");
  world.put("data@old", "f", "zero");
  const auto former = world.finish("data@old");
  REQUIRE(world.catalog().delete_branch(branch_ref("data@old"), true));
  world.make("data@dev");
  world.put("data@dev", "f", "one");
  const auto first = world.finish("data@dev");
  REQUIRE(world.catalog().rename_branch(branch_ref("data@dev"), branch_ref("data@old")));
  world.put("data@old", "f", "two");
  const auto second = world.finish("data@old");
  const auto log = world.catalog().log(branch_ref("data@old"), 10);
  REQUIRE(log);
  REQUIRE(log->size() == 3);
  CHECK((*log)[0].new_head == second);
  CHECK((*log)[1].new_head == first);
  CHECK((*log)[2].new_head == former);
  CHECK((*log)[0].number == 3);
  // the old name has what a deleted branch leaves, so that a number is never given twice
  CHECK(world.catalog().log(branch_ref("data@dev"), 10)->size() == 1);
  world.open();
  CHECK(world.get("data@old", "f") == "two");
  CHECK_FALSE(world.catalog().branch(branch_ref("data@dev")));
}

TEST_CASE("a commit that was started by hand stays open when its branch is renamed", "[store]") {
  World world;
  world.make("data@dev");
  const auto open = world.catalog().start_commit(branch_ref("data@dev"), "by hand");
  REQUIRE(open);
  world.put("data@dev", "f", "one");
  REQUIRE(world.catalog().rename_branch(branch_ref("data@dev"), branch_ref("data@release")));
  world.open();
  const auto after = world.catalog().open_commit(branch_ref("data@release"));
  REQUIRE(after);
  CHECK(after->id == *open);
  CHECK(after->by_hand);
  CHECK(after->description == "by hand");
  CHECK(world.get("data@release", "f") == "one");
  CHECK(world.finish("data@release") == *open);
}

TEST_CASE("who meets a renamed branch by either name writes into the one tree that it has", "[store]") {
  World world;
  world.make("data@dev");
  const auto root = world.root("data@dev");
  std::atomic<bool> enough = false;
  std::atomic<int> written = 0;
  std::string trouble;
  std::thread writer([&] {
    while (!enough && trouble.empty()) {
      for (const auto* name : {"data@dev", "data@release"}) {
        auto tree = world.trees().branch(branch_ref(name));
        if (!tree && tree.error().code == Code::kNotFound) continue;
        if (!tree) trouble = tree.error().message;
        if (tree && world.trees().root(*tree) != root) trouble = std::string("another tree at ") + name;
        if (!trouble.empty()) return;
        auto made = world.trees().make(world.trees().root(*tree), std::to_string(written), {});
        if (!made) trouble = made.error().message;
        ++written;
      }
    }
  });
  for (int i = 0; i < 200; ++i) {
    const auto from = branch_ref(i % 2 == 0 ? "data@dev" : "data@release");
    const auto to = branch_ref(i % 2 == 0 ? "data@release" : "data@dev");
    const auto renamed = world.catalog().rename_branch(from, to);
    CHECK(renamed);
  }
  enough = true;
  writer.join();
  CHECK(trouble == "");
  world.open();
  for (int i = 0; i < written; ++i) CHECK(world.has("data@dev", std::to_string(i)));
}

TEST_CASE("a rename that is refused leaves the branch and its name alone", "[store]") {
  World world;
  world.make("data@dev");
  world.make("data@release");
  world.put("data@dev", "f", "one");
  CHECK(world.catalog().rename_branch(branch_ref("data@dev"), branch_ref("data@release")).error().code == Code::kExists);
  CHECK(world.catalog().rename_branch(branch_ref("data@dev"), branch_ref("other@dev")).error().code == Code::kNotPermitted);
  CHECK(world.catalog().rename_branch(branch_ref("data@none"), branch_ref("data@new")).error().code == Code::kNotFound);
  CHECK(world.get("data@dev", "f") == "one");
  CHECK_FALSE(world.has("data@release", "f"));
  CHECK_FALSE(world.catalog().branch(branch_ref("data@new")));
}

}  // namespace
}  // namespace pfs::test
