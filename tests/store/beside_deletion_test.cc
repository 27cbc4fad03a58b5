// What comes to point at a commit, or begins behind it, while it is being deleted.
#include <catch2/catch.hpp>

#include <atomic>
#include <functional>
#include <future>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "support/must.h"
#include "support/store_world.h"

namespace pfs::test {
namespace {

using namespace pfs::store;

/// Holds the first deletion up when it has seen all that it looks at, and before its transaction.
class Gate : public PublishHook {
 public:
  Result<void> on_moves(std::span<const HeadMove>, const BranchAfter&, RefTxn&) override { return {}; }
  void after_moves(std::span<const HeadMove>) override {}
  void after_discard(const BranchRef&) override {}
  Result<void> on_delete(const BranchRef&, DeletionOf, RefTxn&) override { return {}; }
  Result<void> on_commits_deleted(std::span<const CommitId>, RefTxn&) override {
    if (passed_.exchange(true)) return {};
    reached.set_value();
    open.get_future().wait();
    return {};
  }

  std::promise<void> reached;
  std::promise<void> open;

 private:
  std::atomic<bool> passed_{false};
};

class World : public StoreWorld {
 public:
  World() : StoreWorld({branch_ref("data@master"), branch_ref("data@dev")}) { store().set_publish_hook(&gate_); }
  ~World() { store().set_publish_hook(nullptr); }

  CommitId commit(const std::string& name) {
    make(root(), name);
    return finish();
  }
  Result<void> remove(const CommitId& id) {
    const std::vector<RefStep> step{DeleteCommit{*RepoName::parse("data"), id}};
    PFS_TRY(catalog().transact(step));
    return {};
  }
  Result<void> remove_beside(const CommitId& id, const std::function<void()>& meanwhile) {
    auto removed = std::async(std::launch::async, [&] { return remove(id); });
    gate_.reached.get_future().wait();
    try {
      meanwhile();
    } catch (...) {
      gate_.open.set_value();
      throw;
    }
    gate_.open.set_value();
    return removed.get();
  }
  bool is_there(const CommitId& id) { return catalog().commit(id).has_value(); }
  std::string names(const std::string& on) {
    std::string all;
    must(trees().list(root(on), "", [&](const ListedEntry& entry) {
      all += entry.name;
      return true;
    }));
    return all;
  }
  void check_heads() {
    for (const auto& branch : must(catalog().branches(std::nullopt))) {
      INFO(branch.ref.str());
      if (branch.head) CHECK(is_there(*branch.head));
      CHECK(trees().branch(branch.ref));
    }
  }

 private:
  Gate gate_;
};

TEST_CASE("a branch that is moved to a commit while that is being deleted goes back to its parent with the others", "[store][deletion]") {
  World world;
  const auto first = world.commit("a");
  const auto second = world.commit("b");
  std::string branch;
  std::function<void()> meanwhile;
  SECTION("a HEAD that is moved") {
    branch = "data@dev";
    meanwhile = [&] { must(world.catalog().retarget(branch_ref("data@dev"), commit_ref("data@" + second.hex()))); };
  }
  SECTION("a branch that is made") {
    branch = "data@new";
    meanwhile = [&] { must(world.catalog().create_branch(branch_ref("data@new"), second, false)); };
  }
  must(world.remove_beside(second, meanwhile));
  CHECK_FALSE(world.is_there(second));
  world.check_heads();
  CHECK(world.head() == first);
  CHECK(world.head(branch) == first);
  CHECK(world.names(branch) == "a");
  world.make(world.root(branch), "c");
  world.open();
  CHECK(world.names(branch) == "ac");
}

TEST_CASE("a branch that another comes to be made from while it is being deleted stays", "[store][deletion]") {
  World world;
  world.make_branch("out@master");
  int attempts = 0;
  const AddRecords beside{[&](RefTxn&) -> Result<void> {
    if (attempts++ > 0) return {};
    const std::vector<RefStep> relation{RelateBranch{branch_ref("out@master"), std::vector{branch_ref("data@master")}, {}}};
    must(std::async(std::launch::async, [&] { return world.catalog().transact(relation); }).get());
    return {};
  }};
  std::vector<RefStep> steps;
  SECTION("the branch") { steps = {DeleteBranch{branch_ref("data@master"), true}, beside}; }
  SECTION("its repo") { steps = {DeleteRepo{*RepoName::parse("data")}, beside}; }
  const auto removed = world.catalog().transact(steps);
  REQUIRE_FALSE(removed);
  CHECK(removed.error().code == Code::kBusy);
  CHECK(attempts == 1);
  must(world.catalog().branch(branch_ref("data@master")));
  CHECK(must(world.catalog().branch(branch_ref("out@master"))).provenance == std::vector{branch_ref("data@master")});
}

TEST_CASE("a commit that another was begun from while it was being deleted stays", "[store][deletion]") {
  World world;
  world.commit("a");
  const auto second = world.commit("b");
  const auto removed = world.remove_beside(second, [&] {
    const std::vector<RefStep> start{StartCommit{branch_ref("data@new"), "", commit_ref("data@" + second.hex())}};
    must(world.catalog().transact(start));
  });
  REQUIRE_FALSE(removed);
  CHECK(removed.error().code == Code::kBusy);
  CHECK(world.is_there(second));
  CHECK(world.head("data@new") == second);
  world.check_heads();
}

TEST_CASE("a commit that is made while an older one is being deleted has its place in what is left", "[store][deletion]") {
  World world;
  const auto first = world.commit("a");
  const auto second = world.commit("b");
  world.commit("c");
  CommitId fourth;
  must(world.remove_beside(first, [&] { fourth = world.commit("d"); }));
  CHECK_FALSE(world.is_there(first));
  CHECK(must(world.catalog().commit(fourth)).generation == 3);
  const auto fifth = world.commit("e");
  CHECK(must(world.catalog().commit(fifth)).generation == 4);
  CHECK(must(world.catalog().resolve(commit_ref("data@master^3"))).id == second);
  CHECK_FALSE(world.catalog().resolve(commit_ref("data@master^4")));
  CHECK(world.names("data@master") == "abcde");
}

TEST_CASE("commits that are deleted at the same time are both gone", "[store][deletion]") {
  World world;
  const auto first = world.commit("a");
  const auto second = world.commit("b");
  const auto third = world.commit("c");
  const auto fourth = world.commit("d");
  must(world.remove_beside(second, [&] { must(world.remove(third)); }));
  CHECK_FALSE(world.is_there(second));
  CHECK_FALSE(world.is_there(third));
  CHECK(must(world.catalog().commit(fourth)).parent == first);
  CHECK(must(world.catalog().commits(*RepoName::parse("data"), std::nullopt, 10)).size() == 2);
  CHECK(must(world.catalog().resolve(commit_ref("data@master^1"))).id == first);
}

TEST_CASE("a commit that the same transaction moves a HEAD to is not deleted", "[store][deletion]") {
  World world;
  world.commit("a");
  const auto second = world.commit("b");
  const std::vector<RefStep> steps{MoveHead{branch_ref("data@dev"), commit_ref("data@" + second.hex()), {}},
                                   DeleteCommit{*RepoName::parse("data"), second}};
  const auto done = world.catalog().transact(steps);
  REQUIRE_FALSE(done);
  CHECK(done.error().code == Code::kBusy);
  CHECK(world.is_there(second));
  CHECK_FALSE(world.head("data@dev"));
  world.check_heads();
}

}  // namespace
}  // namespace pfs::test
