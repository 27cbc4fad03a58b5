// Files that change as one of several steps: with the others or not at all.
#include <catch2/catch.hpp>

#include "base/clock.h"
#include "store/store.h"
#include "support/must.h"
#include "support/temporary_directory.h"

namespace pfs::test {
namespace {

using namespace pfs::store;

BranchRef branch(const std::string& text) { return *BranchRef::parse(text); }

class World {
 public:
  World() { open(); }
  void open() {
    store_.reset();
    StoreOptions options;
    options.path = directory_ / "store";
    options.clock = &clock_;
    options.automatic_commits = false;
    store_ = must(Store::open(options));
    must(store_->resume());
  }
  Store& store() { return *store_; }
  Catalog& catalog() { return store_->catalog(); }
  NodePtr root(const std::string& name) { return store_->trees().root(must(store_->trees().branch(branch(name)))); }
  /// Makes a file at the branch's top, through its live tree.
  void put(const std::string& on, const std::string& name) { must(store_->trees().make(root(on), name, {})); }
  std::string names(const std::string& on) { return names_in(must(store_->trees().branch(branch(on)))); }
  std::string names_in(const TreePtr& tree) {
    std::string all;
    must(store_->trees().list(store_->trees().root(tree), "", [&](const ListedEntry& entry) {
      all += entry.name;
      return true;
    }));
    return all;
  }
  std::string names_of(const CommitId& id) { return names_in(must(store_->trees().commit(must(catalog().commit(id))))); }
  std::optional<CommitId> head(const std::string& on) { return must(catalog().branch(branch(on))).head; }

  /// A step that makes an empty file.
  ChangeFiles adding(const std::string& on, const std::string& name) {
    ChangeFiles step;
    step.ref = branch(on);
    step.author = "ada";
    step.change = [this, name](const TreePtr& tree) -> Result<void> {
      PFS_TRY(store_->trees().make(store_->trees().root(tree), name, {}));
      return {};
    };
    return step;
  }
  Result<std::vector<StepResult>> run(const std::vector<RefStep>& steps) { return catalog().transact(steps); }

 private:
  TemporaryDirectory directory_;
  SystemClock clock_;
  std::unique_ptr<Store> store_;
};

TEST_CASE("files that change as a step are a commit of its own, after what was not committed yet", "[store][files]") {
  World world;
  must(world.catalog().create_branch(branch("data@master"), std::nullopt, true));
  world.put("data@master", "a");
  const auto done = must(world.run({world.adding("data@master", "b"), world.adding("data@master", "c")}));
  CHECK(world.names("data@master") == "abc");
  const auto commits = must(world.catalog().commits(branch("data@master").repo, branch("data@master").branch, 10));
  REQUIRE(commits.size() == 3);
  CHECK(commits[0].id == done[1].commit);
  CHECK(commits[0].author == "ada");
  CHECK(world.names_of(commits[1].id) == "ab");
  CHECK(world.names_of(commits[2].id) == "a");
  CHECK_FALSE(must(world.catalog().open_commit(branch("data@master"))).changed);
  world.open();
  CHECK(world.names("data@master") == "abc");
}

TEST_CASE("a commit that the same steps start has the files, whether they finish it or not", "[store][files]") {
  World world;
  must(world.catalog().create_branch(branch("data@master"), std::nullopt, true));
  const auto ref = branch("data@master");

  auto done = must(world.run({StartCommit{ref, "one"}, world.adding("data@master", "a"), world.adding("data@master", "b"), FinishCommit{ref, {}}}));
  CHECK(done[3].commit == done[0].commit);
  CHECK(world.head("data@master") == done[0].commit);
  CHECK(world.names_of(done[0].commit) == "ab");

  done = must(world.run({StartCommit{ref, "two"}, world.adding("data@master", "c")}));
  CHECK(done[1].commit == done[0].commit);
  CHECK(world.head("data@master") != done[0].commit);
  CHECK(must(world.catalog().open_commit(ref)).by_hand);
  CHECK(world.names("data@master") == "abc");
  world.open();
  CHECK(world.names("data@master") == "abc");
  world.put("data@master", "d");
  world.open();
  CHECK(world.names("data@master") == "abcd");
  CHECK(must(world.catalog().finish(ref, {})).commit == done[0].commit);
  CHECK(world.names_of(done[0].commit) == "abcd");

  done = must(world.run({StartCommit{ref, "three"}, world.adding("data@master", "e")}));
  must(world.catalog().discard(ref));
  CHECK(world.names("data@master") == "abcd");
  world.open();
  CHECK(world.names("data@master") == "abcd");
}

TEST_CASE("a commit that was open before is finished by the steps, then files change, then another is started", "[store][files]") {
  World world;
  must(world.catalog().create_branch(branch("data@master"), std::nullopt, true));
  const auto ref = branch("data@master");
  const auto before = must(world.catalog().start_commit(ref, ""));
  world.put("data@master", "a");
  const std::vector<RefStep> steps{FinishCommit{ref, {}}, world.adding("data@master", "b"), StartCommit{ref, ""},
                                   world.adding("data@master", "c"), FinishCommit{ref, {}}};
  must(world.catalog().rehearse(steps));
  const auto done = must(world.run(steps));
  CHECK(done[0].commit == before);
  CHECK(world.names_of(before) == "a");
  CHECK(world.names_of(done[1].commit) == "ab");
  CHECK(world.names_of(done[4].commit) == "abc");
  CHECK(done[4].commit == done[2].commit);
  CHECK_FALSE(must(world.catalog().open_commit(ref)).by_hand);
  CHECK(world.names("data@master") == "abc");
}

TEST_CASE("files that change as a step change with the other steps or not at all", "[store][files]") {
  World world;
  must(world.catalog().create_branch(branch("data@master"), std::nullopt, true));
  auto failing = world.adding("data@master", "b");
  failing.change = [](const TreePtr&) -> Result<void> { return Error{Code::kInvalid, "no"}; };
  CHECK(world.run({world.adding("data@master", "a"), failing}).error().code == Code::kInvalid);
  CHECK(world.run({world.adding("data@master", "a"), DeleteRepo{*RepoName::parse("none")}}).error().code == Code::kNotFound);
  CHECK(world.names("data@master").empty());
  CHECK_FALSE(world.head("data@master"));
  CHECK(world.catalog().rehearse(std::vector<RefStep>{world.adding("data@master", "a")}));
  CHECK(world.names("data@master").empty());
}

TEST_CASE("files change as a step on a branch that the steps make, for its owner", "[store][files]") {
  World world;
  must(world.catalog().create_repo(*RepoName::parse("data"), ""));
  CHECK(world.run({world.adding("data@master", "a")}).error().code == Code::kNotFound);
  auto adding = world.adding("data@master", "a");
  adding.make_branch = true;
  adding.owner = DirectoryOwner{1234, 5678};
  must(world.run({adding}));
  CHECK(world.names("data@master") == "a");
  auto stat = must(world.store().trees().stat(world.root("data@master")));
  CHECK(stat.attributes.uid == 1234);
  world.open();
  stat = must(world.store().trees().stat(world.root("data@master")));
  CHECK(stat.attributes.gid == 5678);
}

TEST_CASE("files are not changed as a step where somebody else has a commit open", "[store][files]") {
  World world;
  must(world.catalog().create_branch(branch("data@master"), std::nullopt, true));
  const auto ref = branch("data@master");
  must(world.catalog().start_commit(ref, ""));
  CHECK(world.run({world.adding("data@master", "a")}).error().code == Code::kBusy);
  must(world.catalog().finish(ref, {}));
  world.put("data@master", "b");
  CHECK(world.run({StartCommit{ref, ""}, world.adding("data@master", "a")}).error().code == Code::kConflict);
  CHECK(world.names("data@master") == "b");
}

}  // namespace
}  // namespace pfs::test
