// Jobs that end before their time: what is told of their datums afterwards, and what counts as their time.
#include <catch2/catch.hpp>

#include <atomic>
#include <thread>

#include "support/job_fixture.h"

using namespace pfs;
using namespace pfs::test;
using namespace pfs::trigger;
using worker::CommandEnd;
using worker::End;

namespace {

using States = std::vector<DatumState>;

/// The disk has no room for what the pipeline `work` puts out, for as long as `full`.
class FullDisk final : public store::PublishHook {
 public:
  void put_before(store::PublishHook& next) { next_ = &next; }

  Result<void> on_moves(std::span<const store::HeadMove> moves, const store::BranchAfter& branch, store::RefTxn& txn) override {
    for (const auto& move : moves) {
      if (move.branch.repo.str() != "work" || !full) continue;
      ++refused;
      return Error{Code::kNoSpace, "full"};
    }
    return next_->on_moves(moves, branch, txn);
  }
  void after_moves(std::span<const store::HeadMove> moves) override { next_->after_moves(moves); }
  void after_discard(const BranchRef& branch) override { next_->after_discard(branch); }
  Result<void> on_delete(const BranchRef& branch, store::DeletionOf what, store::RefTxn& txn) override {
    return next_->on_delete(branch, what, txn);
  }
  Result<void> on_commits_deleted(std::span<const CommitId> commits, store::RefTxn& txn) override {
    return next_->on_commits_deleted(commits, txn);
  }

  std::atomic<bool> full{true};
  std::atomic<int> refused{0};

 private:
  store::PublishHook* next_ = nullptr;
};

/// Over a, b and c, of which b hangs for as long as `hangs`.
struct HangingJob {
  HangingJob()
      : jobs([this](const ProgramCall& call, const std::string& name) {
          if (name == "b") ++runs;
          return name == "b" && hangs ? JobFixture::hang(call) : CommandEnd{};
        }) {}

  /// Until a is done and b is being processed.
  void begin(const std::map<std::string, std::string>& fields = {}) {
    jobs.create(fields);
    jobs.commit({"a", "b", "c"});
    REQUIRE(JobFixture::until([this] { return runs > 0 && jobs.newest().processed == 1; }));
  }
  /// The job that was stopped has been left by who ran it.
  bool comes_to(const JobInfo& job, const States& states) {
    return JobFixture::until([&] { return jobs.datums(job) == states; });
  }

  std::atomic<bool> hangs{true};
  std::atomic<int> runs{0};
  JobFixture jobs;
};

}  // namespace

TEST_CASE("of a job that is stopped, the datum that was being processed is killed, and those after it have not begun", "[trigger]") {
  HangingJob of;
  of.begin();
  const JobInfo job = of.jobs.newest();
  CHECK(of.jobs.datums(job) == States{DatumState::kSuccess, DatumState::kStarting, DatumState::kStarting});
  REQUIRE(of.jobs.fixture.pipelines().stop_job(job.id));
  const States told{DatumState::kSuccess, DatumState::kKilled, DatumState::kNotBegun};
  CHECK(of.comes_to(job, told));
  CHECK(of.jobs.newest().failed == 0);

  of.hangs = false;
  of.jobs.commit({"d"});
  const JobInfo next = of.jobs.job();
  REQUIRE(next.state == JobState::kSuccess);
  CHECK(of.jobs.datums(next) == States{DatumState::kSkipped, DatumState::kSuccess, DatumState::kSuccess, DatumState::kSuccess});
  CHECK(of.jobs.datums(job) == told);  // a later job has done them: this one has skipped none
}

TEST_CASE("of a job that job_timeout ends, the datums that had not begun are told apart", "[trigger]") {
  HangingJob of;
  of.begin({{"/job_timeout", "\"700ms\""}});
  const JobInfo job = of.jobs.job();
  CHECK(job.state == JobState::kKilled);
  CHECK(of.comes_to(job, {DatumState::kSuccess, DatumState::kKilled, DatumState::kNotBegun}));
}

TEST_CASE("of a job whose command cannot start, the other datums have not begun", "[trigger]") {
  JobFixture jobs([](const ProgramCall&, const std::string&) { return CommandEnd{End::kNotStarted, 2, "exec: not found"}; });
  jobs.create();
  jobs.commit({"a", "b"});
  const JobInfo job = jobs.job();
  CHECK(job.state == JobState::kFailure);
  CHECK(jobs.datums(job) == States{DatumState::kFailed, DatumState::kNotBegun});
}

TEST_CASE("a job that was stopped before it ran has datums that have not begun", "[trigger]") {
  HangingJob of;
  of.begin();
  const JobInfo first = of.jobs.newest();
  of.jobs.commit({"d"});
  const JobInfo waiting = of.jobs.newest();
  REQUIRE(waiting.id != first.id);
  REQUIRE(of.jobs.fixture.pipelines().stop_job(waiting.id));
  const States states = of.jobs.datums(waiting);
  REQUIRE(states.size() == 4);
  CHECK(states.back() == DatumState::kNotBegun);
  REQUIRE(of.jobs.fixture.pipelines().stop_job(first.id));
}

TEST_CASE("a datum that was cut off when pfsd ended is still to be done", "[trigger]") {
  HangingJob of;
  of.begin();
  of.jobs.fixture.close();
  of.jobs.fixture.open(/*start=*/false);
  const JobInfo job = of.jobs.newest();
  REQUIRE(job.state == JobState::kRunning);
  CHECK(of.jobs.datums(job) == States{DatumState::kSuccess, DatumState::kStarting, DatumState::kStarting});
  of.hangs = false;
  REQUIRE(of.jobs.fixture.pipelines().start());
  CHECK(of.jobs.job().state == JobState::kSuccess);
  CHECK(of.jobs.datums(job) == States{DatumState::kSuccess, DatumState::kSuccess, DatumState::kSuccess});
}

TEST_CASE("the time of job_timeout goes on while there is no pfsd", "[trigger]") {
  using namespace std::chrono_literals;
  HangingJob of;
  of.begin({{"/job_timeout", "\"700ms\""}});
  const auto over = std::chrono::steady_clock::now() + 700ms;
  of.jobs.fixture.close();
  const int runs = of.runs;
  std::this_thread::sleep_until(over);  // what passes here is what is tested
  of.jobs.fixture.open();
  const JobInfo job = of.jobs.job();
  CHECK(job.state == JobState::kKilled);
  CHECK(job.reason.find("job_timeout (700ms)") != std::string::npos);
  CHECK(of.runs == runs);
}

TEST_CASE("a job whose output cannot be published has not ended, and ends with it when it can", "[trigger]") {
  FullDisk disk;  // outlives the pipelines' threads, which call it
  JobFixture jobs([&jobs](const ProgramCall& call, const std::string& name) {
    jobs.put_out(call, name, name);
    return CommandEnd{};
  });
  jobs.create();
  disk.put_before(jobs.fixture.pipelines());
  jobs.fixture.store().set_publish_hook(&disk);
  jobs.commit({"a"});
  REQUIRE(JobFixture::until([&] { return disk.refused > 1; }));  // it was tried, left and tried again
  CHECK_FALSE(jobs.newest().finished);
  CHECK_FALSE(jobs.newest().output_commit);
  disk.full = false;
  const JobInfo job = jobs.job();
  CHECK(job.state == JobState::kSuccess);
  CHECK(job.output_commit);
  CHECK(jobs.fixture.read("work@master", "/a") == "a");
  jobs.fixture.store().set_publish_hook(&jobs.fixture.pipelines());
}

TEST_CASE("how long datums took is told, one by one and added up, also of those that failed", "[trigger]") {
  using namespace std::chrono_literals;
  JobFixture jobs([](const ProgramCall&, const std::string& name) {
    std::this_thread::sleep_for(name == "slow" ? 30ms : 1ms);
    return name == "bad" ? CommandEnd{End::kExited, 1, ""} : CommandEnd{};
  });
  jobs.create({{"/datum_tries", "2"}});
  jobs.commit({"bad", "slow"});
  const JobInfo job = jobs.job();
  REQUIRE(job.state == JobState::kFailure);
  std::vector<ProcessStats> each;
  must(jobs.fixture.pipelines().datums(job.id, [&](const DatumInfo& datum) {
    each.push_back(datum.stats);
    return true;
  }));
  REQUIRE(each.size() == 2);
  CHECK(each[0].process_time >= 2ms);  // two attempts
  CHECK(each[0].upload_time == 0ms);   // nothing was taken
  CHECK(each[1].process_time >= 30ms);
  CHECK(each[1].download_time > 0ms);
  CHECK(each[1].upload_time > 0ms);
  CHECK(job.stats.process_time == each[0].process_time + each[1].process_time);

  jobs.commit({"new"});  // slow is skipped, and took nothing in this one
  must(jobs.fixture.pipelines().datums(jobs.job().id, [&](const DatumInfo& datum) {
    if (datum.files.at(0).path.name() == "slow") CHECK(datum.stats == ProcessStats{});
    return true;
  }));
}

TEST_CASE("a person's shell is refused where the job's datums cannot be told, and says why", "[trigger]") {
  JobFixture jobs([](const ProgramCall&, const std::string&) { return CommandEnd{}; });
  jobs.create();
  jobs.commit({"a"});
  const JobInfo job = jobs.job();
  auto& pipelines = jobs.fixture.pipelines();
  const auto debug = [&](const JobId& id, const std::string& datum) {
    bool ready = false;
    auto ended = pipelines.debug_datum(
        id, datum, [&](const auto&) { return ready = true; }, [&] { return !ready; });
    CHECK(ended.has_value() == ready);
    return ended;
  };
  CHECK(debug(job.id, "/a"));
  CHECK(debug(job.id, "a"));
  CHECK(debug(JobId(), "/a").error().code == Code::kNotFound);
  const auto no_such = debug(job.id, "/b");
  CHECK(no_such.error().code == Code::kNotFound);
  CHECK(no_such.error().message.find("pfs list datum") != std::string::npos);
  CHECK(debug(job.id, std::string(64, '0')).error().code == Code::kNotFound);

  SECTION("the pipeline has another input since") {
    must(pipelines.create(R"({"pipeline": {"name": "work"}, "transform": {"image": "image", "cmd": ["work"]},
                              "input": {"pfs": {"repo": "text", "glob": "/"}}})", true, false));
    CHECK(debug(job.id, "/a"));
    CHECK(debug(job.id, "/").error().code == Code::kNotFound);
    CHECK(jobs.datums(job) == States{DatumState::kSuccess});
  }
  SECTION("the pipeline is processed anew since") {
    must(pipelines.create(R"({"pipeline": {"name": "work"}, "transform": {"image": "image", "cmd": ["work"]},
                              "input": {"pfs": {"repo": "text", "glob": "/*"}}, "datum_tries": 1})", true, true));
    CHECK(debug(job.id, "/a").error().code == Code::kInvalid);
  }
}

TEST_CASE("a person's shell begins in the working directory, as the datum's command does", "[trigger]") {
  JobFixture jobs([](const ProgramCall&, const std::string&) { return CommandEnd{}; });
  const bool has_one = GENERATE(true, false);
  jobs.create({{"/transform/working_dir", has_one ? R"("/some where")" : "null"}});
  jobs.commit({"a"});
  std::vector<std::string> words;
  const auto ready = [&words](const std::vector<std::string>& told) {
    words = told;
    return false;
  };
  REQUIRE(jobs.fixture.pipelines().debug_datum(jobs.job().id, "/a", ready, [] { return true; }));
  CHECK((words.back() == "in /some where") == has_one);
}

TEST_CASE("a pipeline says how many of its workers have a container", "[trigger]") {
  JobFixture jobs([](const ProgramCall&, const std::string&) { return CommandEnd{}; });
  jobs.create({{"/parallelism_spec", R"({"constant": 3})"}});
  const auto work = PipelineFixture::repo("work");
  CHECK(JobFixture::until([&] { return must(jobs.fixture.pipelines().get(work)).workers_available == 3; }));
  CHECK(must(jobs.fixture.pipelines().get(work)).workers_wanted == 3);
  REQUIRE(jobs.fixture.pipelines().set_stopped(work, true));
  CHECK(must(jobs.fixture.pipelines().get(work)).workers_available == 0);
  CHECK(must(jobs.fixture.pipelines().get(work)).workers_wanted == 3);
}
