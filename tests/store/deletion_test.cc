// Repos and commits that go, branches that are made from others, and commits that begin elsewhere.
#include <catch2/catch.hpp>

#include "support/must.h"
#include "support/store_world.h"

namespace pfs::test {
namespace {

using namespace pfs::store;

RepoName repo(const std::string& text) { return *RepoName::parse(text); }

class World : public StoreWorld {
 public:
  CommitId commit(const std::string& on, const std::string& name) {
    put(on, name);
    return finish(on);
  }
  void put(const std::string& on, const std::string& name) { make(root(on), name); }
  std::string names(const std::string& on) {
    std::string all;
    must(trees().list(root(on), "", [&](const ListedEntry& entry) {
      all += entry.name;
      return true;
    }));
    return all;
  }
  Result<void> run(RefStep step) {
    PFS_TRY(catalog().transact({&step, 1}));
    return {};
  }
  Result<void> run(const std::vector<RefStep>& steps) {
    PFS_TRY(catalog().rehearse(steps));
    PFS_TRY(catalog().transact(steps));
    return {};
  }
};

TEST_CASE("a deleted repo is gone with its branches, logs and commits, and its name is free", "[store][deletion]") {
  World world;
  world.make_branch("data@master");
  world.make_branch("data@dev");
  world.make_branch("other@master");
  const auto id = world.commit("data@master", "f");
  const auto kept = world.commit("other@master", "f");
  world.put("data@dev", "open");
  must(world.run(DeleteRepo{repo("data")}));
  CHECK(world.catalog().repo(repo("data")).error().code == Code::kNotFound);
  CHECK(world.catalog().branch(branch_ref("data@master")).error().code == Code::kNotFound);
  CHECK(world.catalog().commit(id).error().code == Code::kNotFound);
  CHECK(must(world.catalog().commit(kept)).id == kept);
  CHECK(world.run(DeleteRepo{repo("data")}).error().code == Code::kNotFound);

  world.open();
  world.make_branch("data@master");
  CHECK(must(world.catalog().commits(repo("data"), {}, 10)).empty());
  CHECK(must(world.catalog().log(branch_ref("data@master"), 10)).empty());
  CHECK(world.names("data@master").empty());
  world.commit("data@master", "g");
  CHECK(world.names("data@master") == "g");
}

TEST_CASE("what another branch is made from is deleted by force only", "[store][deletion]") {
  World world;
  world.make_branch("data@master");
  world.make_branch("out@master");
  must(world.run(RelateBranch{branch_ref("out@master"), std::vector{branch_ref("data@master")}, {}}));
  CHECK(world.run(DeleteRepo{repo("data")}).error().code == Code::kBusy);
  CHECK(world.run(DeleteBranch{branch_ref("data@master"), true}).error().code == Code::kBusy);
  must(world.run(DeleteRepo{repo("data"), true}));
  CHECK(must(world.catalog().branch(branch_ref("out@master"))).provenance.size() == 1);
}

TEST_CASE("what a transaction makes a branch from, it cannot delete", "[store][deletion]") {
  World world;
  world.make_branch("data@master");
  world.make_branch("out@master");
  const CreateBranch made{branch_ref("out@new"), {}};
  const RelateBranch related{branch_ref("out@new"), std::vector{branch_ref("data@master")}, {}};
  const DeleteBranch deleted{branch_ref("data@master"), true};
  const auto refused = [&](const std::vector<RefStep>& steps) {
    const auto done = world.run(steps);
    REQUIRE_FALSE(done);
    CHECK(done.error().code == Code::kBusy);
  };
  refused({made, related, deleted});
  refused({made, related, DeleteRepo{repo("data")}});
  // a repo that goes is not in the way, the one that is made in its place is
  refused({DeleteRepo{repo("out")}, CreateRepo{repo("out"), ""}, made, related, deleted});
  CHECK_FALSE(world.catalog().branch(branch_ref("out@new")));
  must(world.catalog().branch(branch_ref("data@master")));

  // nor is a branch that the transaction has deleted before
  must(world.run({made, related}));
  refused({deleted, DeleteBranch{branch_ref("out@new"), true}});
  must(world.run({DeleteBranch{branch_ref("out@new"), true}, deleted}));
}

TEST_CASE("repos that branches of one another are made from can go together", "[store][deletion]") {
  World world;
  world.make_branch("data@master");
  world.make_branch("out@master");
  must(world.run(RelateBranch{branch_ref("out@master"), std::vector{branch_ref("data@master")}, {}}));
  must(world.run({DeleteRepo{repo("data")}, DeleteRepo{repo("out")}}));
  CHECK(must(world.catalog().repos()).empty());
}

TEST_CASE("a branch can be made from one whose own origin was deleted by force", "[store][deletion]") {
  World world;
  for (const auto* name : {"data@a", "data@b", "data@c"}) world.make_branch(name);
  must(world.run(RelateBranch{branch_ref("data@b"), std::vector{branch_ref("data@a")}, {}}));
  must(world.run(DeleteBranch{branch_ref("data@a"), true, true}));
  must(world.run(RelateBranch{branch_ref("data@c"), std::vector{branch_ref("data@b")}, {}}));
  CHECK(world.run(RelateBranch{branch_ref("data@c"), std::vector{branch_ref("data@a")}, {}}).error().code == Code::kNotFound);
  // made again it is no loop's end
  world.make_branch("data@a");
  CHECK(world.run(RelateBranch{branch_ref("data@a"), std::vector{branch_ref("data@c")}, {}}).error().code == Code::kInvalid);
}

TEST_CASE("a branch and the commit that it is at are deleted in one transaction", "[store][deletion]") {
  World world;
  world.make_branch("data@master");
  const auto first = world.commit("data@master", "a");
  const auto second = world.commit("data@master", "b");
  must(world.catalog().create_branch(branch_ref("data@copy"), second, false));
  bool force = false;
  SECTION("a branch with nothing to commit") {}
  SECTION("one with changes") { world.put("data@copy", "c"); }
  SECTION("one with a commit that was started by hand") {
    must(world.catalog().start_commit(branch_ref("data@copy"), ""));
    world.put("data@copy", "c");
    force = true;
  }
  must(world.run({DeleteBranch{branch_ref("data@copy"), true, force}, DeleteCommit{repo("data"), second}}));
  CHECK_FALSE(world.catalog().branch(branch_ref("data@copy")));
  CHECK_FALSE(world.catalog().commit(second));
  CHECK(world.head("data@master") == first);
  CHECK(world.names("data@master") == "a");
  world.open();
  CHECK(world.names("data@master") == "a");
}

TEST_CASE("a provenance and a trigger do not go together, and neither may be a loop", "[store][deletion]") {
  World world;
  for (const auto* name : {"data@a", "data@b", "data@c"}) world.make_branch(name);
  const auto follows = [](const std::string& name) {
    BranchTrigger trigger;
    trigger.branch = *BranchName::parse(name);
    trigger.commits = 1;
    return trigger;
  };
  must(world.run(RelateBranch{branch_ref("data@a"), {}, follows("b")}));
  must(world.run(RelateBranch{branch_ref("data@b"), {}, follows("not-yet")}));
  must(world.run(RelateBranch{branch_ref("data@b"), {}, follows("c")}));
  CHECK(world.run(RelateBranch{branch_ref("data@c"), {}, follows("a")}).error().code == Code::kInvalid);
  CHECK(world.run(RelateBranch{branch_ref("data@c"), {}, follows("c")}).error().code == Code::kInvalid);
  CHECK(world.run(RelateBranch{branch_ref("data@a"), std::vector{branch_ref("data@c")}, {}}).error().code == Code::kInvalid);
  world.make_branch("data@d");
  must(world.run(RelateBranch{branch_ref("data@c"), std::vector{branch_ref("data@d")}, {}}));
  CHECK(world.run(RelateBranch{branch_ref("data@d"), std::vector{branch_ref("data@c")}, {}}).error().code == Code::kInvalid);
  CHECK(world.run(RelateBranch{branch_ref("data@d"), std::vector{branch_ref("data@none")}, {}}).error().code == Code::kNotFound);
}

TEST_CASE("a deleted commit's children have its parent, and keep what they hold", "[store][deletion]") {
  World world;
  world.make_branch("data@master");
  std::vector<CommitId> made;
  for (const auto* name : {"a", "b", "c", "d", "e"}) made.push_back(world.commit("data@master", name));
  must(world.run(DeleteCommit{repo("data"), made[1], true}));
  CHECK(world.catalog().commit(made[1]).error().code == Code::kNotFound);
  CHECK(must(world.catalog().commit(made[2])).parent == made[0]);
  CHECK(must(world.catalog().resolve(commit_ref("data@master^3"))).id == made[0]);
  CHECK(must(world.catalog().resolve(commit_ref("data@master.2"))).id == made[2]);
  CHECK_FALSE(world.catalog().resolve(commit_ref("data@master^4")));
  CHECK(world.names("data@master") == "abcde");
  CHECK(must(world.catalog().commits(repo("data"), {}, 10)).size() == 4);
  CHECK(must(world.catalog().commits(repo("data"), {}, 3)).size() == 3);
  CHECK(must(world.catalog().commits(repo("data"), {}, 0)).empty());

  // the first of all
  must(world.run(DeleteCommit{repo("data"), made[0]}));
  CHECK_FALSE(must(world.catalog().commit(made[2])).parent);
  CHECK(must(world.catalog().resolve(commit_ref("data@master.1"))).id == made[2]);
}

TEST_CASE("branches at a deleted commit go back to its parent, or have no HEAD", "[store][deletion]") {
  World world;
  world.make_branch("data@master");
  const auto first = world.commit("data@master", "a");
  const auto second = world.commit("data@master", "b");
  must(world.catalog().create_branch(branch_ref("data@copy"), second, false));
  CHECK(world.run(DeleteCommit{repo("data"), second, true}).error().code == Code::kInvalid);
  must(world.run(DeleteCommit{repo("data"), second}));
  CHECK(world.head("data@master") == first);
  CHECK(world.head("data@copy") == first);
  CHECK(world.names("data@master") == "a");
  CHECK(world.names("data@copy") == "a");
  must(world.run(DeleteCommit{repo("data"), first}));
  CHECK_FALSE(world.head("data@master"));
  CHECK(world.names("data@master").empty());
  world.commit("data@master", "c");
  CHECK(world.names("data@master") == "c");
  world.open();
  CHECK(world.names("data@master") == "c");
  CHECK(world.names("data@copy").empty());
}

TEST_CASE("what is not committed when its branch's HEAD is deleted becomes a commit", "[store][deletion]") {
  World world;
  world.make_branch("data@master");
  const auto first = world.commit("data@master", "a");
  world.put("data@master", "b");
  must(world.run(DeleteCommit{repo("data"), first}));
  CHECK(world.names("data@master") == "ab");
  const auto head = must(world.catalog().commit(*world.head("data@master")));
  CHECK_FALSE(head.parent);
  CHECK(head.generation == 1);
}

TEST_CASE("what was made from a deleted commit goes with it", "[store][deletion]") {
  World world;
  world.make_branch("data@master");
  world.make_branch("out@master");
  const auto first = world.commit("data@master", "a");
  const auto publish = [&](const CommitId& cause) {
    const auto root = must(world.catalog().commit(cause)).root;
    return must(world.catalog().publish_tree(branch_ref("out@master"), "", root, {{branch_ref("data@master"), cause}}, {}, nullptr)).id;
  };
  const auto made_first = publish(first);
  const auto second = world.commit("data@master", "b");
  const auto made_second = publish(second);
  CHECK(world.run(DeleteCommit{repo("out"), made_second}).error().code == Code::kReadOnly);
  must(world.run(DeleteCommit{repo("data"), second}));
  CHECK(world.catalog().commit(made_second).error().code == Code::kNotFound);
  CHECK(world.head("out@master") == made_first);
  CHECK(world.names("out@master") == "a");
}

TEST_CASE("a commit that begins elsewhere has that parent and content", "[store][deletion]") {
  World world;
  world.make_branch("data@master");
  const auto first = world.commit("data@master", "a");
  const auto second = world.commit("data@master", "b");
  must(world.run(StartCommit{branch_ref("data@master"), "", commit_ref("data@" + first.hex())}));
  CHECK(world.names("data@master") == "a");
  world.put("data@master", "c");
  const auto third = must(world.catalog().finish(branch_ref("data@master"), {})).commit;
  CHECK(must(world.catalog().commit(third)).parent == first);
  CHECK(world.names("data@master") == "ac");
  // and on a branch that is made by it
  must(world.run(StartCommit{branch_ref("data@dev"), "", commit_ref("data@" + second.hex())}));
  CHECK(world.names("data@dev") == "ab");
  CHECK(world.run(StartCommit{branch_ref("data@dev"), "", commit_ref("data@" + first.hex())}).error().code == Code::kBusy);
}

}  // namespace
}  // namespace pfs::test
