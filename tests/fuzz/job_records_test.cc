#include <catch2/catch.hpp>

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "trigger/internal/records.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

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
  datum.read_bytes = 300;
  return {encode(pipeline), encode(CausedRecord{2, 3, {from_commit, from_job}}), encode(job), encode(datum), encode(Miss::kCutOff),
          encode_names({ref.repo, *RepoName::parse("edges")})};
}

TEST_CASE("damaged records of pipelines and jobs are refused, never believed and never fatal", "[trigger][fuzz]") {
  const std::uint64_t seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  const auto records = good_records();
  const int rounds = std::getenv("PFS_SOAK") != nullptr ? 20'000'000 : 100'000;
  for (int round = 0; round < rounds; ++round) {
    const auto kind = random() % records.size();
    std::string input(1, static_cast<char>(kind));
    input += records[kind];
    for (auto changes = random() % 4; changes > 0; --changes) {
      const auto at = 1 + random() % (input.size() - 1);
      switch (random() % 4) {
        case 0: input[at] = static_cast<char>(random()); break;
        case 1: input[at] = static_cast<char>(input[at] ^ (1 << random() % 8)); break;
        case 2: input.resize(std::max<std::size_t>(2, at)); break;
        default: input.insert(at, 1, static_cast<char>(random())); break;
      }
    }
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
  }
  SUCCEED("nothing was believed that could not be written again");
}

}  // namespace
}  // namespace pfs::trigger
