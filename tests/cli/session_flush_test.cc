// Who waits for commits and jobs at the shell, and which jobs are listed then.
#include <catch2/catch.hpp>

#include "cli/recorded_jobs.h"
#include "support/must.h"

namespace pfs::test {
namespace {

TEST_CASE("a flush for some repos waits for the jobs that lead to them, and for no others",
          "[cli][session]") {
  RecordedPipelines pipelines;
  PfsSession session(&pipelines);
  const auto images = commit_in_new(session, "images");
  const auto outlines = commit_in_new(session, "edges");
  pipelines.pipelines = {edges(), edges(), edges()};
  pipelines.pipelines[1].name = pipelines.pipelines[1].output.repo = *RepoName::parse("other");
  pipelines.pipelines[2].name = pipelines.pipelines[2].output.repo = *RepoName::parse("montage");
  pipelines.pipelines[2].reads = {*BranchRef::parse("edges@master")};
  pipelines.recorded_jobs = {job(kJob, trigger::JobState::kSuccess),
                             job(kFailedJob, trigger::JobState::kRunning)};
  for (auto& each : pipelines.recorded_jobs) each.inputs.front().commit = images;
  pipelines.recorded_jobs[0].output_commit = outlines;
  pipelines.recorded_jobs[1].pipeline = *RepoName::parse("other");
  const auto said = session.pfs({"flush", "commit", "images@master", "-r", "edges", "--timeout", "20s"});
  CHECK(said.status == 0);
  CHECK(said.out.find(outlines.hex()) != said.out.npos);
  // it goes by way of edges, whose commit is not asked for
  CHECK(session.pfs({"flush", "commit", "images@master", "-r", "montage", "--timeout", "20s"}).status == 1);
  session.ok({"create", "repo", "montage"});
  const auto other = session.pfs({"flush", "commit", "images@master", "-r", "montage", "--timeout", "20s"});
  CHECK(other.status == 0);
  CHECK(other.out.find(outlines.hex()) == other.out.npos);
}

/// images -> edges -> montage, whose job waited for that of edges; images -> other, whose job failed; and a job of edges over
/// something else.
struct FlushedJobs {
  FlushedJobs() : session(&pipelines) {
    images = commit_in_new(session, "images");
    const auto outlines = commit_in_new(session, "edges");
    session.ok({"create", "repo", "montage"});
    pipelines.pipelines = {edges(), edges(), edges()};
    pipelines.pipelines[1].name = pipelines.pipelines[1].output.repo = *RepoName::parse("other");
    pipelines.pipelines[2].name = pipelines.pipelines[2].output.repo = *RepoName::parse("montage");
    pipelines.pipelines[2].reads = {*BranchRef::parse("edges@master")};
    pipelines.recorded_jobs = {
        job(kMontage, trigger::JobState::kSuccess), job(kFailedJob, trigger::JobState::kFailure),
        job(kJob, trigger::JobState::kSuccess), job(kUnrelated, trigger::JobState::kSuccess)};
    auto& jobs = pipelines.recorded_jobs;
    jobs[0].pipeline = *RepoName::parse("montage");
    jobs[0].inputs = {{*BranchRef::parse("edges@master"), std::nullopt, *JobId::from_hex(kJob)}};
    jobs[1].pipeline = *RepoName::parse("other");
    jobs[1].inputs.front().commit = images;
    jobs[2].inputs.front().commit = images;
    jobs[2].output_commit = outlines;
  }

  /// The jobs that a flush lists, a letter each.
  std::string listed(const Said& said) const {
    std::string letters;
    if (said.out.find(kMontage) != said.out.npos) letters += 'm';
    if (said.out.find(kFailedJob) != said.out.npos) letters += 'f';
    if (said.out.find(kJob) != said.out.npos) letters += 'e';
    if (said.out.find(kUnrelated) != said.out.npos) letters += 'u';
    return letters;
  }

  const std::string kMontage = "2123456789abcdef0123456789abcdef";
  const std::string kUnrelated = "3123456789abcdef0123456789abcdef";
  RecordedPipelines pipelines;
  PfsSession session;
  CommitId images;
};

TEST_CASE("the jobs that a commit has led to are waited for and listed, and one that failed is the status",
          "[cli][session]") {
  FlushedJobs of;
  const auto all = of.session.pfs({"flush", "job", "images@master"});
  CHECK(all.status == 1);
  CHECK(all.out.starts_with("ID "));
  CHECK(of.listed(all) == "mfe");
  CHECK(all.err.find("job " + kFailedJob + " of pipeline other: failure") != all.err.npos);

  of.pipelines.recorded_jobs[1].state = trigger::JobState::kSuccess;
  const auto raw = of.session.pfs({"flush", "job", "images@" + of.images.hex(), "--raw"});
  CHECK(raw.status == 0);
  CHECK(raw.out.starts_with("{"));
  CHECK(of.listed(raw) == "mfe");
  CHECK(of.listed(of.session.pfs({"flush", "job", "edges@master"})) == "");
  CHECK(of.session.pfs({"flush", "job"}).status == 2);
  CHECK(of.session.pfs({"flush", "job", "images@none"}).status == 1);
}

TEST_CASE("jobs are listed by the commits that they have read and made", "[cli][session]") {
  FlushedJobs of;
  CHECK(of.listed(of.session.pfs({"list", "job"})) == "mfeu");
  CHECK(of.listed(of.session.pfs({"list", "job", "-i", "images@master"})) == "fe");
  CHECK(of.listed(of.session.pfs({"list", "job", "-i", "images@master", "-n", "1"})) == "f");
  CHECK(of.listed(of.session.pfs({"list", "job", "--output-commit", "edges@master", "--history"})) == "e");
  CHECK(of.listed(of.session.pfs({"list", "job", "-i", "images@master", "-i", "edges@master"})) == "");
  CHECK(of.session.pfs({"list", "job", "-i", "images@none"}).status == 1);
}

TEST_CASE("of some pipelines the jobs that lead to theirs are waited for, and their own are listed",
          "[cli][session]") {
  FlushedJobs of;
  const auto montage = of.session.pfs({"flush", "job", "-p", "montage", "images@master"});
  CHECK(montage.status == 0);
  CHECK(of.listed(montage) == "m");
  const auto both = of.session.pfs({"flush", "job", "images@master", "-p", "montage", "-p", "edges"});
  CHECK(both.status == 0);
  CHECK(of.listed(both) == "me");
  of.pipelines.recorded_jobs[2].state = trigger::JobState::kKilled;  // montage reads what it would have made
  CHECK(of.session.pfs({"flush", "job", "images@master", "-p", "montage"}).status == 1);
  const auto misspelt = of.session.pfs({"flush", "job", "images@master", "-p", "montages"});
  CHECK(misspelt.status == 1);
  CHECK(misspelt.err.find("pipeline montages") != misspelt.err.npos);
  const auto old = of.session.pfs({"flush-job", "images/" + of.images.hex(), "-p", "edges"});
  CHECK(of.listed(old) == "e");
}

TEST_CASE("a job that is waited for is listed once it has ended", "[cli][session]") {
  FlushedJobs of;
  const auto ended = of.session.pfs({"wait", "job", kJob});
  CHECK(ended.status == 0);
  CHECK(of.listed(ended) == "e");
  const auto failed = of.session.pfs({"wait", "job", kFailedJob});
  CHECK(failed.status == 1);
  CHECK(of.listed(failed) == "f");
}

}  // namespace
}  // namespace pfs::test
