// Repos and commits that go, branches that are made from others, and commits that begin elsewhere.
#include <catch2/catch.hpp>

#include "base/clock.h"
#include "store/store.h"
#include "support/must.h"
#include "support/temporary_directory.h"

namespace pfs::test {
namespace {

using namespace pfs::store;

BranchRef branch(const std::string& text) { return *BranchRef::parse(text); }
CommitRef commit_ref(const std::string& text) { return *CommitRef::parse(text); }
RepoName repo(const std::string& text) { return *RepoName::parse(text); }

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
  Catalog& catalog() { return store_->catalog(); }
  Store& store() { return *store_; }
  void make(const std::string& name) { must(catalog().create_branch(branch(name), std::nullopt, true)); }
  void put(const std::string& on, const std::string& name) {
    const auto tree = must(store_->trees().branch(branch(on)));
    must(store_->trees().make(store_->trees().root(tree), name, MakeRequest{}));
  }
  CommitId commit(const std::string& on, const std::string& name) {
    put(on, name);
    return must(catalog().finish(branch(on), {})).commit;
  }
  std::string names(const std::string& on) {
    const auto tree = must(store_->trees().branch(branch(on)));
    std::string all;
    must(store_->trees().list(store_->trees().root(tree), "", [&](const ListedEntry& entry) {
      all += entry.name;
      return true;
    }));
    return all;
  }
  Result<void> run(RefStep step) {
    PFS_TRY(catalog().transact({&step, 1}));
    return {};
  }
  std::optional<CommitId> head(const std::string& on) { return must(catalog().branch(branch(on))).head; }

 private:
  TemporaryDirectory directory_;
  SystemClock clock_;
  std::unique_ptr<Store> store_;
};

TEST_CASE("a deleted repo is gone with its branches, logs and commits, and its name is free", "[store][deletion]") {
  World world;
  world.make("data@master");
  world.make("data@dev");
  world.make("other@master");
  const auto id = world.commit("data@master", "f");
  const auto kept = world.commit("other@master", "f");
  world.put("data@dev", "open");
  must(world.run(DeleteRepo{repo("data")}));
  CHECK(world.catalog().repo(repo("data")).error().code == Code::kNotFound);
  CHECK(world.catalog().branch(branch("data@master")).error().code == Code::kNotFound);
  CHECK(world.catalog().commit(id).error().code == Code::kNotFound);
  CHECK(must(world.catalog().commit(kept)).id == kept);
  CHECK(world.run(DeleteRepo{repo("data")}).error().code == Code::kNotFound);

  world.open();
  world.make("data@master");
  CHECK(must(world.catalog().commits(repo("data"), {}, 10)).empty());
  CHECK(must(world.catalog().log(branch("data@master"), 10)).empty());
  CHECK(world.names("data@master").empty());
  world.commit("data@master", "g");
  CHECK(world.names("data@master") == "g");
}

TEST_CASE("what another branch is made from is deleted by force only", "[store][deletion]") {
  World world;
  world.make("data@master");
  world.make("out@master");
  must(world.run(RelateBranch{branch("out@master"), std::vector{branch("data@master")}, {}}));
  CHECK(world.run(DeleteRepo{repo("data")}).error().code == Code::kBusy);
  CHECK(world.run(DeleteBranch{branch("data@master"), true}).error().code == Code::kBusy);
  must(world.run(DeleteRepo{repo("data"), true}));
  CHECK(must(world.catalog().branch(branch("out@master"))).provenance.size() == 1);
}

TEST_CASE("a provenance and a trigger do not go together, and neither may be a loop", "[store][deletion]") {
  World world;
  for (const auto* name : {"data@a", "data@b", "data@c"}) world.make(name);
  const auto follows = [](const std::string& name) {
    BranchTrigger trigger;
    trigger.branch = *BranchName::parse(name);
    trigger.commits = 1;
    return trigger;
  };
  must(world.run(RelateBranch{branch("data@a"), {}, follows("b")}));
  must(world.run(RelateBranch{branch("data@b"), {}, follows("not-yet")}));
  must(world.run(RelateBranch{branch("data@b"), {}, follows("c")}));
  CHECK(world.run(RelateBranch{branch("data@c"), {}, follows("a")}).error().code == Code::kInvalid);
  CHECK(world.run(RelateBranch{branch("data@c"), {}, follows("c")}).error().code == Code::kInvalid);
  CHECK(world.run(RelateBranch{branch("data@a"), std::vector{branch("data@c")}, {}}).error().code == Code::kInvalid);
  world.make("data@d");
  must(world.run(RelateBranch{branch("data@c"), std::vector{branch("data@d")}, {}}));
  CHECK(world.run(RelateBranch{branch("data@d"), std::vector{branch("data@c")}, {}}).error().code == Code::kInvalid);
  CHECK(world.run(RelateBranch{branch("data@d"), std::vector{branch("data@none")}, {}}).error().code == Code::kNotFound);
}

TEST_CASE("a deleted commit's children have its parent, and keep what they hold", "[store][deletion]") {
  World world;
  world.make("data@master");
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

  // the first of all
  must(world.run(DeleteCommit{repo("data"), made[0]}));
  CHECK_FALSE(must(world.catalog().commit(made[2])).parent);
  CHECK(must(world.catalog().resolve(commit_ref("data@master.1"))).id == made[2]);
}

TEST_CASE("branches at a deleted commit go back to its parent, or have no HEAD", "[store][deletion]") {
  World world;
  world.make("data@master");
  const auto first = world.commit("data@master", "a");
  const auto second = world.commit("data@master", "b");
  must(world.catalog().create_branch(branch("data@copy"), second, false));
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
  world.make("data@master");
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
  world.make("data@master");
  world.make("out@master");
  const auto first = world.commit("data@master", "a");
  const auto publish = [&](const CommitId& cause) {
    const auto root = must(world.catalog().commit(cause)).root;
    return must(world.catalog().publish_tree(branch("out@master"), root, {{branch("data@master"), cause}}, {}, nullptr)).id;
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
  world.make("data@master");
  const auto first = world.commit("data@master", "a");
  const auto second = world.commit("data@master", "b");
  must(world.run(StartCommit{branch("data@master"), "", commit_ref("data@" + first.hex())}));
  CHECK(world.names("data@master") == "a");
  world.put("data@master", "c");
  const auto third = must(world.catalog().finish(branch("data@master"), {})).commit;
  CHECK(must(world.catalog().commit(third)).parent == first);
  CHECK(world.names("data@master") == "ac");
  // and on a branch that is made by it
  must(world.run(StartCommit{branch("data@dev"), "", commit_ref("data@" + second.hex())}));
  CHECK(world.names("data@dev") == "ab");
  CHECK(world.run(StartCommit{branch("data@dev"), "", commit_ref("data@" + first.hex())}).error().code == Code::kBusy);
}

}  // namespace
}  // namespace pfs::test
