// What goes on in a branch while steps of a transaction make, delete or discard it.
#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <string>
#include <vector>

#include "store/catalog_world.h"

namespace pfs::test {
namespace {

using namespace pfs::store;

StoreOptions patient() {
  StoreOptions options;
  options.policy.after = std::chrono::hours(1);
  return options;
}

class World : public StoreWorld {
 public:
  World() : StoreWorld(patient(), {branch_ref("data@master"), branch_ref("data@staging")}) {
    make(root("data@staging"), "staged", Kind::kFile, "staged");
    finish("data@staging");
  }
  Result<std::vector<StepResult>> transact(const std::vector<RefStep>& steps) { return catalog().transact(steps); }

  /// In the branch's live tree or in a commit of the repo.
  void check_kept(const std::vector<std::string>& names) {
    std::vector<NodePtr> roots;
    if (const auto tree = trees().branch(branch_ref("data@master"))) roots.push_back(trees().root(*tree));
    for (const auto& commit : must(catalog().commits(*RepoName::parse("data"), std::nullopt, SIZE_MAX))) {
      roots.push_back(trees().root(must(trees().commit(commit))));
    }
    for (const auto& name : names) {
      INFO(name << " of " << roots.size() << " trees");
      REQUIRE(std::any_of(roots.begin(), roots.end(), [&](const NodePtr& root) { return text(root, name) == name; }));
    }
    CHECK_FALSE(names.empty());
  }
};

/// Makes files named and filled alike at the top of data@master, where that is there, until it is told to stop.
class Writer {
 public:
  explicit Writer(World& world) : world_(world), acknowledged_(std::async(std::launch::async, [this] { return write(); })) {}
  ~Writer() { done_ = true; }
  /// Those that were acknowledged.
  std::vector<std::string> stop() {
    done_ = true;
    return acknowledged_.get();
  }

 private:
  std::vector<std::string> write() {
    auto& trees = world_.trees();
    std::vector<std::string> acknowledged;
    for (int number = 0; !done_; ++number) {
      const std::string name = "f" + std::to_string(number);
      const auto tree = trees.branch(branch_ref("data@master"));
      if (!tree) continue;
      const auto made = trees.make(trees.root(*tree), name, MakeRequest());
      if (made && trees.write(*made, 0, std::as_bytes(std::span(name)))) acknowledged.push_back(name);
    }
    return acknowledged;
  }

  World& world_;
  std::atomic<bool> done_{false};
  std::future<std::vector<std::string>> acknowledged_;
};

FinishOptions automatic() {
  FinishOptions options;
  options.automatic = true;
  return options;
}

TEST_CASE("what is written while its branch is finished and deleted in one is in a commit", "[store]") {
  World world;
  const auto master = branch_ref("data@master");
  Writer writer(world);
  for (int round = 0; round < 60; ++round) {
    const auto deleted = world.transact({FinishCommit{master, automatic()}, DeleteBranch{master, true}});
    INFO((deleted ? "" : deleted.error().message));
    REQUIRE(deleted);
    REQUIRE(world.transact({CreateBranch{master, {}}}));
  }
  world.check_kept(writer.stop());
}

TEST_CASE("what is written to a branch as soon as it is there is not taken for what was there before", "[store]") {
  World world;
  const auto master = branch_ref("data@master");
  Writer writer(world);
  for (int round = 0; round < 60; ++round) {
    REQUIRE(world.transact({FinishCommit{master, automatic()}, DeleteBranch{master, true}}));
    const auto made = world.transact({CreateBranch{master, commit_ref("data@staging")}});
    INFO((made ? "" : made.error().message));
    REQUIRE(made);
    const auto files = world.transact({ChangeFiles{master, [](const TreePtr&) { return Result<void>(); }, "me", true}});
    INFO((files ? "" : files.error().message));
    CHECK(files);
  }
  world.check_kept(writer.stop());
}

TEST_CASE("steps beside a writer are carried out together or not at all", "[store]") {
  World world;
  const auto master = branch_ref("data@master");
  Writer writer(world);
  for (int round = 0; round < 40; ++round) {
    const auto promised = must(world.catalog().branch(branch_ref("data@staging"))).open;
    StartCommit start{branch_ref("data@staging"), "by hand"};
    start.id = promised;
    const auto carried = world.transact({start, FinishCommit{start.ref, {}}, MoveHead{master, commit_ref("data@staging"), {}}});
    INFO((carried ? "" : carried.error().message));
    REQUIRE(carried);
    CHECK(world.catalog().commit(promised));
  }
  world.check_kept(writer.stop());
}

TEST_CASE("what is discarded is not committed by a later step of the same transaction", "[store]") {
  World world;
  const auto master = branch_ref("data@master");
  world.make(world.root("data@master"), "kept", Kind::kFile, "kept");
  world.finish("data@master");
  world.make(world.root("data@master"), "dropped", Kind::kFile, "dropped");
  const ChangeFiles files{master, [&](const TreePtr& tree) -> Result<void> {
                            return world.trees().make(world.trees().root(tree), "new", MakeRequest()).has_value() ? Result<void>() : Error{Code::kInternal, "not made"};
                          }, "me"};
  const auto done = world.transact({DiscardCommit{master}, files});
  INFO((done ? "" : done.error().message));
  REQUIRE(done);
  for (const auto& root : {world.root("data@master"), world.head_root("data@master")}) {
    CHECK(world.text(root, "kept") == "kept");
    CHECK(world.text(root, "new").empty());
    CHECK(world.text(root, "dropped") == "(none)");
  }
}

TEST_CASE("what a rename brings into a branch that is being discarded is in one of both", "[store]") {
  World world;
  const auto master = branch_ref("data@master");
  for (int round = 0; round < 60; ++round) {
    const std::string name = "f" + std::to_string(round);
    world.make(world.root("data@staging"), name, Kind::kFile, name);
    world.make(world.root("data@master"), "dropped" + std::to_string(round), Kind::kFile, "x");
    auto rename = std::async(std::launch::async, [&] {
      return world.trees().rename(world.root("data@staging"), name, world.root("data@master"), name, RenameMode::kReplace).has_value();
    });
    const auto discarded = world.catalog().discard(master);
    const bool renamed = rename.get();
    const bool there = world.text(world.root("data@master"), name) == name;
    const bool here = world.text(world.root("data@staging"), name) == name;
    CHECK((there || here));
    CHECK(renamed == there);
    if (!discarded) CHECK(discarded.error().code == Code::kBusy);
    world.finish("data@staging");
  }
}

}  // namespace
}  // namespace pfs::test
