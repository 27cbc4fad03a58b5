#include "trigger/internal/records.h"

#include <catch2/catch.hpp>

#include "base/codec.h"

using namespace pfs;
using namespace pfs::trigger;

namespace {

JobRecord sample_job() {
  JobRecord job;
  job.id = JobId::from_bytes(new_commit_id().bytes());
  job.pipeline = *RepoName::parse("edges");
  job.caused_by_version = 2;
  job.number = 7;
  job.pipeline_version = 3;
  job.state = JobState::kFailure;
  job.reason = "datum /a: no";
  job.created = Timestamp{1234};
  job.begun = Timestamp{1235};
  job.finished = Timestamp{-5};
  job.restarts = 1;
  job.inputs = {{*BranchRef::parse("images@master"), new_commit_id(), std::nullopt},
                {*BranchRef::parse("edges@master"), std::nullopt, JobId::from_bytes(new_commit_id().bytes())},
                {*BranchRef::parse("labels@master"), std::nullopt, std::nullopt}};
  job.shape = Digest();
  job.separable = true;
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
  CHECK(again->begun == job.begun);
  CHECK(again->finished == job.finished);
  CHECK(again->output_commit == job.output_commit);
  CHECK(again->inputs == job.inputs);
  CHECK(again->waits());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto cut = decode_job(std::string_view(bytes).substr(0, size));
    REQUIRE_FALSE(cut);
    CHECK(cut.error().code == Code::kCorrupt);
  }
}

TEST_CASE("a job's record of the first version has one input, and a datum's does not say what nobody has looked for", "[trigger]") {
  const JobRecord job = sample_job();
  Encoder out;
  out.u8(1).raw(job.id.bytes()).bytes("edges").varint(2).varint(7).varint(3).u8(3).bytes("");
  out.signed_varint(1).u8(0).bytes("images").bytes("master").raw(job.inputs.front().commit->bytes()).u8(0);
  for (std::uint64_t counter = 1; counter <= 7; ++counter) out.varint(counter);
  const auto read = decode_job(out.str());
  REQUIRE(read);
  CHECK(read->inputs == std::vector<JobInput>{job.inputs.front()});
  CHECK(read->number == 7);
  CHECK(read->stats.uploaded_bytes == 7);
  CHECK_FALSE(read->shape);
  CHECK_FALSE(read->separable);
  CHECK_FALSE(read->begun);

  Encoder datum;
  datum.u8(1).raw(Digest().bytes()).raw(Digest().bytes()).varint(1).varint(2).varint(3).raw(job.id.bytes()).varint(4);
  const auto old_datum = decode_datum(datum.str());
  REQUIRE(old_datum);
  CHECK(old_datum->has_empty_directories);
  CHECK(old_datum->stats.downloaded_bytes == 4);
}

TEST_CASE("a job's record of the second version does not say when it first ran", "[trigger]") {
  JobRecord job = sample_job();
  job.begun.reset();
  job.stats = {};
  std::string bytes = encode(job);
  bytes.resize(bytes.size() - 4);  // that there is no such time, and the times of datums
  bytes[0] = 2;
  const auto read = decode_job(bytes);
  REQUIRE(read);
  CHECK_FALSE(read->begun);
  CHECK(encode(*read) == encode(job));
}

TEST_CASE("a job's record of the third version does not say how long its datums took, nor does a datum's of the second", "[trigger]") {
  JobRecord job = sample_job();
  job.stats = {1, 2, {}, {}, {}};
  std::string bytes = encode(job);
  bytes.resize(bytes.size() - 3);
  bytes[0] = 3;
  const auto read = decode_job(bytes);
  REQUIRE(read);
  CHECK(read->stats == job.stats);
  CHECK(read->begun == job.begun);

  std::string datum = encode(DatumRecord{{}, job.id, false, {3, 4, {}, {}, {}}});
  datum.resize(datum.size() - 3);
  datum[0] = 2;
  const auto old_datum = decode_datum(datum);
  REQUIRE(old_datum);
  CHECK_FALSE(old_datum->has_empty_directories);
  CHECK(old_datum->stats == ProcessStats{3, 4, {}, {}, {}});
}

TEST_CASE("what datums took reads back; more than anything takes is damage", "[trigger]") {
  using namespace std::chrono_literals;
  JobRecord job = sample_job();
  job.stats = {1, 2, 3ms, 1h, 5ns};
  CHECK(decode_job(encode(job)).value().stats == job.stats);
  const DatumRecord datum{{}, job.id, false, job.stats};
  CHECK(decode_datum(encode(datum)).value().stats == job.stats);
  CHECK(decode_miss(encode(MissRecord{Miss::kFailed, job.stats})).value().stats == job.stats);
  job.stats.process_time = std::chrono::nanoseconds::max();
  CHECK(decode_job(encode(job)).error().code == Code::kCorrupt);
}

TEST_CASE("a pipeline's version reads back, and the newest comes first", "[trigger]") {
  const VersionRecord version{7, Timestamp{5}, "{}", "salt"};
  const auto read = decode_version(encode(version));
  REQUIRE(read);
  CHECK(encode(*read) == encode(version));
  const RepoName name = *RepoName::parse("edges");
  CHECK(version_key(name, 8) < version_key(name, 7));
}

TEST_CASE("a datum without output has failed, is recovered or was cut off", "[trigger]") {
  for (const Miss what : {Miss::kFailed, Miss::kRecovered, Miss::kCutOff}) CHECK(decode_miss(encode(MissRecord{what, {}})).value().what == what);
  CHECK(decode_miss(std::string("\1\2", 2)).value().what == Miss::kCutOff);  // of the first version
  CHECK(decode_miss(std::string("\1\3", 2)).error().code == Code::kCorrupt);
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
  const auto inputs = sample_job().inputs;
  const JobId id = job_id(pipeline, inputs, 1);
  CHECK(job_id(pipeline, inputs, 1) == id);
  CHECK(job_id(pipeline, inputs, 2) != id);
  CHECK(job_id(pipeline, sample_job().inputs, 1) != id);
  pipeline.version = 2;
  CHECK(job_id(pipeline, inputs, 1) != id);
}

TEST_CASE("the queue's keys rise with what caused the jobs, the list's fall", "[trigger]") {
  JobRecord older = sample_job();
  JobRecord newer = older;
  newer.number = 8;
  JobRecord newest = older;
  newest.caused_by_version = 3;
  newest.number = 1;
  CHECK(queue_key(older) < queue_key(newer));
  CHECK(queue_key(newer) < queue_key(newest));
  CHECK(jobs_key(older) > jobs_key(newer));
  CHECK(jobs_key(newer) > jobs_key(newest));
}
