// Changes of the API become a commit in a step of their own: what others do to the branch in between.
#include "api/internal/live_branch.h"

#include <functional>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "support/must.h"
#include "support/store_world.h"

namespace pfs::test {
namespace {

/// Does something whenever the store is about to finish a commit that was asked for, before it
/// claims the branch.
class Interrupter final : public store::TreeObserver {
 public:
  void name_changed(const store::NodePtr&, const std::string&,
                    const std::vector<store::NodePtr>&) override {}
  void attributes_changed(const store::NodePtr&) override {}
  std::shared_ptr<void> trees_replacing(const std::set<BranchRef>&) override { return nullptr; }
  void tree_replaced(const store::NodePtr&, const std::vector<std::string>&,
                     const std::vector<store::NodePtr>&) override {}
  void branch_changed(const BranchRef&) override {}
  void commits_deleted(const RepoName&, const std::vector<CommitId>&) override {}
  bool write_back(const BranchRef&) override {
    ++asked;
    if (before) before();
    return true;
  }

  std::function<void()> before;
  int asked = 0;
};

class World : public StoreWorld {
 public:
  World() : StoreWorld({branch_ref("data@master")}) {}

  api::LiveBranch live() {
    return must(api::LiveBranch::open(store(), branch_ref("data@master"), api::Caller{},
                                      api::LiveBranch::IfMissing::kFail));
  }
  void put(const api::LiveBranch& branch, const std::string& name) {
    make(branch.root(), name, store::Kind::kFile, name);
  }
  std::size_t commits() {
    const auto master = branch_ref("data@master");
    return must(catalog().commits(master.repo, master.branch, 1000)).size();
  }
  bool by_hand() { return must(catalog().branch(branch_ref("data@master"))).opened_by_hand; }
};

TEST_CASE("a commit that is started by hand while something is put is not finished by the put",
          "[api]") {
  World world;
  const int after = GENERATE(0, 1);  // also between the looks at a branch in which nothing changed
  const bool changes = after == 0;
  Interrupter others;
  CommitId started;
  others.before = [&] {
    if (others.asked == after + 1)
      started = must(world.catalog().start_commit(branch_ref("data@master"), "mine"));
  };
  world.store().set_observer(&others);
  auto branch = world.live();
  if (changes) world.put(branch, "f");
  const auto answered = must(branch.commit());
  world.store().set_observer(nullptr);
  CAPTURE(after);
  REQUIRE(started);
  CHECK(answered == started);
  CHECK(world.by_hand());
  CHECK(world.commits() == 0);
  CHECK(world.finish() == started);
  CHECK(world.head_commit().description == "mine");
}

TEST_CASE("what is put beside each other becomes one commit, and none that is empty", "[api]") {
  World world;
  const bool manual = GENERATE(false, true);
  if (manual) {
    must(world.catalog().set_policy(branch_ref("data@master"), [](store::PolicySettings& settings) {
      settings.when = store::CommitWhen::kManual;
    }));
  }
  CAPTURE(manual);
  auto one = world.live();
  auto other = world.live();
  world.put(one, "one");
  world.put(other, "other");
  const auto made = must(one.commit());
  CHECK(must(other.commit()) == made);
  CHECK(world.commits() == 1);
  CHECK(world.text(world.head_root(), "other") == "other");
  // what came after the other's commit is one of its own
  auto late = world.live();
  must(world.live().commit());  // of no change, which is a commit too
  world.put(late, "late");
  CHECK(must(late.commit()) != made);
  CHECK(world.commits() == 3);
  CHECK(world.text(world.head_root(), "late") == "late");
}

TEST_CASE("what is put on a branch whose commit was taken and moved away from is told by its commit",
          "[api]") {
  World world;
  world.make(world.root(), "first");
  const auto first = world.finish();
  auto one = world.live();
  auto other = world.live();
  world.put(one, "one");
  world.put(other, "other");
  Interrupter others;
  CommitId made;
  others.before = [&] {
    if (others.asked != 1) return;
    made = must(one.commit());
    must(world.catalog().retarget(branch_ref("data@master"), commit_ref("data@" + first.hex())));
  };
  world.store().set_observer(&others);
  CHECK(must(other.commit()) == made);
  world.store().set_observer(nullptr);
  CHECK(world.head() == first);
}

TEST_CASE("what others change after a commit with what was put is left to them", "[api]") {
  World world;
  must(world.catalog().set_policy(branch_ref("data@master"), [](store::PolicySettings& settings) {
    settings.when = store::CommitWhen::kManual;
  }));
  auto branch = world.live();
  world.put(branch, "mine");
  Interrupter others;
  CommitId made;
  const bool starts = GENERATE(false, true);
  others.before = [&] {
    if (others.asked != 1) return;
    made = world.finish();
    if (starts) must(world.catalog().start_commit(branch_ref("data@master"), "theirs"));
    world.make(world.root(), "theirs");
  };
  world.store().set_observer(&others);
  CHECK(must(branch.commit()) == made);
  world.store().set_observer(nullptr);
  CHECK(world.commits() == 1);
  CHECK(world.text(world.head_root(), "theirs") == "(none)");
}

TEST_CASE("a put whose changes somebody discards says that they are not there", "[api]") {
  World world;
  world.make(world.root(), "before");
  world.finish();
  auto branch = world.live();
  world.put(branch, "mine");
  Interrupter others;
  others.before = [&] {
    if (others.asked == 1) must(world.catalog().discard(branch_ref("data@master")));
  };
  world.store().set_observer(&others);
  const auto answered = branch.commit();
  world.store().set_observer(nullptr);
  REQUIRE_FALSE(answered);
  CHECK(answered.error().code == Code::kConflict);
  CHECK(world.commits() == 1);
}

}  // namespace
}  // namespace pfs::test
