// How pipelines, jobs and logs reach the shell; what they do is the trigger room's to test.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <map>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "cli/recorded_jobs.h"
#include "support/must.h"

namespace pfs::test {
namespace {

TEST_CASE("pipelines are made from files and from stdin, several in one text", "[cli][session]") {
  RecordedPipelines pipelines;
  PfsSession session(&pipelines);
  make_file(session.path("spec.json"), "{\"a\": 1}\n{\"b\": 2}\n");
  session.ok({"create", "pipeline", "-f", session.path("spec.json")});
  session.ok({"update", "pipeline", "--reprocess", "-f", "-"}, "{}");
  CHECK(pipelines.created ==
        std::vector<std::string>{"{\"a\": 1}", "{\"b\": 2}", "{} update reprocess"});
  CHECK(pipelines.owner_uid == ::getuid());
  const auto refused = session.pfs({"create", "pipeline", "-f", "-"}, "{} {\"bad\": 1}");
  CHECK(refused.status == 1);
  CHECK(refused.err == "pfs: stdin, document 2: pipeline spec: bad\n");
  CHECK(session.pfs({"create", "pipeline"}).status == 2);
  CHECK(session.pfs({"create", "pipeline", "-f", session.path("nothing")}).status == 1);
}

TEST_CASE("a branch that a pipeline writes is shown as made from what the pipeline reads",
          "[cli][session]") {
  RecordedPipelines pipelines;
  pipelines.pipelines = {edges()};
  pipelines.pipelines[0].reads = {*BranchRef::parse("images@master"), *BranchRef::parse("labels@dev")};
  PfsSession session(&pipelines);
  for (const auto* repo : {"images", "edges"}) {
    session.ok({"create", "repo", repo});
    session.ok({"create", "branch", repo + std::string("@master")});
  }
  const std::string line = "Provenance: images@master labels@dev\n";
  CHECK(session.ok({"inspect", "branch", "edges@master"}).find("Provenance") == std::string::npos);
  const std::vector<store::RefStep> written{store::SetOutput{*BranchRef::parse("edges@master"), "edges"}};
  must(session.store().catalog().transact(written));
  CHECK(session.ok({"inspect", "branch", "edges@master"}).find(line) != std::string::npos);
  CHECK(session.ok({"inspect", "branch", "images@master"}).find("Provenance") == std::string::npos);
  CHECK(session.ok({"list", "branch", "--raw"}).find("\"labels@dev\"") != std::string::npos);
}

TEST_CASE("specs may be YAML, and errors name the file and the document", "[cli][session]") {
  RecordedPipelines pipelines;
  PfsSession session(&pipelines);
  make_file(session.path("specs.yaml"), "# two\npipeline: {name: a}\n---\npipeline:\n  name: b\n");
  session.ok({"create", "pipeline", "-f", session.path("specs.yaml")});
  CHECK(pipelines.created == std::vector<std::string>{R"({"pipeline":{"name":"a"}})", R"({"pipeline":{"name":"b"}})"});
  make_file(session.path("specs.yaml"), "a: 1\n---\nbad: 2\n");
  CHECK(session.pfs({"create", "pipeline", "-f", session.path("specs.yaml")}).err ==
        "pfs: " + session.path("specs.yaml") + ", document 2: pipeline spec: bad\n");
  make_file(session.path("specs.yaml"), "a: [\n");
  CHECK(session.pfs({"create", "pipeline", "-f", session.path("specs.yaml")}).err.find("specs.yaml: line 2, column 1") !=
        std::string::npos);
  CHECK(session.pfs({"create", "pipeline", "-f", "-"}, " \n").err.find("stdin: no spec in it") != std::string::npos);
  CHECK(session.pfs({"create", "pipeline", "-f", "-"}, "only text\n").status == 1);
}

TEST_CASE("an unchanged spec and fields without effect are told; images are not built", "[cli][session]") {
  RecordedPipelines pipelines;
  pipelines.plan.name = *RepoName::parse("edges");
  pipelines.plan.notes = {"cache_size has no effect: there is no sidecar with a cache"};
  PfsSession session(&pipelines);
  const auto said = session.pfs({"update", "pipeline", "-f", "-"}, "{}");
  CHECK(said.status == 0);
  CHECK(said.out.empty());
  CHECK(said.err ==
        "edges: unchanged; no job is caused\n"
        "edges: cache_size has no effect: there is no sidecar with a cache\n");
  const auto refused = session.pfs({"create", "pipeline", "--push-images", "-f", "-"}, "{}");
  CHECK(refused.status == 1);
  CHECK(refused.err.find("--push-images: comes later") != std::string::npos);
  CHECK(pipelines.created.size() == 1);
}

TEST_CASE("apply takes a directory of specs and prints what was done, or would be", "[cli][session]") {
  RecordedPipelines pipelines;
  pipelines.plan.name = *RepoName::parse("edges");
  pipelines.plan.outcome = trigger::SpecOutcome::kUpdated;
  pipelines.plan.version = 3;
  pipelines.plan.changes = {"datum_tries: 3 -> 5"};
  PfsSession session(&pipelines);
  REQUIRE(::mkdir(session.path("dag").c_str(), 0700) == 0);
  CHECK(session.pfs({"apply", "-f", session.path("dag")}).err.find("no *.json") != std::string::npos);
  make_file(session.path("dag/b.json"), "{\"b\": 1}");
  make_file(session.path("dag/a.yml"), "a: 1\n");
  make_file(session.path("dag/README"), "no spec");
  CHECK(session.ok({"apply", "-f", session.path("dag")}) ==
        "edges: updated, version 3\n  datum_tries: 3 -> 5\nedges: updated, version 3\n  datum_tries: 3 -> 5\n");
  CHECK(session.ok({"apply", "--dry-run", "-f", session.path("dag/b.json")}) ==
        "edges: would be updated, version 3\n  datum_tries: 3 -> 5\n");
  CHECK(pipelines.created ==
        std::vector<std::string>{"{\"a\":1} update", "{\"b\": 1} update", "{\"b\": 1} update dry run"});
}

TEST_CASE("a text of several specs that breaks off is refused with the document", "[cli][session]") {
  RecordedPipelines pipelines;
  PfsSession session(&pipelines);
  const auto json = session.pfs({"create", "pipeline", "-f", "-"}, "{} {} {\"a\": {}");
  CHECK(json.status == 1);
  CHECK(json.err.find("stdin: document 3: pipeline spec: ") != std::string::npos);
  const auto yaml = session.pfs({"create", "pipeline", "-f", "-"}, "a: 1\n---\nb: 2\n---\nc: [\n");
  CHECK(yaml.status == 1);
  CHECK(yaml.err.find("stdin: document 3: line ") != std::string::npos);
  CHECK(pipelines.created.empty());
}

TEST_CASE("a directory may hold 64 MiB of specs, and the answer more", "[cli][session]") {
  RecordedPipelines pipelines;
  pipelines.plan.name = *RepoName::parse("edges");
  pipelines.plan.spec_json = std::string(1 << 20, 'x');
  PfsSession session(&pipelines);
  REQUIRE(::mkdir(session.path("dag").c_str(), 0700) == 0);
  const auto spec = "{\"description\": \"" + std::string(1 << 20, 'x') + "\"}";
  for (int i = 0; i < 6; ++i) make_file(session.path(fmt::format("dag/{}.json", i)), spec);
  session.ok({"apply", "-f", session.path("dag")});
  CHECK(pipelines.created.size() == 6);

  make_file(session.path("dag/large.json"), "{\"description\": \"" + std::string(64 << 20, 'x') + "\"}");
  const auto refused = session.pfs({"apply", "-f", session.path("dag")});
  CHECK(refused.status == 1);
  CHECK(refused.err.find("specs: 71 MiB in all, and one call takes 64") != std::string::npos);
  CHECK(pipelines.created.size() == 6);
}

TEST_CASE("a spec is changed in an editor, and what is refused is not lost", "[cli][session]") {
  RecordedPipelines pipelines;
  pipelines.pipelines.push_back(edges());
  PfsSession session(&pipelines);
  CHECK(session.ok({"extract", "pipeline", "edges"}) == "{\n  \"pipeline\": {\n    \"name\": \"edges\"\n  }\n}\n");
  CHECK(session.pfs({"edit", "pipeline", "edges", "--editor", "true"}).err == "edges: unchanged; no job is caused\n");
  CHECK(pipelines.created.empty());
  session.ok({"edit", "pipeline", "edges", "--editor", "sed -i s/edges/other/"});
  session.ok({"edit", "pipeline", "edges", "-o", "yaml", "--editor", "sed -i s/edges/third/"});
  REQUIRE(pipelines.created.size() == 2);
  CHECK(pipelines.created[0].find("\"other\"") != std::string::npos);
  CHECK(pipelines.created[1] == R"({"pipeline":{"name":"third"}} update)");
  CHECK(session.pfs({"edit", "pipeline", "edges", "--editor", "false"}).status == 1);
  const auto refused = session.pfs({"edit", "pipeline", "edges", "--editor", "sed -i s/edges/bad/"});
  const auto kept = refused.err.find("what you wrote is in ");
  REQUIRE(kept != std::string::npos);
  const auto path = refused.err.substr(kept + 21, refused.err.size() - kept - 22);
  CHECK(text_of_file(path).find("bad") != std::string::npos);
  ::unlink(path.c_str());
  ::rmdir(path.substr(0, path.rfind('/')).c_str());
}

TEST_CASE("pipelines are stopped, started and deleted, with their repos or without", "[cli][session]") {
  RecordedPipelines pipelines;
  auto other = edges();
  other.name = *RepoName::parse("other");
  pipelines.pipelines = {edges(), other};
  PfsSession session(&pipelines);
  session.ok({"stop", "pipeline", "edges"});
  CHECK(pipelines.pipelines.front().stopped);
  CHECK(session.ok({"inspect", "pipeline", "edges"}).find("Stopped: true\n") != std::string::npos);
  session.ok({"start", "pipeline", "edges"});
  CHECK_FALSE(pipelines.pipelines.front().stopped);
  CHECK(session.pfs({"stop", "pipeline", "none"}).status == 1);
  CHECK(session.ok({"run", "pipeline", "edges", "images@master=master^", "x@y=z@w"}) == std::string(32, 'a') + "\n");
  CHECK(pipelines.ran == std::vector<std::string>{"edges images@master=images@master^1 x@y=z@w"});
  for (const auto* odd : {"images@master", "images@master=", "images=master", "images@master=no/good"}) {
    CAPTURE(odd);
    CHECK(session.pfs({"run", "pipeline", "edges", odd}).status == 2);
  }
  CHECK(pipelines.ran.size() == 1);
  pipelines.recorded_jobs = {job(kJob, trigger::JobState::kSuccess)};
  session.ok({"run", "pipeline", "edges", "--job", kJob});
  const std::string head = std::string(32, '0');
  CHECK(pipelines.ran.back() == "edges images@master=images@" + head);
  CHECK(session.pfs({"run", "pipeline", "other", "--job", kJob}).status == 1);
  CHECK(pipelines.ran.size() == 2);
  CHECK(session.pfs({"delete", "pipeline"}).status == 2);
  CHECK(session.pfs({"delete", "pipeline", "edges", "--all"}).status == 2);
  session.ok({"delete", "pipeline", "edges", "--keep-repo"});
  session.ok({"delete", "pipeline", "--all", "-f", "--split-txn"});
  CHECK(pipelines.removed == std::vector<std::string>{"edges keep", "other force"});
  session.ok({"delete", "pipeline", "--all"});
}

TEST_CASE("pipelines are listed, shown and deleted", "[cli][session]") {
  RecordedPipelines pipelines;
  pipelines.pipelines.push_back(edges());
  PfsSession session(&pipelines);
  CHECK(session.ok({"list", "pipeline", "--full-timestamps"}) ==
        "NAME  VERSION INPUT     CREATED              STATE / LAST JOB  DESCRIPTION\n"
        "edges 2       images:/* 1970-01-01T00:00:00Z running / success outlines\n");
  CHECK(session.ok({"list", "pipeline", "--state", "failure"}).find("edges") == std::string::npos);
  CHECK(session.ok({"list", "pipeline", "--spec"}) == session.ok({"extract", "pipeline", "edges"}));
  CHECK(session.ok({"inspect", "pipeline", "edges"}).find("Output Branch: edges@master\n") !=
        std::string::npos);
  pipelines.pipelines.front().workers_available = 1;
  pipelines.pipelines.front().workers_wanted = 3;
  CHECK(session.ok({"inspect", "pipeline", "edges"}).find("Workers Available: 1/3\n") != std::string::npos);
  CHECK(session.ok({"inspect", "pipeline", "edges", "--raw"}).find("\"workers_wanted\": 3") != std::string::npos);
  CHECK(session.ok({"inspect", "pipeline", "edges", "--raw"})
            .find("\"spec\": {\n    \"pipeline\": {") != std::string::npos);
  CHECK(session.ok({"status"}).find("edges    images:/* edges@master running / success") !=
        std::string::npos);
  session.ok({"delete", "pipeline", "edges"});
  CHECK(session.pfs({"delete", "pipeline", "edges"}).status == 1);
}

TEST_CASE("a pipeline is shown with why its newest job failed, until one ends well", "[cli][session]") {
  RecordedPipelines pipelines;
  pipelines.pipelines = {edges()};
  auto running = job(std::string(32, '2'), trigger::JobState::kRunning);
  running.finished.reset();
  auto failed = job(kFailedJob, trigger::JobState::kFailure);
  failed.reason = "datum /a failed:\x1b[2J exit status 2";
  auto other = failed;
  other.id = *JobId::from_hex(std::string(32, '3'));
  other.pipeline = *RepoName::parse("other");
  const auto done = job(kJob, trigger::JobState::kSuccess);
  {
    pipelines.recorded_jobs = {other, running, failed, done};
    PfsSession session(&pipelines);
    CHECK(session.ok({"inspect", "pipeline", "edges"}).find("Recent Error: datum /a failed:\\x1b[2J exit status 2\n") !=
          std::string::npos);
    CHECK(session.ok({"inspect", "pipeline", "edges", "--raw"}).find("\"recent_error\": \"datum /a failed:") != std::string::npos);
  }
  auto killed = failed;
  killed.state = trigger::JobState::kKilled;
  for (const auto& newest : {done, killed}) {
    pipelines.recorded_jobs = {running, newest, failed};
    PfsSession session(&pipelines);
    CHECK(session.ok({"inspect", "pipeline", "edges"}).find("Recent Error") == std::string::npos);
    CHECK(session.ok({"inspect", "pipeline", "edges", "--raw"}).find("\"recent_error\": \"\"") != std::string::npos);
  }
}

TEST_CASE("earlier versions of a pipeline are listed, and shown by their place", "[cli][session]") {
  RecordedPipelines pipelines;
  pipelines.pipelines.push_back(edges());
  pipelines.pipelines.front().version = 3;
  for (const std::uint64_t version : {2U, 1U}) {
    pipelines.earlier.push_back(edges());
    pipelines.earlier.back().version = version;
    pipelines.earlier.back().state.reset();
    pipelines.earlier.back().spec_json = fmt::format(R"({{"description": "number {}"}})", version);
  }
  PfsSession session(&pipelines);
  const auto listed = [&session](const std::string& history) {
    return session.ok({"list", "pipeline", "edges", "--history", history, "--full-timestamps"});
  };
  const std::string header = "NAME  VERSION INPUT     CREATED              STATE / LAST JOB  DESCRIPTION\n";
  const std::string now = "edges 3       images:/* 1970-01-01T00:00:00Z running / success outlines\n";
  CHECK(listed("none") == header + now);
  CHECK(listed("1") == header + now + "edges 2       images:/* 1970-01-01T00:00:00Z - / success       outlines\n");
  CHECK(listed("all").find("edges 1 ") != std::string::npos);
  for (const auto* odd : {"-1", "some", ""}) CHECK(session.pfs({"list", "pipeline", "--history", odd}).status == 2);

  CHECK(session.ok({"extract", "pipeline", "edges^"}).find("number 2") != std::string::npos);
  CHECK(session.ok({"extract", "pipeline", "edges^2"}).find("number 1") != std::string::npos);
  CHECK(session.ok({"extract", "pipeline", "edges.1"}).find("number 1") != std::string::npos);
  CHECK(session.ok({"inspect", "pipeline", "edges.3"}).find("Version: 3\n") != std::string::npos);
  for (const auto* none : {"edges^3", "edges.4"}) {
    const auto refused = session.pfs({"inspect", "pipeline", none});
    CHECK(refused.status == 1);
    CHECK(refused.err.find("no such version") != std::string::npos);
  }
  CHECK(session.pfs({"inspect", "pipeline", "edges.0"}).status == 2);
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
  CHECK(session.ok({"list", "job", "--history"}) == session.ok({"list", "job", "--history", "all"}));
  CHECK(session.ok({"inspect", "job", "--block", kJob}).find("State: success\n") !=
        std::string::npos);
  CHECK(session.pfs({"inspect", "job", "short"}).status == 2);
  CHECK(session.ok({"inspect", "job", kJob}).find("Transform") == std::string::npos);  // not known any more
  pipelines.recorded_jobs[1].parent = *JobId::from_hex(kFailedJob);
  pipelines.recorded_jobs[1].spec_json = R"({"parallelism_spec": {"constant": 3}, "job_timeout": "1h", "transform": {"cmd": ["sh"]}})";
  pipelines.recorded_jobs[1].stats.process_time = std::chrono::milliseconds(1250);
  const auto shown = session.ok({"inspect", "job", kJob});
  const std::vector<std::string> lines{"Parent: " + kFailedJob, "Process Time: 1.250s", "Job Timeout: 1h",
                                       R"(Parallelism Spec: {"constant":3})", R"(Transform: {"cmd":["sh"]})"};
  for (const auto& line : lines) {
    CAPTURE(line);
    CHECK(shown.find(line + "\n") != std::string::npos);
  }
  CHECK(session.ok({"inspect", "job", kJob, "--raw"}).find(R"("process_time": "1.250s")") != std::string::npos);
}

TEST_CASE("datums are listed of a job or of a spec, and shown one by one", "[cli][session]") {
  RecordedPipelines pipelines;
  pipelines.recorded_jobs = {job(kJob, trigger::JobState::kSuccess)};
  const std::string commit(32, 'c');
  const std::string id(64, 'd');
  trigger::DatumInfo datum;
  datum.id = *Digest::from_hex(id);
  datum.job = *JobId::from_hex(kJob);
  datum.state = trigger::DatumState::kSkipped;
  datum.files = {{*BranchRef::parse("images@master"), *CommitId::from_hex(commit), *RepoName::parse("images"),
                  *RepoPath::parse("/a"), 2048}};
  datum.input_bytes = 2048;
  pipelines.recorded_datums = {datum};
  PfsSession session(&pipelines);
  const std::string files = "images@" + commit + ":/a";
  const auto listed = session.ok({"list", "datum", kJob});
  CHECK(listed.find("ID") == 0);
  CHECK(listed.find(id + " " + files + " skipped -    2KiB\n") != std::string::npos);
  make_file(session.path("spec.json"), "{}");
  CHECK(session.ok({"list", "datum", "-f", session.path("spec.json")}).find(files + " -") != std::string::npos);
  CHECK(session.ok({"list", "datum", "-f", "-"}, "# none\npipeline: {name: new}\n").find(files + " -") != std::string::npos);
  CHECK(session.ok({"list", "datum", "-f", "/dev/stdin"}, "pipeline: {name: new}\n").find(files + " -") != std::string::npos);
  const auto several = session.pfs({"list", "datum", "-f", "-"}, "pipeline: {name: a}\n---\npipeline: {name: b}\n");
  CHECK(several.status == 1);
  CHECK(several.err.find("2 specs") != std::string::npos);
  CHECK(session.ok({"inspect", "datum", kJob, id}).find("State: skipped\n") != std::string::npos);
  CHECK(session.ok({"list", "datum", kJob, "--status-only"}) == "ID" + std::string(63, ' ') + "STATUS\n" + id + " skipped\n");
  pipelines.recorded_datums = {datum, datum, datum};
  const auto rows = [&](const std::vector<std::string>& page) {
    std::vector<std::string> words{"list", "datum", kJob, "--raw"};
    words.insert(words.end(), page.begin(), page.end());
    const auto text = session.ok(words);
    std::size_t count = 0;
    for (auto at = text.find("\"state\""); at != text.npos; at = text.find("\"state\"", at + 1)) ++count;
    return count;
  };
  CHECK(rows({"--pageSize", "2"}) == 2);
  CHECK(rows({"--pageSize", "2", "--page", "1"}) == 1);
  CHECK(rows({"--pageSize", "2", "--page", "2"}) == 0);
  CHECK(session.pfs({"list", "datum", kJob, "--page", "1"}).status == 2);
  pipelines.recorded_datums = {datum};
  pipelines.recorded_datums.front().state = trigger::DatumState::kRecovered;
  CHECK(session.ok({"list", "datum", kJob}).find("recovered") != std::string::npos);
  pipelines.recorded_datums.front().state = trigger::DatumState::kKilled;
  CHECK(session.ok({"list", "datum", kJob}).find(" killed ") != std::string::npos);
  pipelines.recorded_datums.front().state = trigger::DatumState::kNotBegun;
  CHECK(session.ok({"list", "datum", kJob}).find(" not-begun ") != std::string::npos);
  pipelines.recorded_datums.front().stats = {3072, 0, std::chrono::milliseconds(2), std::chrono::seconds(61), {}};
  CHECK(session.ok({"inspect", "datum", kJob, id}).find("Data Downloaded: 3KiB\n") != std::string::npos);
  CHECK(session.ok({"inspect", "datum", kJob, id}).find("Total Time: 61.002s\nDownload Time: 0.002s\nProcess Time: 61.000s\n") !=
        std::string::npos);
  CHECK(session.ok({"list", "datum", kJob}).find(" not-begun About a minute 2KiB\n") != std::string::npos);
  CHECK(session.pfs({"inspect", "datum", kJob, std::string(64, 'e')}).status == 1);
  CHECK(session.pfs({"list", "datum"}).status == 2);
  CHECK(session.pfs({"list", "datum", kJob, "-f", session.path("spec.json")}).status == 2);
  CHECK(session.pfs({"list", "datum", "-f", "-"}, "bad").status == 1);
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
  second.pipeline = *RepoName::parse("next");
  second.inputs.front().commit = first.output_commit;
  auto failed = job(std::string(32, '2'), trigger::JobState::kFailure);  // before it was done again
  failed.inputs = first.inputs;
  pipelines.recorded_jobs = {second, first, failed};
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
  CHECK(session.pfs({"logs"}).status == 2);
  CHECK(session.pfs({"logs", "-p", "nothing"}).status == 1);
  session.ok({"logs", "-j", kJob, "--datum", std::string(64, 'a')});
  CHECK(pipelines.asked.datum == std::string(64, 'a'));
  const auto path = session.pfs({"logs", "-j", kJob, "--datum", "/picture"});
  CHECK(path.status == 2);
  CHECK(path.err.find("for files use --inputs") != path.err.npos);
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
  CHECK(session.ok({"watch", "job", kJob}).find("edges  1 + 4 / 5") != std::string::npos);
}

TEST_CASE("a state that is none is an error of usage, which names those that are",
          "[cli][session]") {
  RecordedPipelines pipelines;
  pipelines.pipelines = {edges()};
  PfsSession session(&pipelines);
  const auto job_state = session.pfs({"list", "job", "--state", "failure,odd"});
  CHECK(job_state.status == 2);
  CHECK(job_state.err.find("'odd' is no state; say one of: starting, running, merging, "
                           "egressing, success, failure, killed\n") != job_state.err.npos);
  const auto state = session.pfs({"list", "pipeline", "--state", "odd"});
  CHECK(state.status == 2);
  CHECK(state.err.find("'odd' is no state; say one of: starting, running, failure, standby, "
                       "paused, restarting, crashing\n") != state.err.npos);
  // a state of Pachyderm's that nothing is ever in
  pipelines.recorded_jobs = {job(kJob, trigger::JobState::kSuccess)};
  CHECK(session.ok({"list", "job", "--state", "egressing"}).find(kJob) == std::string::npos);
  CHECK(session.ok({"list", "job", "--state", "egressing,success"}).find(kJob) != std::string::npos);
  CHECK(session.ok({"list", "pipeline", "--state", "paused,running", "edges"}).find("edges") !=
        std::string::npos);
  CHECK(session.ok({"list", "pipeline", "--state", "paused", "--state", "failure"}).find("edges") ==
        std::string::npos);
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

TEST_CASE("a shell in a datum's place is run here, and its status is that of pfs", "[cli][session]") {
  RecordedPipelines pipelines;
  pipelines.recorded_jobs = {job(kJob, trigger::JobState::kSuccess)};
  PfsSession session(&pipelines);
  CHECK(session.ok({"debug", "datum", kJob, "/f", "--", "cat", "x"}) == "/f cat x\n");
  pipelines.within = {"/bin/sh", "-c", "exit 7"};
  const auto said = session.pfs({"debug", "datum", kJob, "/f"});
  CHECK(said.status == 7);
  CHECK(said.err.empty());
  pipelines.within = {"/bin/sh", "-c", "kill -9 $$"};
  CHECK(session.pfs({"debug", "datum", kJob, "/f"}).status == 128 + 9);
  pipelines.within = {"/no such program"};
  const auto none = session.pfs({"debug", "datum", kJob, "/f"});
  CHECK(none.status == 1);
  CHECK(none.err.find("cannot be started here") != std::string::npos);
}

TEST_CASE("logs are asked for by time, number and writer", "[cli][session]") {
  RecordedPipelines pipelines;
  pipelines.pipelines = {edges()};
  pipelines.recorded_jobs = {job(kJob, trigger::JobState::kSuccess)};
  PfsSession session(&pipelines);
  session.ok({"logs", "-j", kJob, "--tail", "7", "--since", "10m", "--master", "--inputs", "/a,/b/c"});
  CHECK(pipelines.asked.tail == 7);
  CHECK(pipelines.asked.inputs == std::vector<std::string>{"/a", "/b/c"});
  CHECK(pipelines.asked.system_only);
  CHECK(pipelines.asked.since);
  CHECK_FALSE(pipelines.asked.follow_while);
  session.ok({"logs", "-f", "-j", kJob, "--worker"});
  CHECK(pipelines.asked.user_only);
  CHECK(session.pfs({"logs", "-j", kJob, "--worker", "--master"}).status == 2);
  CHECK(pipelines.asked.follow_while);
  CHECK_FALSE(pipelines.asked.since);
}

TEST_CASE("logs are asked for of the last so long, as Go writes it", "[cli][session]") {
  RecordedPipelines pipelines;
  pipelines.recorded_jobs = {job(kJob, trigger::JobState::kSuccess)};
  PfsSession session(&pipelines);
  const std::map<std::string, double> seconds{{"1h30m", 5400}, {"1.5h", 5400}, {"1m0.5s", 60.5}, {"90", 90}, {"2m", 120},
                                              {"1d12h", 129'600}, {"250ms", 0.25}, {"0", 0}};
  for (const auto& [text, ago] : seconds) {
    INFO(text);
    const auto before = SystemClock().now().nanoseconds;
    session.ok({"logs", "-j", kJob, "--since", text});
    REQUIRE(pipelines.asked.since);
    const auto since = pipelines.asked.since->nanoseconds + static_cast<std::int64_t>(ago * 1e9);
    CHECK(since >= before);
    CHECK(since <= SystemClock().now().nanoseconds);
  }
  for (const auto* text : {"1h30", "h", "1x", "1h-30m", "1h 30m", "inf", "nan", "1e3s", "87672h1h"}) {
    INFO(text);
    CHECK(session.pfs({"logs", "-j", kJob, "--since", text}).status == 2);
  }
}

}  // namespace
}  // namespace pfs::test
