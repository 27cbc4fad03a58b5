#include <catch2/catch.hpp>

#include <csignal>

#include "support/child.h"
#include "support/pipeline_fixture.h"
#include "support/temporary_directory.h"

using namespace pfs;
using namespace pfs::test;

TEST_CASE("a job whose pfsd is killed anywhere ends exactly once", "[trigger][fault]") {
  const auto* point = GENERATE("trigger.datum.done:kill:1", "trigger.datum.done:kill:3", "trigger.datums.flush:kill:1", "trigger.job.publish:kill:1", "trigger.job.published:kill:1");
  CAPTURE(point);
  TemporaryDirectory directory;
  CHECK(run_child({PFS_JOB_VICTIM, directory.path()}, {std::string("PFS_FAULT=") + point}).signal == SIGKILL);
  CHECK(run_child({PFS_JOB_VICTIM, directory.path()}).status == 0);
  CHECK(run_child({PFS_JOB_VICTIM, directory.path()}).status == 0);

  PipelineFixture fixture(directory.path(), [](const ProgramCall&) { return trigger::worker::CommandEnd{}; });
  fixture.open(/*start=*/false);
  const auto jobs = must(fixture.pipelines().jobs(std::nullopt, 9));
  REQUIRE(jobs.size() == 1);
  CHECK(jobs.front().state == trigger::JobState::kSuccess);
  CHECK(jobs.front().processed == 3);
  CHECK(jobs.front().skipped == 0);
  const auto commits = must(fixture.store().catalog().commits(PipelineFixture::repo("upper"), std::nullopt, 9));
  REQUIRE(commits.size() == 1);
  CHECK(commits.front().id == jobs.front().output_commit);
  for (const char* name : {"a", "b", "c"}) CHECK(fixture.read("upper@master", name) == std::string("made from ") + name);
}
