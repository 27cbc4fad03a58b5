#pragma once

#include <cstdint>
#include <string>

#include <catch2/catch.hpp>

#include "cli/pfs_session.h"
#include "cli/recorded_pipelines.h"

namespace pfs::test {

constexpr Timestamp at_second(std::int64_t second) { return Timestamp{second * 1'000'000'000}; }

inline const std::string kJob = "0123456789abcdef0123456789abcdef";
inline const std::string kFailedJob = "1123456789abcdef0123456789abcdef";

inline trigger::PipelineInfo edges() {
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

inline trigger::JobInfo job(const std::string& id, trigger::JobState state) {
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
  job.stats.downloaded_bytes = 58644;
  job.stats.uploaded_bytes = 1024;
  job.inputs = {{*BranchRef::parse("images@master"), CommitId(), std::nullopt}};
  return job;
}

/// Makes a repo, with a commit on its master.
inline CommitId commit_in_new(PfsSession& session, const std::string& repo) {
  session.ok({"create", "repo", repo});
  session.ok({"put", "file", repo + "@master:/f"}, repo);
  const auto head = session.store().catalog().branch(*BranchRef::parse(repo + "@master"))->head;
  REQUIRE(head);
  return *head;
}

}  // namespace pfs::test
