#include <catch2/catch.hpp>

#include <random>
#include <string>
#include <vector>

#include "fuzz/damage.h"
#include "trigger/internal/records.h"

namespace pfs::trigger {
namespace {

/// A good record of each kind, in the order of the fuzz target's cases.
std::vector<std::string> good_records() {
  const BranchRef ref = *BranchRef::parse("data@master");
  const JobInput from_commit{ref, new_commit_id(), std::nullopt};
  const JobInput from_job{*BranchRef::parse("edges@master"), std::nullopt, *JobId::from_hex(std::string(32, 'a'))};
  PipelineRecord pipeline;
  pipeline.name = ref.repo;
  pipeline.spec_json = R"({"pipeline": {"name": "data"}})";
  pipeline.salt = "salt";
  JobRecord job;
  job.id = *from_job.from;
  job.pipeline = ref.repo;
  job.reason = "why";
  job.inputs = {from_commit, from_job};
  job.output_commit = new_commit_id();
  job.finished = Timestamp{7};
  job.begun = Timestamp{5};
  DatumRecord datum;
  datum.job = job.id;
  datum.stats.downloaded_bytes = 300;
  return {encode(pipeline), encode(CausedRecord{2, 3, {from_commit, from_job}}), encode(job), encode(datum), encode(MissRecord{Miss::kCutOff, {}}),
          encode_names({ref.repo, *RepoName::parse("edges")}), encode(VersionRecord{2, Timestamp{5}, "{}", "salt"})};
}

TEST_CASE("damaged records of pipelines and jobs are refused, never believed and never fatal", "[trigger][fuzz]") {
  const std::uint64_t seed = std::random_device{}();
  INFO("seed " << seed);
  test::feed_damaged(good_records(), 100'000, seed);
  SUCCEED("nothing was believed that could not be written again");
}

}  // namespace
}  // namespace pfs::trigger
