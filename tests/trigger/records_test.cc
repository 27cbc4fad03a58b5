#include "trigger/internal/records.h"

#include <catch2/catch.hpp>

using namespace pfs;
using namespace pfs::trigger;

namespace {

JobRecord sample_job() {
  JobRecord job;
  job.id = JobId::from_bytes(new_commit_id().bytes());
  job.pipeline = *RepoName::parse("edges");
  job.caused_by_version = 2;
  job.log_number = 7;
  job.pipeline_version = 3;
  job.state = JobState::kFailure;
  job.reason = "datum /a: no";
  job.created = Timestamp{1234};
  job.finished = Timestamp{-5};
  job.restarts = 1;
  job.input_branch = *BranchRef::parse("images@master");
  job.input_commit = new_commit_id();
  job.output_commit = new_commit_id();
  job.processed = 3;
  job.total = 1'000'000;
  return job;
}

}  // namespace

TEST_CASE("a job's record reads back, and cut short it is damage", "[trigger]") {
  const JobRecord job = sample_job();
  const std::string bytes = encode(job);
  const auto again = decode_job(bytes);
  REQUIRE(again);
  CHECK(encode(*again) == bytes);
  CHECK(again->finished == job.finished);
  CHECK(again->output_commit == job.output_commit);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto cut = decode_job(std::string_view(bytes).substr(0, size));
    REQUIRE_FALSE(cut);
    CHECK(cut.error().code == Code::kCorrupt);
  }
}

TEST_CASE("a record of a version that is not known is refused", "[trigger]") {
  std::string bytes = encode(sample_job());
  bytes[0] = 99;
  CHECK_FALSE(decode_job(bytes));
}

TEST_CASE("a job's name is a function of what caused it", "[trigger]") {
  PipelineRecord pipeline;
  pipeline.name = *RepoName::parse("edges");
  pipeline.salt = "s";
  const CommitId input = new_commit_id();
  const JobId id = job_id(pipeline, input, 1);
  CHECK(job_id(pipeline, input, 1) == id);
  CHECK(job_id(pipeline, input, 2) != id);
  CHECK(job_id(pipeline, new_commit_id(), 1) != id);
  pipeline.version = 2;
  CHECK(job_id(pipeline, input, 1) != id);
}

TEST_CASE("the queue's keys rise with what caused the jobs, the list's fall", "[trigger]") {
  JobRecord older = sample_job();
  JobRecord newer = older;
  newer.log_number = 8;
  JobRecord newest = older;
  newest.caused_by_version = 3;
  newest.log_number = 1;
  CHECK(queue_key(older) < queue_key(newer));
  CHECK(queue_key(newer) < queue_key(newest));
  CHECK(jobs_key(older) > jobs_key(newer));
  CHECK(jobs_key(newer) > jobs_key(newest));
}
