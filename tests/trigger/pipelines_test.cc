#include <catch2/catch.hpp>

#include <atomic>
#include <set>
#include <utility>

#include <boost/filesystem.hpp>

#include "trigger/upper.h"

using namespace pfs;
using namespace pfs::test;
using namespace pfs::trigger;
using worker::CommandEnd;
using worker::End;

TEST_CASE("a finished commit causes one job, whose output is one commit with provenance", "[trigger]") {
  Upper upper;
  REQUIRE(upper.fixture.pipelines().create(kUpperSpec, false, false));
  CHECK(upper.job_count() == 0);
  upper.commit("a", "aa");
  upper.commit("b", "bb");

  const JobInfo job = upper.job();
  CHECK(job.state == JobState::kSuccess);
  CHECK(job.reason.empty());
  CHECK(job.processed == 1);
  CHECK(job.skipped == 1);
  CHECK(job.total == 2);
  REQUIRE(job.inputs.size() == 1);
  CHECK(job.inputs.front().branch.str() == "text@master");
  CHECK(upper.job_count() == 2);
  CHECK(upper.runs == 2);
  CHECK(upper.fixture.read("upper@master", "/a") == "AA");
  CHECK(upper.fixture.read("upper@master", "/b") == "BB");

  const auto head = must(upper.fixture.store().catalog().resolve(must(CommitRef::parse("upper@master"))));
  CHECK(head.id == job.output_commit);
  CHECK(head.provenance == std::vector<store::Commit::Cause>{{job.inputs.front().branch, *job.inputs.front().commit}});
}

TEST_CASE("a pipeline made after its input's HEAD gets a job for it", "[trigger]") {
  Upper upper;
  upper.commit("a", "aa");
  REQUIRE(upper.fixture.pipelines().create(kUpperSpec, false, false));
  CHECK(upper.job().state == JobState::kSuccess);
  CHECK(upper.job_count() == 1);
}

TEST_CASE("moving HEAD back is a job that skips every datum", "[trigger]") {
  Upper upper;
  REQUIRE(upper.fixture.pipelines().create(kUpperSpec, false, false));
  upper.commit("a", "aa");
  upper.commit("a", "other");
  must(upper.fixture.store().catalog().retarget(PipelineFixture::branch("text@master"),
                                                must(CommitRef::parse("text@master^"))));
  const JobInfo job = upper.job();
  CHECK(job.skipped == 1);
  CHECK(job.processed == 0);
  CHECK(upper.job_count() == 3);
  CHECK(upper.runs == 2);
  CHECK(upper.fixture.read("upper@master", "/a") == "AA");
}

TEST_CASE("a datum's command knows its input, commit and job", "[trigger]") {
  Upper upper;
  REQUIRE(upper.fixture.pipelines().create(kUpperSpec, false, false));
  upper.commit("a", "aa");
  const JobInfo job = upper.job();
  const std::set<std::string> seen(upper.last_environment.begin(), upper.last_environment.end());
  CHECK(seen.contains("text=/pfs/text/a"));
  CHECK(seen.contains("text_COMMIT=" + job.inputs.front().commit->hex()));
  CHECK(seen.contains("PACH_JOB_ID=" + job.id.hex()));
}

TEST_CASE("a failing datum is tried again, then fails the job and leaves HEAD alone", "[trigger]") {
  Upper upper;
  REQUIRE(upper.fixture.pipelines().create(kUpperSpec, false, false));
  upper.commit("a", "aa");
  REQUIRE(upper.job().state == JobState::kSuccess);

  upper.runs = 0;
  upper.behaviour = [](const ProgramCall& call) {
    call.print("no good");
    return CommandEnd{End::kExited, 7, {}};
  };
  upper.commit("b", "bb");
  const JobInfo job = upper.job();
  CHECK(job.state == JobState::kFailure);
  CHECK(job.reason.find("/b") != std::string::npos);
  CHECK(job.reason.find("7") != std::string::npos);
  CHECK(job.failed == 1);
  CHECK(job.skipped == 1);
  CHECK(upper.runs == 3);
  CHECK_FALSE(job.output_commit);
  CHECK(must(upper.fixture.store().catalog().commits(PipelineFixture::repo("upper"), std::nullopt, 9)).size() == 1);
}

TEST_CASE("a command that is not in the image fails the job at once and says so", "[trigger]") {
  Upper upper;
  upper.behaviour = [](const ProgramCall&) { return CommandEnd{End::kNotStarted, 2, "exec: \"upper\": not found"}; };
  REQUIRE(upper.fixture.pipelines().create(kUpperSpec, false, false));
  upper.commit("a", "aa");
  const JobInfo job = upper.job();
  CHECK(job.state == JobState::kFailure);
  CHECK(job.reason.find("exec: \"upper\": not found in image image") != std::string::npos);
  CHECK(upper.runs == 1);
}

TEST_CASE("an image that is not there is the pipeline's failure and its jobs'", "[trigger]") {
  Upper upper;
  REQUIRE(upper.fixture.pipelines().create(upper_with("/transform/image", "\"missing\""), false, false));
  upper.commit("a", "aa");
  CHECK(upper.job().state == JobState::kFailure);
  const auto info = must(upper.fixture.pipelines().get(PipelineFixture::repo("upper")));
  CHECK(info.state == PipelineState::kFailure);
  CHECK(info.reason.find("missing") != std::string::npos);
}

TEST_CASE("return codes that the spec accepts are success", "[trigger]") {
  Upper upper;
  upper.behaviour = [](const ProgramCall&) { return CommandEnd{End::kExited, 3, {}}; };
  REQUIRE(upper.fixture.pipelines().create(upper_with("/transform/accept_return_code", "[3]"), false, false));
  upper.commit("a", "aa");
  CHECK(upper.job().state == JobState::kSuccess);
}

TEST_CASE("a job waits, and says why, while nothing is mounted", "[trigger]") {
  Upper upper;
  upper.fixture.views().set_mounted(false);
  REQUIRE(upper.fixture.pipelines().create(kUpperSpec, false, false));
  upper.commit("a", "aa");
  const auto patience = PipelineFixture::patience();
  const auto waits = [&] {
    const auto jobs = must(upper.fixture.pipelines().jobs(std::nullopt, 1));
    return jobs.front().reason.find("nothing is mounted") != std::string::npos;
  };
  while (!waits() && patience()) std::this_thread::yield();
  CHECK(waits());
  upper.fixture.views().set_mounted(true);
  CHECK(upper.job().state == JobState::kSuccess);
}

TEST_CASE("files of one path from several datums are joined in the order of the datums", "[trigger]") {
  Upper upper;
  upper.behaviour = [&](const ProgramCall& call) {
    auto& trees = upper.fixture.store().trees();
    const auto view = upper.fixture.view(call);
    const auto input = must(trees.lookup(view, "text"));
    must(trees.list(input, {}, [&](const store::ListedEntry& entry) {
      const auto out = must(trees.lookup(view, "out"));
      const auto sub = upper.fixture.make_directory(out, "sub");
      upper.fixture.write_file(sub, "all", entry.name + ";");
      upper.fixture.write_file(sub, "only-" + entry.name, entry.name);
      return false;
    }));
    return CommandEnd{};
  };
  REQUIRE(upper.fixture.pipelines().create(kUpperSpec, false, false));
  upper.fixture.write("text@master", "a", "1");
  upper.fixture.write("text@master", "b", "2");
  upper.fixture.write("text@master", "c", "3");
  upper.fixture.finish("text@master");
  REQUIRE(upper.job().state == JobState::kSuccess);
  CHECK(upper.fixture.read("upper@master", "/sub/all") == "a;b;c;");
  CHECK(upper.fixture.read("upper@master", "/sub/only-b") == "b");
}

TEST_CASE("what is joined at one name of a hard link is not of its other names", "[trigger]") {
  Upper upper;
  upper.behaviour = [&](const ProgramCall& call) {
    auto& trees = upper.fixture.store().trees();
    const auto view = upper.fixture.view(call);
    const bool first = trees.lookup(must(trees.lookup(view, "text")), "a").has_value();
    const auto directory = upper.fixture.make_directory(must(trees.lookup(view, "out")), "d");
    upper.fixture.write_file(directory, "x", first ? "a" : "b");
    if (first) must(trees.link(must(trees.lookup(directory, "x")), directory, "y"));
    return CommandEnd{};
  };
  REQUIRE(upper.fixture.pipelines().create(kUpperSpec, false, false));
  upper.fixture.write("text@master", "a", "1");
  upper.fixture.write("text@master", "b", "2");
  upper.fixture.finish("text@master");
  REQUIRE(upper.job().state == JobState::kSuccess);
  CHECK(upper.fixture.read("upper@master", "/d/x") == "ab");
  CHECK(upper.fixture.read("upper@master", "/d/y") == "a");
}

TEST_CASE("a link in the output to an input becomes that input; others stay links", "[trigger]") {
  Upper upper;
  upper.behaviour = [&](const ProgramCall& call) {
    auto& trees = upper.fixture.store().trees();
    const auto out = must(trees.lookup(upper.fixture.view(call), "out"));
    const auto link = [&](const char* name, const char* target) {
      store::MakeRequest request;
      request.kind = store::Kind::kSymlink;
      request.target = target;
      must(trees.make(out, name, request));
    };
    link("absolute", "/pfs/text/a");
    link("relative", "../text/./a");
    link("outside", "/etc/passwd");
    link("above", "../../pfs/text/a");
    link("dangling", "/pfs/text/none");
    link("within", "absolute");
    return CommandEnd{};
  };
  REQUIRE(upper.fixture.pipelines().create(kUpperSpec, false, false));
  upper.commit("a", "input");
  REQUIRE(upper.job().state == JobState::kSuccess);
  CHECK(upper.fixture.read("upper@master", "/absolute") == "input");
  CHECK(upper.fixture.read("upper@master", "/relative") == "input");
  auto& trees = upper.fixture.store().trees();
  const auto commit = must(upper.fixture.store().catalog().resolve(must(CommitRef::parse("upper@master"))));
  const auto root = trees.root(must(trees.commit(commit)));
  for (const char* name : {"outside", "above", "dangling"}) {
    CHECK(trees.kind(must(trees.lookup(root, name))) == store::Kind::kSymlink);
  }
}

TEST_CASE("an unchanged spec is no change; an update skips what is done, unless it reprocesses", "[trigger]") {
  Upper upper;
  REQUIRE(upper.fixture.pipelines().create(kUpperSpec, false, false));
  upper.commit("a", "aa");
  upper.job();
  CHECK(upper.fixture.pipelines().create(kUpperSpec, false, false).error().code == Code::kExists);
  CHECK(must(upper.fixture.pipelines().create(kUpperSpec, true, false)).version == 1);
  CHECK(upper.job_count() == 1);

  CHECK(must(upper.fixture.pipelines().create(upper_with("/description", "\"new\""), true, false)).version == 2);
  CHECK(upper.job().skipped == 1);
  CHECK(upper.runs == 1);
  CHECK(must(upper.fixture.pipelines().create(kUpperSpec, true, true)).version == 3);
  CHECK(upper.job().processed == 1);
  CHECK(upper.runs == 2);
  CHECK(upper.job_count() == 3);
}

TEST_CASE("a pipeline that cannot be is refused", "[trigger]") {
  Upper upper;
  auto& pipelines = upper.fixture.pipelines();
  CHECK(pipelines.create(upper_with("/input/pfs/repo", "\"nowhere\""), false, false).error().code == Code::kNotFound);
  REQUIRE(pipelines.create(kUpperSpec, false, false));
  REQUIRE(pipelines.create(upper_with("/pipeline/name", "\"second\""), false, false));
  auto third = nlohmann::json::parse(kUpperSpec);
  third["pipeline"]["name"] = "third";
  third["input"]["pfs"]["repo"] = "upper";
  REQUIRE(pipelines.create(third.dump(), false, false));
  CHECK(pipelines.create(upper_with("/input/pfs/repo", "\"third\""), true, false).error().code == Code::kInvalid);
}

TEST_CASE("a branch that a pipeline reads or writes cannot be deleted before the pipeline", "[trigger]") {
  Upper upper;
  auto& catalog = upper.fixture.store().catalog();
  REQUIRE(upper.fixture.pipelines().create(kUpperSpec, false, false));
  const auto input = PipelineFixture::branch("text@master");
  const auto output = PipelineFixture::branch("upper@master");
  CHECK(must(catalog.branch(output)).output_of == "upper");
  CHECK(catalog.delete_branch(input, true).error().code == Code::kBusy);
  CHECK(catalog.delete_branch(output, true).error().code == Code::kBusy);
  REQUIRE(upper.fixture.pipelines().remove(PipelineFixture::repo("upper")));
  CHECK(must(catalog.branch(output)).output_of.empty());
  CHECK(catalog.delete_branch(input, true));
  CHECK(upper.job_count() == 0);
}

TEST_CASE("a pipeline's output is the next one's input", "[trigger]") {
  Upper upper;
  REQUIRE(upper.fixture.pipelines().create(kUpperSpec, false, false));
  auto next = nlohmann::json::parse(kUpperSpec);
  next["pipeline"]["name"] = "next";
  next["input"]["pfs"] = {{"repo", "upper"}, {"name", "text"}, {"glob", "/"}};
  REQUIRE(upper.fixture.pipelines().create(next.dump(), false, false));
  upper.commit("a", "aa");
  upper.job();
  CHECK(upper.fixture.newest_job("next").state == JobState::kSuccess);
  CHECK(upper.fixture.read("next@master", "/a") == "AA");
}

TEST_CASE("a job that a stop interrupts goes on at the next start, and what it did counts as processed", "[trigger]") {
  Upper upper;
  std::atomic<bool> second_began{false};
  std::atomic<bool> let_go{false};
  upper.behaviour = [&](const ProgramCall& call) {
    if (upper.runs == 2) {
      second_began = true;
      while (!let_go) std::this_thread::yield();
    }
    return upper.copy(call);
  };
  REQUIRE(upper.fixture.pipelines().create(kUpperSpec, false, false));
  upper.fixture.write("text@master", "a", "aa");
  upper.fixture.write("text@master", "b", "bb");
  upper.fixture.finish("text@master");
  while (!second_began) std::this_thread::yield();
  std::thread stopper([&] { upper.fixture.pipelines().stop(); });
  // the fake's program cannot be killed: it ends by itself once the link is gone
  std::this_thread::yield();
  let_go = true;
  stopper.join();
  const auto before = must(upper.fixture.pipelines().jobs(std::nullopt, 9));
  REQUIRE(before.size() == 1);
  upper.fixture.close();
  upper.fixture.open();

  const JobInfo job = upper.job();
  CHECK(job.id == before.front().id);
  CHECK(job.state == JobState::kSuccess);
  CHECK(job.processed == 2);
  CHECK(job.skipped == 0);
  CHECK(upper.job_count() == 1);
}

TEST_CASE("one container serves all datums and jobs of a pipeline", "[trigger]") {
  Upper upper;
  REQUIRE(upper.fixture.pipelines().create(kUpperSpec, false, false));
  upper.commit("a", "aa");
  upper.commit("b", "bb");
  upper.job();
  CHECK(upper.fixture.runner().started() == 1);
}

TEST_CASE("a new version of a pipeline has containers of its own: its image may be another under the same name", "[trigger]") {
  Upper upper;
  REQUIRE(upper.fixture.pipelines().create(kUpperSpec, false, false));
  upper.commit("a", "aa");
  upper.job();
  CHECK(upper.fixture.runner().started() == 1);
  REQUIRE(upper.fixture.pipelines().create(kUpperSpec, /*update=*/true, /*reprocess=*/true));
  upper.job();
  CHECK(upper.fixture.runner().started() == 2);
}
