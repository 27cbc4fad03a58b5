// When commits are made by themselves (docs/semantics.md S41, S42, S49, S50).
#include <catch2/catch.hpp>

#include <thread>

#include "store/refs/records.h"
#include "support/store_world.h"

namespace pfs::test {
namespace {

using namespace pfs::store;
using std::chrono::milliseconds;

const BranchRef kMaster = *BranchRef::parse("data@master");

class World : public StoreWorld {
 public:
  explicit World(const CommitPolicy& policy = {}) : StoreWorld(options_of(policy), {kMaster}) { store().start_automatic_commits(); }

  void open() {
    StoreWorld::open();
    store().start_automatic_commits();
  }

  NodePtr begin(const std::string& name) {
    const auto file = trees().make(root(), name, {});
    REQUIRE(file);
    trees().opened_for_write(*file, 0);
    REQUIRE(trees().write(*file, 0, as_bytes(std::string_view("bytes"))));
    return *file;
  }
  void put(const std::string& name) { trees().released_for_write(begin(name)); }
  void set(CommitWhen when) {
    REQUIRE(catalog().set_policy(kMaster, [&](PolicySettings& policy) { policy.when = when; }));
  }
  bool has_head() { return catalog().branch(kMaster)->head.has_value(); }
  bool gets_head(milliseconds patience = std::chrono::seconds(20)) {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (!has_head() && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(milliseconds(1));
    return has_head();
  }
  std::size_t files_of_head() {
    return catalog().commit(*catalog().branch(kMaster)->head)->root.totals.files;
  }

 private:
  static StoreOptions options_of(const CommitPolicy& policy) {
    StoreOptions options;
    options.policy = policy;
    return options;
  }
};

constexpr auto kNever = std::chrono::hours(10);

TEST_CASE("a branch's settings survive a restart, and what it does not say is the store's", "[store]") {
  World world({CommitWhen::kManual, milliseconds(7), milliseconds(8)});
  CHECK(world.catalog().open_commit(kMaster)->policy == CommitPolicy{CommitWhen::kManual, milliseconds(7), milliseconds(8)});
  REQUIRE(world.catalog().set_policy(kMaster, [](PolicySettings& policy) { policy.max = milliseconds(0); }));
  world.set(CommitWhen::kClose);
  world.open();
  CHECK(world.catalog().open_commit(kMaster)->policy == CommitPolicy{CommitWhen::kClose, milliseconds(7), milliseconds(0)});
  REQUIRE(world.catalog().set_policy(kMaster, [](PolicySettings& policy) { policy = {}; }));
  CHECK(world.catalog().open_commit(kMaster)->policy.when == CommitWhen::kManual);
}

TEST_CASE("a branch is made with settings of its own", "[store]") {
  World world;
  const auto ref = *BranchRef::parse("data@other");
  const auto made = world.catalog().create_branch(ref, std::nullopt, false, {CommitWhen::kClose, milliseconds(5), {}});
  REQUIRE(made);
  CHECK(made->policy == PolicySettings{CommitWhen::kClose, milliseconds(5), {}});
}

TEST_CASE("a branch's record without settings is what it was before there were any", "[store]") {
  Branch branch;
  branch.ref = kMaster;
  branch.open = new_commit_id();
  branch.output_of = "edges";
  CHECK(encode(branch).front() == 1);
  CHECK(decode_branch(encode(branch))->policy.empty());
  branch.policy.when = CommitWhen::kManual;
  branch.policy.max = milliseconds(0);
  const auto decoded = decode_branch(encode(branch));
  REQUIRE(decoded);
  CHECK(decoded->policy == branch.policy);
  CHECK(decoded->output_of == "edges");
  auto damaged = encode(branch);
  damaged[damaged.size() - 3] = 9;
  CHECK_FALSE(decode_branch(damaged));
}

TEST_CASE("with policy close a commit is made at once when the last writer of a file closes it, without what is still being written",
          "[store]") {
  World world({CommitWhen::kClose, kNever, kNever});
  const auto open = world.begin("open");
  std::this_thread::sleep_for(milliseconds(200));
  CHECK_FALSE(world.has_head());
  world.trees().opened_for_write(open, 0);
  world.trees().released_for_write(open);  // not the last one
  std::this_thread::sleep_for(milliseconds(100));
  CHECK_FALSE(world.has_head());
  world.put("closed");
  REQUIRE(world.gets_head());
  CHECK(world.files_of_head() == 1);
  world.trees().released_for_write(open);
  for (int i = 0; i < 2000 && world.files_of_head() < 2; ++i) std::this_thread::sleep_for(milliseconds(5));
  CHECK(world.files_of_head() == 2);
}

TEST_CASE("closes that come while a commit is being made share the next one", "[store]") {
  World world({CommitWhen::kClose, kNever, kNever});
  for (int i = 0; i < 300; ++i) world.put("f" + std::to_string(i));
  REQUIRE(world.gets_head());
  for (int i = 0; i < 2000 && world.files_of_head() < 300; ++i) std::this_thread::sleep_for(milliseconds(5));
  CHECK(world.files_of_head() == 300);
}

TEST_CASE("a branch that becomes one of policy close commits at the next close", "[store]") {
  World world({CommitWhen::kAuto, kNever, kNever});
  world.put("one");
  std::this_thread::sleep_for(milliseconds(200));
  CHECK_FALSE(world.has_head());
  world.set(CommitWhen::kClose);
  world.put("two");
  REQUIRE(world.gets_head());
  CHECK(world.files_of_head() == 2);
}

TEST_CASE("with policy manual nothing but a request makes a commit, and nothing throws its changes away", "[store]") {
  World world({CommitWhen::kManual, milliseconds(1), milliseconds(1)});
  world.put("one");
  CHECK_FALSE(world.gets_head(milliseconds(300)));
  const auto other = *BranchRef::parse("data@other");
  REQUIRE(world.catalog().create_branch(other, std::nullopt, false, {CommitWhen::kAuto, {}, {}}));
  FinishOptions kept;
  kept.keep_unchanged = true;
  REQUIRE(world.catalog().finish(other, kept));
  const auto moved = world.catalog().retarget(kMaster, *CommitRef::parse("data@other"));
  REQUIRE_FALSE(moved);
  CHECK(moved.error().code == Code::kBusy);
  REQUIRE(world.store().finish_all());
  CHECK_FALSE(world.has_head());
  world.open();
  CHECK_FALSE(world.gets_head(milliseconds(300)));
  REQUIRE(world.catalog().finish(kMaster, {}));
  CHECK(world.files_of_head() == 1);
  CHECK(world.catalog().retarget(kMaster, *CommitRef::parse("data@other")));
}

TEST_CASE("a commit that was started by hand is not finished by itself, nor at the end, nor after a restart", "[store]") {
  World world({CommitWhen::kAuto, milliseconds(1), milliseconds(1)});
  const auto id = world.catalog().start_commit(kMaster, "by hand");
  REQUIRE(id);
  world.put("one");
  CHECK_FALSE(world.gets_head(milliseconds(300)));
  const auto removed = world.catalog().delete_branch(kMaster, false);
  REQUIRE_FALSE(removed);
  CHECK(removed.error().code == Code::kBusy);
  REQUIRE(world.store().finish_all());
  CHECK_FALSE(world.has_head());
  world.open();
  CHECK_FALSE(world.gets_head(milliseconds(300)));
  const auto open = world.catalog().open_commit(kMaster);
  REQUIRE(open);
  CHECK(open->by_hand);
  CHECK(open->id == *id);
  REQUIRE(world.catalog().finish(kMaster, {}));
  CHECK(world.catalog().branch(kMaster)->head == *id);
}

TEST_CASE("a branch that never gets quiet is committed all the same, without what is being written", "[store]") {
  World world({CommitWhen::kAuto, kNever, milliseconds(300)});
  const auto open = world.begin("open");
  world.put("closed");
  REQUIRE(world.gets_head());
  CHECK(world.files_of_head() == 1);
  CHECK(world.catalog().commit(*world.catalog().branch(kMaster)->head)->description == "left out: 1: /open");
  world.trees().released_for_write(open);
  for (int i = 0; i < 2000 && world.files_of_head() < 2; ++i) std::this_thread::sleep_for(milliseconds(5));
  CHECK(world.files_of_head() == 2);
}

TEST_CASE("of a greatest age of 0 nothing is committed for its age", "[store]") {
  World world({CommitWhen::kAuto, kNever, milliseconds(0)});
  world.put("one");
  CHECK_FALSE(world.gets_head(milliseconds(300)));
}

TEST_CASE("an open commit tells since when it is open, who writes and why it is not finished", "[store]") {
  World world({CommitWhen::kAuto, kNever, kNever});
  auto open = world.catalog().open_commit(kMaster);
  CHECK(waits_for(kMaster, *open) == "nothing has changed");
  const auto before = SystemClock().now();
  const auto file = world.begin("file");
  world.trees().opened_for_write(file, getpid());
  open = world.catalog().open_commit(kMaster);
  CHECK(open->since >= before);
  CHECK(open->since <= SystemClock().now());
  REQUIRE(open->being_written.size() == 1);
  CHECK(open->being_written[0].path == "/file");
  CHECK(open->being_written[0].pid == getpid());
  CHECK(waits_for(kMaster, *open) == "/file is being written by " + std::to_string(getpid()) + " (store_policy_te)");
  const auto since = open->since;
  world.trees().released_for_write(file);
  world.trees().released_for_write(file);
  open = world.catalog().open_commit(kMaster);
  CHECK(waits_for(kMaster, *open) == "quiet for 10h");
  CHECK(open->since == since);
  world.set(CommitWhen::kManual);
  CHECK(waits_for(kMaster, *world.catalog().open_commit(kMaster)) == "policy manual: ends with finish commit data@master");
  REQUIRE(world.catalog().start_commit(kMaster, ""));
  CHECK(waits_for(kMaster, *world.catalog().open_commit(kMaster)) == "started by hand: ends with finish commit data@master");
}

}  // namespace
}  // namespace pfs::test
