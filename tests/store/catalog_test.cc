// What happens to refs: steps in one transaction, HEADs that move, commits that are discarded, branches that are renamed.
#include <catch2/catch.hpp>

#include <array>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "store/catalog_world.h"

namespace pfs::test {
namespace {

using namespace pfs::store;
using World = CatalogWorld;

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
  world.make_branch("data@master");
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

TEST_CASE("somebody else's records are written with the steps, or none of both", "[store]") {
  World world;
  world.make_branch("data@master");
  const auto add = [](std::optional<Seq> expected) {
    return AddRecords{[expected](RefTxn& txn) -> Result<void> {
      txn.expect.push_back({"mine/a", expected});
      txn.put.push_back({"mine/a", "1"});
      return {};
    }};
  };
  const auto steps = [&](const AddRecords& records) {
    return std::vector<RefStep>{CreateRepo{*RepoName::parse("out"), ""}, CreateBranch{branch_ref("out@master"), {}},
                                SetOutput{branch_ref("out@master"), "copy"}, records};
  };
  CHECK_FALSE(world.catalog().transact(steps(AddRecords{[](RefTxn&) { return Result<void>(Error{Code::kInvalid, "no"}); }})));
  CHECK_FALSE(world.catalog().transact(steps(add(Seq(7)))));
  CHECK_FALSE(world.catalog().repo(*RepoName::parse("out")));
  REQUIRE(world.catalog().transact(steps(add(std::nullopt))));
  CHECK(world.catalog().branch(branch_ref("out@master"))->output_of == "copy");

  const std::vector<RefStep> others{SetOutput{branch_ref("out@master"), "other"}};
  CHECK(world.catalog().transact(others).error().code == Code::kBusy);
  const std::vector<RefStep> freed{SetOutput{branch_ref("out@master"), ""}};
  REQUIRE(world.catalog().transact(freed));
  CHECK(world.catalog().branch(branch_ref("out@master"))->output_of.empty());
}

TEST_CASE("branches finished in one transaction are published together or not at all", "[store]") {
  World world;
  world.make_branch("a@master");
  world.make_branch("b@master");
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
  world.make_branch("data@master");
  world.make_branch("data@staging");
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
  world.make_branch("data@master");
  world.make_branch("data@staging");
  world.put("data@staging", "f", "new");
  const std::vector<RefStep> steps{FinishCommit{branch_ref("data@staging"), {}}, MoveHead{branch_ref("data@master"), commit_ref("data@staging"), {}}};
  REQUIRE(world.catalog().transact(steps));
  CHECK(world.head("data@master") == world.head("data@staging"));
  CHECK(world.get("data@master", "f") == "new");
  world.open();
  CHECK(world.get("data@master", "f") == "new");
}

TEST_CASE("a discarded commit is gone, whole, for good", "[store]") {
  World world;
  world.make_branch("data@master");
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
  world.make_branch("data@master");
  world.make_branch("data@staging");
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
  world.make_branch("data@master");
  world.put("data@master", "f", "one");
  REQUIRE(world.catalog().delete_branch(branch_ref("data@master"), true));
  world.make_branch("data@master");
  CHECK_FALSE(world.has("data@master", "f"));
  world.put("data@master", "g", "two");
  world.open();
  CHECK_FALSE(world.has("data@master", "f"));
  CHECK(world.get("data@master", "g") == "two");
}

TEST_CASE("a branch that is renamed onto the name of one that was deleted goes on with both logs", "[store]") {
  World world;
  world.make_branch("data@old");
  world.put("data@old", "f", "zero");
  const auto former = world.finish("data@old");
  REQUIRE(world.catalog().delete_branch(branch_ref("data@old"), true));
  world.make_branch("data@dev");
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
  world.make_branch("data@dev");
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
  world.make_branch("data@dev");
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
  world.make_branch("data@dev");
  world.make_branch("data@release");
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
