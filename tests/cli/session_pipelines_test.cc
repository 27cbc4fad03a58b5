// How pipelines, jobs and logs reach the shell; what they do is the trigger room's to test.
#include <algorithm>

#include <catch2/catch.hpp>

#include "cli/pfs_session.h"
#include "cli/recorded_pipelines.h"

namespace pfs::test {
namespace {

constexpr Timestamp at_second(std::int64_t second) { return Timestamp{second * 1'000'000'000}; }

const std::string kJob = "0123456789abcdef0123456789abcdef";
const std::string kFailedJob = "1123456789abcdef0123456789abcdef";

trigger::PipelineInfo edges() {
  trigger::PipelineInfo pipeline;
  pipeline.name = *RepoName::parse("edges");
  pipeline.version = 2;
  pipeline.spec_json = R"({"pipeline": {"name": "edges"}})";
  pipeline.description = "outlines";
  pipeline.input = "images:/*";
  pipeline.output = *BranchRef::parse("edges@master");
  pipeline.created = at_second(0);
  pipeline.state = trigger::PipelineState::kRunning;
  pipeline.last_job = trigger::JobState::kSuccess;
  return pipeline;
}

trigger::JobInfo job(const std::string& id, trigger::JobState state) {
  trigger::JobInfo job;
  job.id = *JobId::from_hex(id);
  job.pipeline = *RepoName::parse("edges");
  job.state = state;
  job.started = at_second(0);
  job.finished = at_second(90);
  job.processed = 1;
  job.skipped = 4;
  job.total = 5;
  job.restarts = 3;
  job.downloaded_bytes = 58644;
  job.uploaded_bytes = 1024;
  job.inputs = {{*BranchRef::parse("images@master"), CommitId(), std::nullopt}};
  return job;
}

TEST_CASE("pipelines are made from files and from stdin, several in one text", "[cli][session]") {
  RecordedPipelines pipelines;
  PfsSession session(&pipelines);
  make_file(session.path("spec.json"), "{\"a\": 1}\n{\"b\": 2}\n");
  session.ok({"create", "pipeline", "-f", session.path("spec.json")});
  session.ok({"update", "pipeline", "--reprocess", "-f", "-"}, "{}");
  CHECK(pipelines.created ==
        std::vector<std::string>{"{\"a\": 1}", "{\"b\": 2}", "{} update reprocess"});
  const auto refused = session.pfs({"create", "pipeline", "-f", "-"}, "{} {\"bad\": 1}");
  CHECK(refused.status == 1);
  CHECK(refused.err == "pfs: spec 2 of 2 (those before it were accepted): pipeline spec: bad\n");
  CHECK(session.pfs({"create", "pipeline"}).status == 2);
  CHECK(session.pfs({"create", "pipeline", "-f", session.path("nothing")}).status == 1);
}

TEST_CASE("pipelines are listed, shown and deleted", "[cli][session]") {
  RecordedPipelines pipelines;
  pipelines.pipelines.push_back(edges());
  PfsSession session(&pipelines);
  CHECK(session.ok({"list", "pipeline", "--full-timestamps"}) ==
        "NAME  VERSION INPUT     CREATED              STATE / LAST JOB  DESCRIPTION\n"
        "edges 2       images:/* 1970-01-01T00:00:00Z running / success outlines\n");
  CHECK(session.ok({"inspect", "pipeline", "edges"}).find("Output Branch: edges@master\n") !=
        std::string::npos);
  CHECK(session.ok({"inspect", "pipeline", "edges", "--raw"})
            .find("\"spec\": {\n    \"pipeline\": {") != std::string::npos);
  CHECK(session.ok({"status"}).find("edges    images:/* edges@master running / success") !=
        std::string::npos);
  session.ok({"delete", "pipeline", "edges"});
  CHECK(session.pfs({"delete", "pipeline", "edges"}).status == 1);
}

TEST_CASE("jobs are listed with their progress, and the beginning of why they failed",
          "[cli][session]") {
  RecordedPipelines pipelines;
  pipelines.pipelines.push_back(edges());
  pipelines.recorded_jobs = {job(kFailedJob, trigger::JobState::kFailure),
                             job(kJob, trigger::JobState::kSuccess)};
  pipelines.recorded_jobs[0].reason = "datum 77 failed: the command exited with status 2";
  PfsSession session(&pipelines);
  CHECK(session.ok({"list", "job", "-p", "edges", "--full-timestamps"}) ==
        "ID                               PIPELINE STARTED              DURATION       RESTART "
        "PROGRESS  DL       UL   STATE\n" +
            kFailedJob +
            " edges    1970-01-01T00:00:00Z About a minute 3       1 + 4 / 5 57.27KiB 1KiB "
            "failure: datum 77 failed: the comm...\n" +
            kJob +
            " edges    1970-01-01T00:00:00Z About a minute 3       1 + 4 / 5 57.27KiB 1KiB "
            "success\n");
  CHECK(session.pfs({"list", "job", "-p", "nothing"}).status == 1);
  CHECK(session.ok({"inspect", "job", "--block", kJob}).find("State: success\n") !=
        std::string::npos);
  CHECK(session.pfs({"inspect", "job", "short"}).status == 2);
}

TEST_CASE("a commit shows how the jobs downstream of it went", "[cli][session]") {
  RecordedPipelines pipelines;
  PfsSession session(&pipelines);
  session.ok({"create", "repo", "images"});
  session.ok({"put", "file", "images@master:/a"}, "1");
  const auto head = *session.store().catalog().branch(*BranchRef::parse("images@master"))->head;
  auto first = job(kJob, trigger::JobState::kSuccess);
  first.inputs.front().commit = head;
  first.output_commit = new_commit_id();
  auto second = job(kFailedJob, trigger::JobState::kRunning);
  second.inputs.front().commit = first.output_commit;
  pipelines.recorded_jobs = {second, first};
  CHECK(session.ok({"list", "commit", "images"}).find("▇▇▇▇░░░░") != std::string::npos);
}

TEST_CASE("logs are printed as they were written, or as JSON", "[cli][session]") {
  RecordedPipelines pipelines;
  pipelines.recorded_jobs = {job(kJob, trigger::JobState::kSuccess)};
  pipelines.lines = {{at_second(0), "edges", kJob, "", "begin", false},
                     {at_second(1), "edges", kJob, "", "caf\xe9", true}};
  PfsSession session(&pipelines);
  CHECK(session.ok({"logs", "-j", kJob}) == "begin\ncaf\xe9\n");
  CHECK(session.ok({"logs", "-f", "-j", kJob}) == "begin\ncaf\xe9\n");  // ends, since the job has
  const auto raw = session.ok({"logs", "--raw", "-j", kJob});
  CHECK(raw.find("{\"time\":\"1970-01-01T00:00:00Z\",\"pipeline\":\"edges\"") == 0);
  CHECK(std::count(raw.begin(), raw.end(), '\n') == 2);
  CHECK(session.pfs({"logs"}).status == 1);
  CHECK(session.pfs({"logs", "-p", "nothing"}).status == 1);
}

TEST_CASE("jobs are stopped, deleted, and listed by their states", "[cli][session]") {
  RecordedPipelines pipelines;
  pipelines.pipelines = {edges()};
  pipelines.recorded_jobs = {job(kFailedJob, trigger::JobState::kFailure),
                             job(kJob, trigger::JobState::kSuccess)};
  PfsSession session(&pipelines);
  session.ok({"stop", "job", kJob});
  session.ok({"delete", "job", kJob});
  session.ok({"restart", "datum", kJob, "/a,/b"});
  CHECK(pipelines.done == std::vector<std::string>{"stop " + kJob,
                                                   "delete " + kJob, "restart /a /b"});
  const auto failed = session.ok({"list", "job", "--state", "failure,killed"});
  CHECK(failed.find(kFailedJob) != std::string::npos);
  CHECK(failed.find(kJob) == std::string::npos);
  const auto unknown = session.pfs({"list", "job", "--state", "odd"});
  CHECK(unknown.status == 1);
  CHECK(session.ok({"watch", "job", kJob}).find("edges  1 + 4 / 5") != std::string::npos);
}

TEST_CASE("a job that runs is shown with what its workers do", "[cli][session]") {
  RecordedPipelines pipelines;
  pipelines.pipelines = {edges()};
  pipelines.recorded_jobs = {job(kJob, trigger::JobState::kRunning)};
  pipelines.recorded_jobs[0].finished.reset();
  pipelines.recorded_jobs[0].recovered = 2;
  trigger::WorkerInfo busy;
  busy.runs = true;
  busy.datum = std::string(64, 'a');
  busy.path = "/picture";
  pipelines.recorded_workers = {busy, trigger::WorkerInfo{}};
  PfsSession session(&pipelines);
  const auto shown = session.ok({"inspect", "job", kJob});
  CHECK(shown.find("/picture") != std::string::npos);
  CHECK(shown.find("no container") != std::string::npos);
  CHECK(shown.find("Recovered: 2") != std::string::npos);
  CHECK(session.ok({"list", "job"}).find("1 + 4 + 2 / 5") != std::string::npos);
}

TEST_CASE("logs are asked for by time, number and writer", "[cli][session]") {
  RecordedPipelines pipelines;
  pipelines.pipelines = {edges()};
  pipelines.recorded_jobs = {job(kJob, trigger::JobState::kSuccess)};
  PfsSession session(&pipelines);
  session.ok({"logs", "-j", kJob, "--tail", "7", "--since", "10m", "--master"});
  CHECK(pipelines.asked.tail == 7);
  CHECK(pipelines.asked.system_only);
  CHECK(pipelines.asked.since);
  CHECK_FALSE(pipelines.asked.follow_while);
  session.ok({"logs", "-f", "-j", kJob});
  CHECK(pipelines.asked.follow_while);
  CHECK_FALSE(pipelines.asked.since);
}

}  // namespace
}  // namespace pfs::test
