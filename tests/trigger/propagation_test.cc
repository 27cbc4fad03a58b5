#include <catch2/catch.hpp>

#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "trigger/pipes.h"

using namespace pfs;
using namespace pfs::test;
using namespace pfs::trigger;
using nlohmann::json;
using worker::CommandEnd;
using worker::End;

TEST_CASE("a commit to one input causes one job, with the other inputs as they are", "[trigger]") {
  Pipes pipes;
  pipes.fixture.make_branch("left@master");
  pipes.fixture.make_branch("right@master");
  pipes.make("both", {{"cross", {pfs_input("left"), pfs_input("right")}}});
  CHECK(pipes.job_count("both") == 0);

  const CommitId left = pipes.commit("left@master", "x", "1");
  JobInfo job = pipes.fixture.newest_job("both");
  CHECK(job.state == JobState::kSuccess);
  CHECK(pipes.progress(job) == "0+0/0");

  const CommitId right = pipes.commit("right@master", "y", "2");
  job = pipes.fixture.newest_job("both");
  CHECK(job.state == JobState::kSuccess);
  CHECK(pipes.progress(job) == "1+0/1");
  CHECK(pipes.job_count("both") == 2);
  CHECK(job.inputs == std::vector<JobInput>{{PipelineFixture::branch("left@master"), left, std::nullopt},
                                            {PipelineFixture::branch("right@master"), right, std::nullopt}});
  CHECK(pipes.fixture.read("both@master", "left.x") == "1");
  CHECK(pipes.fixture.read("both@master", "right.y") == "2");
  CHECK(pipes.made_from("both@master") == std::map<std::string, CommitId>{{"left@master", left}, {"right@master", right}});

  const auto& seen = pipes.last_environment["both"];
  for (const char* line : {"left=/pfs/left/x", "right=/pfs/right/y"}) CHECK(std::count(seen.begin(), seen.end(), line) == 1);
  CHECK(std::count(seen.begin(), seen.end(), "left_COMMIT=" + left.hex()) == 1);
  CHECK(std::count(seen.begin(), seen.end(), "PACH_OUTPUT_COMMIT_ID=" + job.output_commit->hex()) == 1);

  pipes.commit("left@master", "z", "3");
  CHECK(pipes.progress(pipes.fixture.newest_job("both")) == "1+1/2");
  CHECK(pipes.fixture.read("both@master", "right.y") == "22");
}

TEST_CASE("a transaction that moves several inputs causes one job", "[trigger]") {
  Pipes pipes;
  pipes.fixture.make_branch("left@master");
  pipes.fixture.make_branch("right@master");
  pipes.make("both", {{"cross", {pfs_input("left"), pfs_input("right")}}});
  pipes.fixture.write("left@master", "x", "1");
  pipes.fixture.write("right@master", "y", "2");
  const std::vector<store::RefStep> steps{store::FinishCommit{PipelineFixture::branch("left@master"), {}},
                                          store::FinishCommit{PipelineFixture::branch("right@master"), {}}};
  must(pipes.fixture.store().catalog().transact(steps));
  CHECK(pipes.progress(pipes.fixture.newest_job("both")) == "1+0/1");
  CHECK(pipes.job_count("both") == 1);
}

TEST_CASE("a diamond has one job at its end, which waits for both ways and has all provenance", "[trigger]") {
  Diamond diamond;
  std::atomic<bool> go_on{false};
  diamond.set_behaviour("c", [&] {
    while (!go_on) std::this_thread::yield();
    return CommandEnd{};
  });
  const CommitId cause = diamond.commit("a@master", "f", "1");
  // the whole of it is known at once, and waits
  CHECK(diamond.job_count("d") == 1);
  CHECK(diamond.fixture.newest_job("b").state == JobState::kSuccess);
  const auto patience = PipelineFixture::patience();
  JobInfo waiting;
  do {
    waiting = must(diamond.fixture.pipelines().jobs(PipelineFixture::repo("d"), 1)).front();
  } while (waiting.reason.find("waiting: input c@master") == std::string::npos && patience());
  CHECK(waiting.reason.find("waiting: input c@master") != std::string::npos);
  CHECK(waiting.state == JobState::kStarting);
  go_on = true;

  const JobInfo job = diamond.fixture.newest_job("d");
  CHECK(job.state == JobState::kSuccess);
  CHECK(job.inputs.at(0).commit == diamond.head("b@master").id);
  CHECK(job.inputs.at(1).commit == diamond.head("c@master").id);
  CHECK(diamond.made_from("d@master") == std::map<std::string, CommitId>{{"a@master", cause},
                                                                        {"b@master", diamond.head("b@master").id},
                                                                        {"c@master", diamond.head("c@master").id}});
  diamond.commit("a@master", "g", "2");
  CHECK(diamond.fixture.newest_job("d").state == JobState::kSuccess);
  for (const char* pipeline : {"b", "c", "d"}) CHECK(diamond.job_count(pipeline) == 2);
}

TEST_CASE("what is downstream of a failed job is not run, and its output stays as it was", "[trigger]") {
  Diamond diamond;
  diamond.commit("a@master", "f", "1");
  CHECK(diamond.fixture.newest_job("d").state == JobState::kSuccess);
  const CommitId before = diamond.head("d@master").id;
  diamond.set_behaviour("b", [] { return CommandEnd{End::kExited, 1, {}}; });
  diamond.commit("a@master", "g", "2");
  const JobInfo failed = diamond.fixture.newest_job("b");
  CHECK(failed.state == JobState::kFailure);
  const JobInfo job = diamond.fixture.newest_job("d");
  CHECK(job.state == JobState::kFailure);
  CHECK(job.reason.find("job " + failed.id.hex() + " of pipeline b") != std::string::npos);
  CHECK(diamond.runs["d"] == 1);
  CHECK(diamond.head("d@master").id == before);

  diamond.set_behaviour("b", nullptr);
  diamond.commit("a@master", "h", "3");
  CHECK(diamond.fixture.newest_job("d").state == JobState::kSuccess);
  CHECK(diamond.job_count("d") == 3);
  CHECK(diamond.fixture.read("d@master", "b.a.g") == "2");
}

TEST_CASE("no job comes of the half of a change whose other half has failed", "[trigger]") {
  Diamond diamond;
  PipelineFixture& fixture = diamond.fixture;
  diamond.commit("a@master", "f", "1");
  REQUIRE(fixture.newest_job("d").state == JobState::kSuccess);
  const CommitId before = diamond.head("d@master").id;
  diamond.set_behaviour("b", [] { return CommandEnd{End::kExited, 1, {}}; });
  diamond.commit("a@master", "g", "2");
  const JobInfo failed = fixture.newest_job("b");
  REQUIRE(failed.state == JobState::kFailure);
  REQUIRE(fixture.newest_job("c").state == JobState::kSuccess);
  REQUIRE(fixture.newest_job("d").state == JobState::kFailure);

  SECTION("when pfsd restarts") {
    fixture.close();
    fixture.open();
  }
  SECTION("when pfsd restarts, and the job that failed was deleted") {
    must(fixture.pipelines().delete_job(failed.id));
    fixture.close();
    fixture.open();
  }
  SECTION("when the pipeline is stopped and started") {
    must(fixture.pipelines().set_stopped(PipelineFixture::repo("d"), true));
    must(fixture.pipelines().set_stopped(PipelineFixture::repo("d"), false));
  }
  CHECK(diamond.job_count("d") == 2);
  CHECK(fixture.newest_job("d").state == JobState::kFailure);
  CHECK(diamond.head("d@master").id == before);
}

TEST_CASE("no job comes of the commit that HEAD goes back to by a deletion, also when pfsd restarts then", "[trigger]") {
  Diamond diamond;
  PipelineFixture& fixture = diamond.fixture;
  const CommitId first = diamond.commit("a@master", "f", "1");
  REQUIRE(fixture.newest_job("d").state == JobState::kSuccess);
  const CommitId made = diamond.head("d@master").id;
  JobState ended = JobState::kSuccess;
  SECTION("of one that something was made from") {}
  SECTION("of one that nothing was made from") {
    for (const char* pipeline : {"b", "c"}) {
      diamond.set_behaviour(pipeline, [] { return CommandEnd{End::kExited, 1, {}}; });
    }
    ended = JobState::kFailure;
  }
  const CommitId second = diamond.commit("a@master", "g", "2");
  for (const char* pipeline : {"b", "c", "d"}) REQUIRE(fixture.newest_job(pipeline).state == ended);

  const std::vector<store::RefStep> deletion{store::DeleteCommit{PipelineFixture::repo("a"), second}};
  must(fixture.store().catalog().transact(deletion));
  CHECK(diamond.head("a@master").id == first);
  CHECK(diamond.head("d@master").id == made);
  for (const char* pipeline : {"b", "c", "d"}) CHECK(diamond.job_count(pipeline) == 1);
  fixture.close();
  fixture.open();
  for (const char* pipeline : {"b", "c", "d"}) CHECK(diamond.job_count(pipeline) == 1);

  for (const char* pipeline : {"b", "c"}) diamond.set_behaviour(pipeline, nullptr);
  diamond.commit("a@master", "h", "3");
  CHECK(fixture.newest_job("d").state == JobState::kSuccess);
  CHECK(diamond.job_count("d") == 2);
}

TEST_CASE("a commit that changes nothing causes no job", "[trigger]") {
  Diamond diamond;
  auto& catalog = diamond.fixture.store().catalog();
  diamond.commit("a@master", "f", "1");
  CHECK(diamond.fixture.newest_job("d").state == JobState::kSuccess);
  must(catalog.start_commit(PipelineFixture::branch("a@master"), ""));
  const CommitId same = diamond.fixture.finish("a@master");
  CHECK(diamond.head("a@master").id == same);
  must(catalog.retarget(PipelineFixture::branch("a@master"), must(CommitRef::parse("a@master^"))));
  for (const char* pipeline : {"b", "c", "d"}) CHECK(diamond.job_count(pipeline) == 1);
}

TEST_CASE("a pipeline's update causes jobs of what reads its output", "[trigger]") {
  Diamond diamond;
  diamond.commit("a@master", "f", "1");
  CHECK(diamond.fixture.newest_job("d").state == JobState::kSuccess);
  must(diamond.fixture.pipelines().create(spec_reading("b", pfs_input("a", "/")), true, false));
  CHECK(diamond.fixture.newest_job("b").state == JobState::kSuccess);
  CHECK(diamond.fixture.newest_job("d").state == JobState::kSuccess);
  CHECK(diamond.job_count("b") == 2);
  CHECK(diamond.job_count("c") == 1);
  CHECK(diamond.job_count("d") == 2);
  CHECK(diamond.made_from("d@master").at("b@master") == diamond.head("b@master").id);
}

TEST_CASE("a job that waits for another goes on waiting after a restart", "[trigger]") {
  Diamond diamond(/*mounted=*/false);
  diamond.commit("a@master", "f", "1");
  diamond.fixture.close();
  diamond.fixture.open();
  CHECK(diamond.job_count("d") == 1);
  diamond.fixture.views().set_mounted(true);
  CHECK(diamond.fixture.newest_job("d").state == JobState::kSuccess);
  for (const char* pipeline : {"b", "c", "d"}) CHECK(diamond.job_count(pipeline) == 1);
}

TEST_CASE("a job whose input was to come of a pipeline that is deleted has failed", "[trigger]") {
  Diamond diamond(/*mounted=*/false);
  diamond.commit("a@master", "f", "1");
  must(diamond.fixture.pipelines().remove(PipelineFixture::repo("c")));
  diamond.fixture.views().set_mounted(true);
  const JobInfo job = diamond.fixture.newest_job("d");
  CHECK(job.state == JobState::kFailure);
  CHECK(job.reason.find("input c@master") != std::string::npos);
}

TEST_CASE("a job's datums say what became of them, a spec's what they would be", "[trigger]") {
  Pipes pipes;
  pipes.fixture.make_branch("left@master");
  pipes.fixture.make_branch("right@master");
  const json input{{"cross", {pfs_input("left"), pfs_input("right")}}};
  pipes.make("both", input);
  pipes.commit("left@master", "x", "1");
  pipes.commit("right@master", "y", "22");
  const JobInfo first = pipes.fixture.newest_job("both");
  pipes.set_behaviour("both", [] { return CommandEnd{End::kExited, 1, {}}; });
  pipes.commit("left@master", "z", "333");
  const JobInfo second = pipes.fixture.newest_job("both");
  REQUIRE(second.state == JobState::kFailure);

  const auto& service = pipes.fixture.pipelines();
  const auto list = [&](const JobId& job) {
    std::vector<DatumInfo> all;
    must(service.datums(job, [&](const DatumInfo& datum) {
      all.push_back(datum);
      return true;
    }));
    return all;
  };
  const auto of_first = list(first.id);
  REQUIRE(of_first.size() == 1);
  CHECK(of_first.front().state == DatumState::kSuccess);
  CHECK(of_first.front().input_bytes == 3);
  CHECK(of_first.front().output_bytes == 3);
  REQUIRE(of_first.front().files.size() == 2);
  CHECK(of_first.front().files.back().path.str() == "/y");
  CHECK(of_first.front().files.back().commit == pipes.head("right@master").id);
  const auto of_second = list(second.id);
  REQUIRE(of_second.size() == 2);
  CHECK(of_second.front().state == DatumState::kSkipped);
  CHECK(of_second.back().state == DatumState::kFailed);
  CHECK(must(service.datum(second.id, *of_second.back().id)).files.front().path.str() == "/z");
  CHECK(service.datum(first.id, *of_second.back().id).error().code == Code::kNotFound);

  std::size_t planned = 0;
  must(service.planned_datums(spec_reading("new", input), [&](const DatumInfo& datum) {
    CHECK_FALSE(datum.id);
    CHECK_FALSE(datum.state);
    return ++planned < 10;
  }));
  CHECK(planned == 2);
  CHECK(service.planned_datums(spec_reading("new", pfs_input("nowhere")), nullptr).error().code == Code::kNotFound);

  must(service.job(first.id));
  must(pipes.fixture.pipelines().create(spec_reading("both", input["cross"][0]), true, true));
  CHECK(service.datums(first.id, nullptr).error().code == Code::kInvalid);
}

TEST_CASE("a job that waits while its pipeline is given other branches is not run", "[trigger]") {
  Pipes pipes;
  pipes.fixture.make_branch("left@master");
  pipes.fixture.make_branch("right@master");
  pipes.commit("right@master", "y", "2");
  pipes.fixture.views().set_mounted(false);
  pipes.make("one", pfs_input("left"));
  pipes.commit("left@master", "x", "1");
  const JobId first = must(pipes.fixture.pipelines().jobs(PipelineFixture::repo("one"), 1)).front().id;
  pipes.fixture.close();  // so that nobody is at it
  pipes.fixture.open(/*start=*/false);
  must(pipes.fixture.pipelines().create(spec_reading("one", pfs_input("right")), true, false));
  pipes.fixture.views().set_mounted(true);
  must(pipes.fixture.pipelines().start());
  CHECK(pipes.fixture.newest_job("one").state == JobState::kSuccess);
  CHECK(pipes.fixture.read("one@master", "right.y") == "2");
  CHECK(must(pipes.fixture.pipelines().job(first)).state == JobState::kKilled);
  CHECK(pipes.job_count("one") == 2);
}

namespace {

/// a, with a job of it that has begun and cannot go on, and maybe one that is queued; then its pipeline is told to write another
/// branch.
struct Redirected : Pipes {
  explicit Redirected(bool one_is_queued = false) {
    fixture.views().set_mounted(false);
    fixture.make_branch("in@master");
    make("a", pfs_input("in"));
    make("b", pfs_input("a"));
    commit("in@master", "f", "1");
    auto& pipelines = fixture.pipelines();
    job = must(pipelines.jobs(PipelineFixture::repo("a"), 1)).front().id;
    for (const auto patient = PipelineFixture::patience(); patient() && must(pipelines.job(job)).state != JobState::kRunning;) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    if (one_is_queued) commit("in@master", "g", "2");
    auto other = json::parse(spec_reading("a", pfs_input("in")));
    other["output_branch"] = "dev";
    must(pipelines.create(other.dump(), true, false));
  }
  JobId job;
};

}  // namespace

TEST_CASE("a job whose pipeline writes another branch by now is killed, and what people have put there stays", "[trigger]") {
  Redirected pipes;
  pipes.fixture.write("a@master", "mine", "not committed");
  pipes.fixture.views().set_mounted(true);
  const JobInfo killed = must(pipes.fixture.pipelines().wait(pipes.job, PipelineFixture::patience()));
  CHECK(killed.state == JobState::kKilled);
  CHECK(killed.reason == "the pipeline was updated, and writes another branch now");
  CHECK(pipes.fixture.newest_job("a").state == JobState::kSuccess);
  CHECK(pipes.fixture.read("a@dev", "in.f") == "1");
  pipes.fixture.finish("a@master");
  CHECK(pipes.fixture.read("a@master", "mine") == "not committed");
}

TEST_CASE("a job that waits for one whose pipeline writes another branch by now learns of its end", "[trigger]") {
  Redirected pipes;
  pipes.fixture.views().set_mounted(true);
  const JobInfo waited = pipes.fixture.newest_job("b");
  CHECK(waited.state == JobState::kFailure);
  CHECK(waited.reason.find("job " + pipes.job.hex() + " of pipeline a") != std::string::npos);
}

TEST_CASE("a job does not read what the one that it waited for has put into another branch", "[trigger]") {
  Redirected pipes(/*one_is_queued=*/true);
  pipes.fixture.views().set_mounted(true);
  CHECK(pipes.fixture.newest_job("a").state == JobState::kSuccess);
  CHECK(pipes.fixture.read("a@dev", "in.g") == "2");
  CHECK(pipes.fixture.newest_job("b").state == JobState::kFailure);
  for (const JobInfo& job : must(pipes.fixture.pipelines().jobs(PipelineFixture::repo("b"), 100))) {
    CHECK(job.state == JobState::kFailure);
  }
  CHECK_FALSE(must(pipes.fixture.store().catalog().branch(PipelineFixture::branch("b@master"))).head);
}

TEST_CASE("a job and its pipeline say that they wait for an image that is being pulled", "[trigger]") {
  std::promise<void> asked;
  std::promise<void> pulled;
  Pipes pipes;
  pipes.fixture.make_branch("a@master");
  pipes.commit("a@master", "f", "1");
  pipes.fixture.runner().at_image([&, done = pulled.get_future().share(), first = std::make_shared<std::once_flag>()](const ImageRequest& request) {
    if (request.on_pull) request.on_pull();
    std::call_once(*first, [&] { asked.set_value(); });
    done.wait();
  });
  pipes.make("b", pfs_input("a"));
  asked.get_future().wait();
  const std::string wanted = "image image: is being pulled";
  auto& service = pipes.fixture.pipelines();
  const auto job = must(service.jobs(PipelineFixture::repo("b"), 1)).front().id;
  for (const auto patient = PipelineFixture::patience(); patient() && must(service.job(job)).reason != "waiting: " + wanted;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  CHECK(must(service.job(job)).reason == "waiting: " + wanted);
  CHECK(must(service.get(PipelineFixture::repo("b"))).reason == wanted);
  pulled.set_value();
  CHECK(pipes.fixture.newest_job("b").state == JobState::kSuccess);
  CHECK(pipes.fixture.newest_job("b").reason.empty());
  pipes.fixture.runner().at_image({});
}
