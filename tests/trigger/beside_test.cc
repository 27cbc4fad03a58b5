// What is caused, made or deleted beside something else: transactions that overtake one another, and commits that are opened by
// hand, which hold jobs up.

#include <catch2/catch.hpp>

#include <atomic>
#include <functional>
#include <future>
#include <thread>

#include "trigger/pipes.h"

using namespace pfs;
using namespace pfs::test;
using namespace pfs::trigger;

namespace {

/// In front of the pipelines: a transaction that looks at one of the branches is overtaken by another, once.
class OvertakingHook final : public store::PublishHook {
 public:
  /// `overtake` is called after the look and before what was found is told.
  void put_before(store::PublishHook& next, const BranchRef& branch, std::function<void()> overtake) {
    next_ = &next;
    branch_ = branch;
    overtake_ = std::move(overtake);
  }

  Result<void> on_moves(std::span<const store::HeadMove> moves, const store::BranchAfter& branch, store::RefTxn& txn) override {
    const auto look = [&](const BranchRef& ref) {
      auto found = branch(ref);
      if (ref == branch_ && !overtaken_.exchange(true)) overtake_();
      return found;
    };
    return next_->on_moves(moves, look, txn);
  }
  void after_moves(std::span<const store::HeadMove> moves) override { next_->after_moves(moves); }
  void after_discard(const BranchRef& branch) override { next_->after_discard(branch); }
  Result<void> on_delete(const BranchRef& branch, store::DeletionOf what, store::RefTxn& txn) override {
    auto answer = next_->on_delete(branch, what, txn);
    if (branch == branch_ && ++deletions_ == overtaken_deletion_ && !overtaken_.exchange(true)) overtake_();
    return answer;
  }
  /// Of the looks of a deletion at the branch, which.
  void choose_look(int number) { overtaken_deletion_ = number; }
  Result<void> on_commits_deleted(std::span<const CommitId> commits, store::RefTxn& txn) override {
    return next_->on_commits_deleted(commits, txn);
  }
  bool overtaken() const { return overtaken_; }

 private:
  store::PublishHook* next_ = nullptr;
  BranchRef branch_;
  std::function<void()> overtake_;
  std::atomic<bool> overtaken_{false};
  int overtaken_deletion_ = 0;
  int deletions_ = 0;
};

}  // namespace

TEST_CASE("of two inputs that are committed to at once, the newest job has both", "[trigger]") {
  OvertakingHook hook;  // outlives the pipelines' threads, which call it
  Pipes pipes;
  pipes.fixture.make_branch("left@master");
  pipes.fixture.make_branch("right@master");
  pipes.make("both", {{"cross", {pfs_input("left", "/"), pfs_input("right", "/")}}});
  pipes.commit("left@master", "x", "1");
  pipes.commit("right@master", "y", "1");
  REQUIRE(pipes.fixture.newest_job("both").state == JobState::kSuccess);

  pipes.fixture.write("left@master", "x", "2");
  pipes.fixture.write("right@master", "y", "2");
  hook.put_before(pipes.fixture.pipelines(), PipelineFixture::branch("right@master"), [&] {
    std::async(std::launch::async, [&] { pipes.fixture.finish("right@master"); }).get();
  });
  pipes.fixture.store().set_publish_hook(&hook);
  pipes.fixture.finish("left@master");
  REQUIRE(hook.overtaken());
  const JobInfo job = pipes.fixture.newest_job("both");
  CHECK(job.state == JobState::kSuccess);
  CHECK(job.inputs ==
        std::vector<JobInput>{{PipelineFixture::branch("left@master"), pipes.head("left@master").id, std::nullopt},
                              {PipelineFixture::branch("right@master"), pipes.head("right@master").id, std::nullopt}});
}

TEST_CASE("a commit that is opened by hand holds the job up until it is finished, or dropped", "[trigger]") {
  Pipes pipes;
  auto& catalog = pipes.fixture.store().catalog();
  pipes.fixture.make_branch("left@master");
  pipes.fixture.make_branch("right@master");
  pipes.commit("left@master", "x", "1");
  pipes.commit("right@master", "y", "2");
  pipes.make("both", {{"cross", {pfs_input("left", "/"), pfs_input("right", "/")}}});
  CHECK(pipes.fixture.newest_job("both").state == JobState::kSuccess);
  must(catalog.create_branch(PipelineFixture::branch("left@old"), pipes.head("left@master").id, false));

  SECTION("finished: one job, of both") {
    // the commit is opened and the other branch moved in one transaction
    pipes.fixture.make_branch("left@next");
    pipes.commit("left@next", "x", "3");
    const std::vector<store::RefStep> steps{
        store::StartCommit{PipelineFixture::branch("right@master"), ""},
        store::MoveHead{PipelineFixture::branch("left@master"), must(CommitRef::parse("left@next")), {}}};
    must(catalog.transact(steps));
    pipes.fixture.write("right@master", "y", "4");
    CHECK(pipes.job_count("both") == 1);
    pipes.fixture.finish("right@master");
    CHECK(pipes.fixture.newest_job("both").state == JobState::kSuccess);
    CHECK(pipes.job_count("both") == 2);
    CHECK(pipes.fixture.read("both@master", "left.x") == "3");
    CHECK(pipes.fixture.read("both@master", "right.y") == "4");
  }
  SECTION("dropped: the job comes then") {
    must(catalog.start_commit(PipelineFixture::branch("right@master"), ""));
    pipes.commit("left@master", "x", "5");
    CHECK(pipes.job_count("both") == 1);
    must(catalog.discard(PipelineFixture::branch("right@master")));
    CHECK(pipes.fixture.newest_job("both").state == JobState::kSuccess);
    CHECK(pipes.job_count("both") == 2);
    CHECK(pipes.fixture.read("both@master", "left.x") == "5");
  }
}

namespace {

Result<void> delete_repo(store::Catalog& catalog, const std::string& name) {
  const store::RefStep step = store::DeleteRepo{PipelineFixture::repo(name)};
  PFS_TRY(catalog.transact({&step, 1}));
  return {};
}

/// a, b -> both; a, both -> last; c, both -> beside. b has a commit that is open by hand, a and c have moved since.
struct Held : Pipes {
  Held() {
    for (const char* input : {"a", "b", "c"}) {
      fixture.make_branch(std::string(input) + "@master");
      commit(std::string(input) + "@master", "f", "1");
    }
    make("both", {{"cross", {pfs_input("a", "/"), pfs_input("b", "/")}}});
    make("last", {{"cross", {pfs_input("a", "/"), pfs_input("both", "/")}}});
    make("beside", {{"cross", {pfs_input("c", "/"), pfs_input("both", "/")}}});
    settle();
    must(fixture.store().catalog().start_commit(PipelineFixture::branch("b@master"), ""));
    commit("a@master", "f", "2");
    commit("c@master", "f", "2");
    settle();
  }
  void settle() {
    for (const char* name : {"both", "last", "beside"}) CHECK(fixture.newest_job(name).state == JobState::kSuccess);
  }
  bool has_jobs(std::size_t both, std::size_t last, std::size_t beside) {
    CHECK(job_count("both") == both);
    CHECK(job_count("last") == last);
    CHECK(job_count("beside") == beside);
    return job_count("both") == both && job_count("last") == last && job_count("beside") == beside;
  }
};

}  // namespace

TEST_CASE("a commit that is opened by hand holds up also who reads the output of who waits", "[trigger]") {
  Held pipes;
  auto& catalog = pipes.fixture.store().catalog();
  REQUIRE(pipes.has_jobs(1, 1, 1));

  SECTION("finished with a change") {
    pipes.commit("b@master", "f", "2");
    pipes.settle();
    CHECK(pipes.has_jobs(2, 2, 2));
  }
  SECTION("finished without one") {
    pipes.fixture.finish("b@master");
    pipes.settle();
    CHECK(pipes.has_jobs(2, 2, 2));
  }
  SECTION("dropped") {
    must(catalog.discard(PipelineFixture::branch("b@master")));
    pipes.settle();
    CHECK(pipes.has_jobs(2, 2, 2));
  }
  SECTION("who waits is stopped: nobody waits for it") {
    must(pipes.fixture.pipelines().set_stopped(PipelineFixture::repo("both"), true));
    CHECK(pipes.fixture.newest_job("last").state == JobState::kSuccess);
    CHECK(pipes.fixture.newest_job("beside").state == JobState::kSuccess);
    CHECK(pipes.has_jobs(1, 2, 2));
  }
  SECTION("who waits is deleted") {
    const auto name = PipelineFixture::repo("both");
    must(pipes.fixture.pipelines().remove({&name, 1}, {true, true}));
    CHECK(pipes.fixture.newest_job("last").state == JobState::kSuccess);
    CHECK(pipes.fixture.newest_job("beside").state == JobState::kSuccess);
    CHECK(pipes.job_count("last") == 2);
    CHECK(pipes.job_count("beside") == 2);
  }
  SECTION("who waits reads something else by now, of which no job comes") {
    pipes.fixture.make_branch("empty@master");
    must(pipes.fixture.pipelines().create(spec_reading("both", pfs_input("empty")), true, false));
    CHECK(pipes.fixture.newest_job("last").state == JobState::kSuccess);
    CHECK(pipes.fixture.newest_job("beside").state == JobState::kSuccess);
    CHECK(pipes.has_jobs(1, 2, 2));
  }
  CHECK(pipes.fixture.read("last@master", "a.f") == "2");
  CHECK(pipes.fixture.read("beside@master", "c.f") == "2");
}

TEST_CASE("a job by hand waits for no commit further up, nor for one of a branch that it is told what to read of", "[trigger]") {
  Held pipes;
  auto& service = pipes.fixture.pipelines();
  const auto last = PipelineFixture::repo("last");
  const JobId job = must(service.run(last, {}));
  CHECK(must(service.wait(job, PipelineFixture::patience())).state == JobState::kSuccess);
  const auto both = PipelineFixture::repo("both");
  CHECK(service.run(both, {}).error().code == Code::kInvalid);
  must(service.run(both, {{PipelineFixture::branch("b@master"), must(CommitRef::parse("b@" + pipes.head("b@master").id.hex()))}}));
  CHECK(pipes.fixture.newest_job("both").state == JobState::kSuccess);
}

TEST_CASE("readers of a pipeline that is deleted get no job of that", "[trigger]") {
  Diamond diamond;
  diamond.commit("a@master", "f", "1");
  CHECK(diamond.fixture.newest_job("d").state == JobState::kSuccess);
  const bool keep_repo = GENERATE(true, false);
  const auto name = PipelineFixture::repo("b");
  must(diamond.fixture.pipelines().remove({&name, 1}, {true, keep_repo}));
  CHECK(diamond.job_count("d") == 1);
  diamond.fixture.close();
  diamond.fixture.open();
  CHECK(diamond.job_count("d") == 1);
  CHECK(diamond.fixture.read("d@master", "b.a.f") == "1");
}

namespace {

/// b -> above; c, above -> below; a commit of b is open by hand.
struct HeldBelow : Pipes {
  HeldBelow() {
    for (const char* input : {"b", "c"}) {
      fixture.make_branch(std::string(input) + "@master");
      commit(std::string(input) + "@master", "f", "1");
    }
    make("above", pfs_input("b"));
    make("below", {{"cross", {pfs_input("c", "/"), pfs_input("above", "/")}}});
    CHECK(fixture.newest_job("below").state == JobState::kSuccess);
    must(fixture.store().catalog().start_commit(PipelineFixture::branch("b@master"), ""));
  }
};

}  // namespace

TEST_CASE("what waits only further down is caused with the end of the commit, also where nothing comes of it above", "[trigger]") {
  HeldBelow pipes;
  pipes.commit("c@master", "f", "2");
  CHECK(pipes.job_count("below") == 1);
  SECTION("finished") { pipes.fixture.finish("b@master"); }
  SECTION("dropped") { must(pipes.fixture.store().catalog().discard(PipelineFixture::branch("b@master"))); }
  CHECK(pipes.job_count("above") == 1);
  CHECK(pipes.job_count("below") == 2);
  CHECK(pipes.fixture.newest_job("below").state == JobState::kSuccess);
  CHECK(pipes.fixture.read("below@master", "c.f") == "2");
}

TEST_CASE("a commit that ends while another is about to wait for it causes the job", "[trigger]") {
  OvertakingHook hook;
  HeldBelow pipes;
  pipes.fixture.write("c@master", "f", "2");
  const bool drop = GENERATE(false, true);
  hook.put_before(pipes.fixture.pipelines(), PipelineFixture::branch("b@master"), [&] {
    std::async(std::launch::async, [&] {
      if (drop) must(pipes.fixture.store().catalog().discard(PipelineFixture::branch("b@master")));
      else pipes.fixture.finish("b@master");
    }).get();
  });
  pipes.fixture.store().set_publish_hook(&hook);
  pipes.fixture.finish("c@master");
  REQUIRE(hook.overtaken());
  CHECK(pipes.job_count("below") == 2);
  CHECK(pipes.fixture.newest_job("below").state == JobState::kSuccess);
  CHECK(pipes.fixture.read("below@master", "c.f") == "2");
  pipes.fixture.store().set_publish_hook(&pipes.fixture.pipelines());
}

TEST_CASE("a branch is not deleted beneath a pipeline that is made meanwhile", "[trigger]") {
  OvertakingHook hook;
  Pipes pipes;
  pipes.fixture.make_branch("in@master");
  hook.put_before(pipes.fixture.pipelines(), PipelineFixture::branch("in@master"), [&] {
    std::async(std::launch::async, [&] { pipes.make("reader", pfs_input("in")); }).get();
  });
  hook.choose_look(GENERATE(1, 2));
  pipes.fixture.store().set_publish_hook(&hook);
  auto& catalog = pipes.fixture.store().catalog();
  const bool of_repo = GENERATE(true, false);
  const auto refused = of_repo ? delete_repo(catalog, "in") : catalog.delete_branch(PipelineFixture::branch("in@master"), true);
  REQUIRE(hook.overtaken());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::kBusy);
  pipes.fixture.store().set_publish_hook(&pipes.fixture.pipelines());
  pipes.commit("in@master", "f", "1");
  CHECK(pipes.fixture.newest_job("reader").state == JobState::kSuccess);
}

TEST_CASE("two pipelines that are made at once do not read one another", "[trigger]") {
  Pipes pipes;
  auto& service = pipes.fixture.pipelines();
  pipes.fixture.make_branch("in@master");
  pipes.make("a", pfs_input("in"));
  pipes.make("b", pfs_input("in"));
  pipes.fixture.runner().at_next_probe([&] {
    std::async(std::launch::async, [&] { must(service.create(spec_reading("b", pfs_input("a")), true, false)); }).get();
  });
  const auto refused = service.create(spec_reading("a", pfs_input("b")), true, false);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::kInvalid);
  CHECK(refused.error().message.find("which is made from its own output") != std::string::npos);
}

TEST_CASE("many pipelines are made and their inputs deleted at once: none is left without its input", "[trigger]") {
  Pipes pipes;
  auto& catalog = pipes.fixture.store().catalog();
  constexpr int kRounds = 20;
  for (int round = 0; round < kRounds; ++round) {
    const std::string n = std::to_string(round);
    pipes.fixture.make_branch("in" + n + "@master");
    std::vector<std::thread> makers;
    for (const std::string name : {"x", "y"}) {
      makers.emplace_back([&, name] {
        (void)pipes.fixture.pipelines().create(spec_reading(name + n, pfs_input("in" + n)), false, false);
      });
    }
    (void)delete_repo(catalog, "in" + n);
    for (auto& maker : makers) maker.join();
    const bool there = catalog.branch(PipelineFixture::branch("in" + n + "@master")).has_value();
    for (const std::string name : {"x", "y"}) {
      CHECK(pipes.fixture.pipelines().get(PipelineFixture::repo(name + n)).has_value() == there);
    }
  }
}

TEST_CASE("of a pipeline and one that reads it, what deletes the first and what makes the second are not both done", "[trigger]") {
  Pipes pipes;
  pipes.fixture.make_branch("in@master");
  constexpr int kRounds = 20;
  for (int round = 0; round < kRounds; ++round) {
    const auto above = PipelineFixture::repo("above" + std::to_string(round));
    const auto below = PipelineFixture::repo("below" + std::to_string(round));
    pipes.make(above.str(), pfs_input("in"));
    std::thread maker([&] { (void)pipes.fixture.pipelines().create(spec_reading(below.str(), pfs_input(above.str())), false, false); });
    (void)pipes.fixture.pipelines().remove({&above, 1}, {false, false});
    maker.join();
    CHECK(pipes.fixture.pipelines().get(below).has_value() == pipes.fixture.store().catalog().repo(above).has_value());
  }
}

TEST_CASE("pipelines that read one another are deleted together, but not what others are made from", "[trigger]") {
  Pipes pipes;
  pipes.fixture.make_branch("in@master");
  pipes.make("first", pfs_input("in"));
  pipes.make("second", pfs_input("first"));
  const std::vector<RepoName> both{PipelineFixture::repo("first"), PipelineFixture::repo("second")};
  auto& catalog = pipes.fixture.store().catalog();
  pipes.fixture.make_branch("other@master");
  const std::vector<store::RefStep> relate{
      store::RelateBranch{PipelineFixture::branch("other@master"), std::vector{PipelineFixture::branch("second@master")}, {}}};
  must(catalog.transact(relate));
  const auto refused = pipes.fixture.pipelines().remove(both, {false, false});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::kBusy);
  CHECK(pipes.fixture.pipelines().get(both.front()).has_value());
  const auto branch = PipelineFixture::branch("other@master");
  must(catalog.delete_branch(branch, true));
  must(pipes.fixture.pipelines().remove(both, {false, false}));
  CHECK_FALSE(catalog.repo(both.front()).has_value());
  CHECK_FALSE(catalog.repo(both.back()).has_value());
}
