#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>

#include <boost/filesystem.hpp>

#include "support/job_fixture.h"

using namespace pfs;
using namespace pfs::test;
using namespace pfs::trigger;
using worker::CommandEnd;
using worker::End;

namespace {

const CommandEnd kFailed{End::kExited, 7, {}};

}  // namespace

TEST_CASE("as many datums as the spec has workers run at once; the output is in the order of the datums", "[trigger]") {
  std::atomic<int> running{0};
  std::atomic<bool> together{false};
  JobFixture jobs([&](const ProgramCall& call, const std::string& name) {
    if (++running == 3) together = true;
    JobFixture::until([&] { return together.load(); });
    jobs.put_out(call, "all", name);
    return CommandEnd{};
  });
  jobs.create({{"/parallelism_spec", R"({"constant": 3})"}});
  jobs.commit({"a", "b", "c"});
  const JobInfo job = jobs.job();
  CHECK(job.state == JobState::kSuccess);
  CHECK(job.processed == 3);
  CHECK(together);
  CHECK(jobs.fixture.runner().started() == 3);
  CHECK(jobs.fixture.read("work@master", "/all") == "abc");
}

TEST_CASE("a datum whose container is lost is tried again in another", "[trigger]") {
  std::atomic<int> runs{0};
  JobFixture jobs([&](const ProgramCall& call, const std::string&) {
    if (++runs == 1) call.lose();
    return CommandEnd{};
  });
  jobs.create({{"/datum_tries", "2"}});
  jobs.commit({"a"});
  CHECK(jobs.job().state == JobState::kSuccess);
  CHECK(runs == 2);
  CHECK(jobs.fixture.runner().started() == 2);
}

TEST_CASE("a container that has died while it had nothing to do costs no datum a try", "[trigger]") {
  std::atomic<int> runs{0};
  JobFixture jobs([&](const ProgramCall&, const std::string&) {
    ++runs;
    return CommandEnd{};
  });
  jobs.create();  // datum_tries is 1
  jobs.commit({"a"});
  REQUIRE(jobs.job().state == JobState::kSuccess);
  jobs.fixture.runner().lose_all();
  jobs.commit({"b"});
  CHECK(jobs.job().state == JobState::kSuccess);
  CHECK(runs == 2);
  CHECK(jobs.fixture.runner().started() == 2);
}

TEST_CASE("a container that has died while it had nothing to do is replaced before the next job", "[trigger]") {
  JobFixture jobs([&](const ProgramCall&, const std::string&) { return CommandEnd{}; });
  jobs.create();
  REQUIRE(JobFixture::until([&] { return jobs.fixture.runner().running() == 1; }));
  jobs.fixture.runner().lose_all();
  CHECK(JobFixture::until([&] { return jobs.fixture.runner().started() == 2; }));
}

TEST_CASE("a container that cannot be removed is not forgotten: the next start removes it", "[trigger]") {
  JobFixture jobs([](const ProgramCall&, const std::string&) { return CommandEnd{}; });
  jobs.create();
  jobs.commit({"a"});
  REQUIRE(jobs.job().state == JobState::kSuccess);
  const std::string links = jobs.directory / "jobs/links";
  CHECK_FALSE(boost::filesystem::is_empty(links));
  SECTION("it is removed") {
    REQUIRE(jobs.fixture.pipelines().set_stopped(PipelineFixture::repo("work"), true));
    CHECK(boost::filesystem::is_empty(links));
  }
  SECTION("it is not") {
    jobs.fixture.runner().refuse_to_stop(1);
    REQUIRE(jobs.fixture.pipelines().set_stopped(PipelineFixture::repo("work"), true));
    CHECK_FALSE(boost::filesystem::is_empty(links));
    jobs.fixture.close();
    jobs.fixture.open();
    CHECK(boost::filesystem::is_empty(links));
  }
}

TEST_CASE("a secret that is deleted stays with the containers that have it, and one made anew is for new ones", "[trigger]") {
  const char* manifest = R"({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token"}, "stringData": {"key": "text"}})";
  std::atomic<int> runs{0};
  JobFixture* all = nullptr;
  JobFixture jobs([&](const ProgramCall& call, const std::string&) {
    const auto& given = call.request.environment;
    CHECK(std::find(given.begin(), given.end(), "TOKEN=text") != given.end());
    if (++runs == 1) must(all->fixture.secrets().remove(must(SecretName::parse("token"))));
    return CommandEnd{};
  });
  all = &jobs;
  must(jobs.fixture.secrets().create(manifest));
  jobs.create({{"/transform/secrets", R"([{"name": "token", "env_var": "TOKEN", "key": "key"}])"}});
  jobs.commit({"a", "b"});
  CHECK(jobs.job().state == JobState::kSuccess);
  CHECK(runs == 2);
  CHECK(jobs.fixture.runner().started() == 1);
  must(jobs.fixture.secrets().create(manifest));
  jobs.commit({"c"});
  CHECK(jobs.job().state == JobState::kSuccess);
  CHECK(jobs.fixture.runner().started() == 2);
}

TEST_CASE("a worker that does not start leaves the datums to the others", "[trigger]") {
  JobFixture jobs([&](const ProgramCall& call, const std::string& name) {
    jobs.put_out(call, name, name);
    return CommandEnd{};
  });
  jobs.create({{"/parallelism_spec", R"({"constant": 2})"}, {"/standby", "true"}});
  REQUIRE(JobFixture::until([&] { return jobs.fixture.runner().running() == 0; }));
  jobs.fixture.runner().refuse(1);
  jobs.commit({"a", "b", "c"});
  const JobInfo job = jobs.job();
  CHECK(job.state == JobState::kSuccess);
  CHECK(job.failed == 0);
  CHECK(job.processed == 3);
}

TEST_CASE("a job whose container cannot start goes on with a corrected spec, and keeps what it has done", "[trigger]") {
  constexpr int kAll = 1'000'000;
  std::atomic<int> runs{0};
  std::atomic<bool> lost{false};
  JobFixture jobs([&](const ProgramCall& call, const std::string& name) {
    jobs.put_out(call, name, name);
    if (name == "a") ++runs;
    if (name == "b" && !lost.exchange(true)) {
      jobs.fixture.runner().refuse(kAll);
      call.lose();
    }
    return CommandEnd{};
  });
  auto& pipelines = jobs.fixture.pipelines();
  jobs.create({{"/resource_limits", R"({"memory": "64M"})"}, {"/datum_tries", "2"}});
  jobs.commit({"a", "b"});
  const JobId id = jobs.newest().id;
  const auto job = [&] { return must(pipelines.job(id)); };
  REQUIRE(JobFixture::until([&] { return job().reason == "waiting: no more containers"; }));
  CHECK(job().pipeline_version == 1);

  must(pipelines.create(R"({"pipeline": {"name": "work"}, "transform": {"image": "image", "cmd": ["work"]},
                            "input": {"pfs": {"repo": "text", "glob": "/*"}}, "datum_tries": 2})", true, false));
  REQUIRE(JobFixture::until([&] { return job().pipeline_version == 2; }));
  jobs.fixture.runner().refuse(0);
  const JobInfo ended = must(pipelines.wait(id, PipelineFixture::patience()));
  CHECK(ended.state == JobState::kSuccess);
  CHECK(ended.processed == 2);
  CHECK(runs == 1);
  CHECK(jobs.fixture.read("work@master", "/b") == "b");
  CHECK(jobs.job().skipped == 2);  // the update's own
}

TEST_CASE("a pipeline on standby has containers only while there is a job", "[trigger]") {
  JobFixture jobs([](const ProgramCall&, const std::string&) { return CommandEnd{}; });
  jobs.create({{"/standby", "true"}});
  const auto is_on_standby = [&] {
    return must(jobs.fixture.pipelines().get(PipelineFixture::repo("work"))).state == PipelineState::kStandby;
  };
  REQUIRE(JobFixture::until(is_on_standby));
  CHECK(jobs.fixture.runner().started() == 0);
  jobs.commit({"a"});
  CHECK(jobs.job().state == JobState::kSuccess);
  CHECK(JobFixture::until([&] { return jobs.fixture.runner().running() == 0; }));
  jobs.commit({"b"});
  CHECK(jobs.job().state == JobState::kSuccess);
  CHECK(jobs.fixture.runner().started() == 2);
}

TEST_CASE("containers that had nothing to do for long are stopped, and started for the next job", "[trigger]") {
  JobFixture jobs([](const ProgramCall&, const std::string&) { return CommandEnd{}; }, std::chrono::milliseconds(50));
  jobs.create();
  CHECK(JobFixture::until([&] { return jobs.fixture.runner().started() == 1 && jobs.fixture.runner().running() == 0; }));
  jobs.commit({"a"});
  CHECK(jobs.job().state == JobState::kSuccess);
  CHECK(jobs.fixture.runner().started() == 2);
  CHECK(must(jobs.fixture.pipelines().get(PipelineFixture::repo("work"))).state == PipelineState::kRunning);
}

TEST_CASE("a datum that takes longer than datum_timeout is killed, and that is a try", "[trigger]") {
  std::atomic<int> runs{0};
  JobFixture jobs([&](const ProgramCall& call, const std::string& name) {
    if (name != "slow") return CommandEnd{};
    ++runs;
    return JobFixture::hang(call);
  });
  jobs.create({{"/datum_tries", "2"}, {"/datum_timeout", "\"200ms\""}});
  jobs.commit({"a", "slow"});
  const JobInfo job = jobs.job();
  CHECK(job.state == JobState::kFailure);
  CHECK(job.reason.find("datum_timeout (200ms)") != std::string::npos);
  CHECK(job.reason.find("/slow") != std::string::npos);
  CHECK(job.failed == 1);
  CHECK(job.processed == 1);
  CHECK(runs == 2);
}

TEST_CASE("a command that prints all the time is killed by datum_timeout all the same", "[trigger]") {
  JobFixture jobs([&](const ProgramCall& call, const std::string&) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!call.killed() && std::chrono::steady_clock::now() < until) {
      call.print("still here\n");
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return CommandEnd{};
  });
  jobs.create({{"/datum_timeout", "\"200ms\""}});
  jobs.commit({"a"});
  const JobInfo job = jobs.job();
  CHECK(job.state == JobState::kFailure);
  CHECK(job.reason.find("datum_timeout (200ms)") != std::string::npos);
}

TEST_CASE("a job that takes longer than job_timeout is killed, with its containers", "[trigger]") {
  JobFixture jobs([](const ProgramCall& call, const std::string&) { return JobFixture::hang(call); });
  jobs.create({{"/job_timeout", "\"200ms\""}, {"/parallelism_spec", R"({"constant": 2})"}, {"/standby", "true"}});
  jobs.commit({"a", "b"});
  const JobInfo job = jobs.job();
  CHECK(job.state == JobState::kKilled);
  CHECK(job.reason.find("job_timeout (200ms)") != std::string::npos);
  CHECK_FALSE(job.output_commit);
  CHECK(JobFixture::until([&] { return jobs.fixture.runner().running() == 0; }));
}

TEST_CASE("a datum whose err_cmd ends well is recovered: it puts out nothing, and the job goes on", "[trigger]") {
  std::atomic<int> tries{0};
  JobFixture jobs([&](const ProgramCall& call, const std::string& name) {
    jobs.put_out(call, name, name);
    if (call.request.arguments.front() == "mend") {
      CHECK(call.request.input == "how\n");
      return CommandEnd{};
    }
    if (name != "bad") return CommandEnd{};
    ++tries;
    return kFailed;
  });
  jobs.create({{"/transform/err_cmd", R"(["mend"])"}, {"/transform/err_stdin", R"(["how"])"}, {"/datum_tries", "2"}});
  jobs.commit({"bad", "good"});
  JobInfo job = jobs.job();
  CHECK(job.state == JobState::kSuccess);
  CHECK(job.recovered == 1);
  CHECK(job.processed == 1);
  CHECK(job.failed == 0);
  CHECK(tries == 2);
  CHECK(jobs.fixture.read("work@master", "/good") == "good");
  CHECK_THROWS(jobs.fixture.read("work@master", "/bad"));
  CHECK(jobs.datums(job) == std::vector<DatumState>{DatumState::kRecovered, DatumState::kSuccess});
  jobs.commit({"other"});  // it is tried again, as no output of it is known
  CHECK(jobs.job().recovered == 1);
  CHECK(tries == 4);
  CHECK(jobs.datums(job) == std::vector<DatumState>{DatumState::kRecovered, DatumState::kSuccess});
}

TEST_CASE("a datum whose err_cmd fails, too, has failed", "[trigger]") {
  JobFixture jobs([&](const ProgramCall&, const std::string&) { return kFailed; });
  jobs.create({{"/transform/err_cmd", R"(["mend"])"}});
  jobs.commit({"bad"});
  CHECK(jobs.job().state == JobState::kFailure);
  CHECK(jobs.job().failed == 1);
}

TEST_CASE("a datum that has failed in one job and was done in the next is told as both", "[trigger]") {
  std::atomic<bool> fails{true};
  JobFixture jobs([&](const ProgramCall& call, const std::string& name) {
    jobs.put_out(call, name, name);
    return name == "bad" && fails ? kFailed : CommandEnd{};
  });
  jobs.create();
  jobs.commit({"bad", "good"});
  const JobInfo first = jobs.job();
  REQUIRE(first.state == JobState::kFailure);
  fails = false;
  jobs.commit({"other"});
  const JobInfo second = jobs.job();
  REQUIRE(second.state == JobState::kSuccess);
  using States = std::vector<DatumState>;
  CHECK(jobs.datums(first) == States{DatumState::kFailed, DatumState::kSuccess});
  CHECK(jobs.datums(second) == States{DatumState::kSuccess, DatumState::kSkipped, DatumState::kSuccess});

  CHECK_FALSE(must(jobs.fixture.pipelines().job(second.id)).parent);  // the first has put out nothing
  jobs.commit({"another"});
  CHECK(must(jobs.fixture.pipelines().job(jobs.job().id)).parent == second.id);
}

TEST_CASE("two datums that put out one file fail a job whose spec says so, and its datums stay done", "[trigger]") {
  JobFixture jobs([&](const ProgramCall& call, const std::string& name) {
    jobs.put_out(call, "same", name);
    return CommandEnd{};
  });
  jobs.create({{"/output_merge", R"("error")"}});
  jobs.commit({"a"});
  CHECK(jobs.job().state == JobState::kSuccess);
  jobs.commit({"b"});
  const JobInfo job = jobs.job();
  CHECK(job.state == JobState::kFailure);
  CHECK(job.reason.find("/same") != std::string::npos);
  CHECK(jobs.fixture.read("work@master", "/same") == "a");
  CHECK(jobs.datums(job) == std::vector<DatumState>{DatumState::kSkipped, DatumState::kSuccess});
}

TEST_CASE("a pipeline that is stopped in the middle of a job has no container, and goes on with it when started", "[trigger]") {
  std::atomic<bool> hangs{true};
  std::atomic<int> runs{0};
  JobFixture jobs([&](const ProgramCall& call, const std::string& name) {
    jobs.put_out(call, name, name);
    if (name != "b") return CommandEnd{};
    ++runs;
    return hangs ? JobFixture::hang(call) : CommandEnd{};
  });
  jobs.create();
  jobs.commit({"a", "b"});
  REQUIRE(JobFixture::until([&] { return runs == 1 && jobs.newest().processed == 1; }));
  const auto work = PipelineFixture::repo("work");
  REQUIRE(jobs.fixture.pipelines().set_stopped(work, true));
  CHECK(jobs.fixture.runner().running() == 0);
  CHECK(must(jobs.fixture.pipelines().get(work)).state == PipelineState::kPaused);
  jobs.commit({"c"});
  CHECK(jobs.newest().processed == 1);
  CHECK(jobs.newest().reason == "waiting: its pipeline is stopped");
  CHECK(must(jobs.fixture.pipelines().jobs(std::nullopt, 10)).size() == 1);
  hangs = false;
  REQUIRE(jobs.fixture.pipelines().set_stopped(work, false));
  const JobInfo job = jobs.job();
  CHECK(job.state == JobState::kSuccess);
  CHECK(must(jobs.fixture.pipelines().jobs(std::nullopt, 10)).size() == 2);
  CHECK(jobs.fixture.read("work@master", "/c") == "c");
}

TEST_CASE("a job that is stopped is killed, and the next one runs", "[trigger]") {
  std::atomic<bool> hangs{true};
  std::atomic<int> runs{0};
  JobFixture jobs([&](const ProgramCall& call, const std::string& name) {
    jobs.put_out(call, name, name);
    if (name != "b") return CommandEnd{};
    ++runs;
    return hangs ? JobFixture::hang(call) : CommandEnd{};
  });
  jobs.create();
  jobs.commit({"a", "b"});
  REQUIRE(JobFixture::until([&] { return runs == 1 && jobs.newest().processed == 1; }));
  const JobInfo running = jobs.newest();
  hangs = false;
  REQUIRE(jobs.fixture.pipelines().stop_job(running.id));
  const JobInfo killed = jobs.job();
  CHECK(killed.state == JobState::kKilled);
  CHECK(killed.processed == 1);
  CHECK_FALSE(killed.output_commit);
  CHECK(jobs.fixture.pipelines().stop_job(running.id).error().code == Code::kInvalid);
  jobs.commit({"c"});
  const JobInfo next = jobs.job();
  CHECK(next.state == JobState::kSuccess);
  CHECK(next.skipped == 1);  // what the killed one had done
  CHECK(next.processed == 2);
}

TEST_CASE("a job that is stopped just before another is stopped, too", "[trigger]") {
  std::atomic<int> begun{0};
  std::atomic<int> killed{0};
  JobFixture jobs([&](const ProgramCall& call, const std::string&) {
    ++begun;
    auto end = JobFixture::hang(call);
    ++killed;
    return end;
  });
  jobs.create();
  jobs.commit({"a"});
  REQUIRE(JobFixture::until([&] { return begun == 1; }));
  const JobInfo running = jobs.newest();
  jobs.commit({"b"});
  const JobInfo queued = jobs.newest();
  REQUIRE(queued.id != running.id);
  REQUIRE(jobs.fixture.pipelines().stop_job(running.id));
  REQUIRE(jobs.fixture.pipelines().stop_job(queued.id));  // the driver may not have asked yet whether to leave the first
  CHECK(JobFixture::until([&] { return killed == 1; }));
}

TEST_CASE("a job that is deleted is gone with its log, and its output stays", "[trigger]") {
  JobFixture jobs([&](const ProgramCall& call, const std::string& name) {
    call.print("said\n");
    jobs.put_out(call, name, name);
    return CommandEnd{};
  });
  jobs.create();
  jobs.commit({"a"});
  const JobInfo job = jobs.job();
  REQUIRE(jobs.log(job).size() == 1);
  REQUIRE(jobs.fixture.pipelines().delete_job(job.id));
  CHECK(jobs.fixture.pipelines().job(job.id).error().code == Code::kNotFound);
  CHECK(must(jobs.fixture.pipelines().jobs(std::nullopt, 9)).empty());
  CHECK(jobs.fixture.read("work@master", "/a") == "a");
  CHECK(jobs.fixture.pipelines().delete_job(job.id).error().code == Code::kNotFound);
}

TEST_CASE("a datum that is restarted begins anew, and that is no try", "[trigger]") {
  std::atomic<int> runs{0};
  JobFixture jobs([&](const ProgramCall& call, const std::string&) { return ++runs == 1 ? JobFixture::hang(call) : CommandEnd{}; });
  jobs.create();
  jobs.commit({"a"});
  REQUIRE(JobFixture::until([&] { return runs == 1; }));
  const JobId id = jobs.newest().id;
  const auto workers = must(jobs.fixture.pipelines().workers(PipelineFixture::repo("work")));
  REQUIRE(workers.size() == 1);
  CHECK(workers[0].path == "/a");
  CHECK(jobs.fixture.pipelines().restart_datums(id, {"/b"}).error().code == Code::kNotFound);
  CHECK(must(jobs.fixture.pipelines().restart_datums(id, {"/a", workers[0].datum})) == 1);
  CHECK(jobs.job().state == JobState::kSuccess);
  CHECK(runs == 2);
  CHECK(jobs.fixture.pipelines().restart_datums(id, {"/a"}).error().code == Code::kNotFound);
}

TEST_CASE("a command that cannot start ends the job at once, whatever the other workers do", "[trigger]") {
  std::atomic<bool> hanging{false};
  JobFixture jobs([&](const ProgramCall& call, const std::string& name) {
    if (name == "hangs") {
      hanging = true;
      return JobFixture::hang(call);
    }
    JobFixture::until([&] { return hanging.load(); });
    return CommandEnd{End::kNotStarted, 2, "exec: not found"};
  });
  jobs.create({{"/parallelism_spec", R"({"constant": 2})"}});
  jobs.commit({"hangs", "other"});
  const JobInfo job = jobs.job();
  CHECK(job.state == JobState::kFailure);
  CHECK(job.reason.find("exec: not found") != std::string::npos);
}
