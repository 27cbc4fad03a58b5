// Calls about commits, over the wire.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "api/served.h"
#include "api/wire/code.h"
#include "cli/recorded_pipelines.h"
#include "pfs/v1/commit.grpc.pb.h"
#include "support/must.h"

namespace pfs::test {
namespace {

struct Listed {
  grpc::Status status;
  std::vector<std::string> ids;
};

Listed read_all(grpc::ClientReader<v1::CommitInfo>& reader) {
  Listed listed;
  v1::CommitInfo info;
  while (reader.Read(&info)) listed.ids.push_back(info.id());
  listed.status = reader.Finish();
  return listed;
}

std::string commit(Served& served, const std::string& branch, const std::string& name) {
  served.world().make(served.world().root(branch), name);
  return served.world().finish(branch).hex();
}

Listed list_from(const Served& served, const std::string& from) {
  v1::ListCommitsRequest request;
  request.set_repo("data");
  request.set_branch("master");
  request.set_from(from);
  grpc::ClientContext context;
  bound(context);
  const auto stub = v1::CommitService::NewStub(served.channel());
  return read_all(*stub->ListCommits(&context, request));
}

Listed subscribe_from(const Served& served, const std::string& branch, const std::string& from) {
  v1::SubscribeCommitsRequest request;
  request.set_repo("data");
  request.set_branch(branch);
  request.set_from(from);
  grpc::ClientContext context;
  bound(context);
  const auto stub = v1::CommitService::NewStub(served.channel());
  return read_all(*stub->SubscribeCommits(&context, request));
}

TEST_CASE("commits from one on are refused where the branch's history does not have that one",
          "[api]") {
  Served served;
  auto& world = served.world();
  world.make_branch("data@master");
  world.make_branch("data@other");
  const auto first = commit(served, "data@master", "1");
  const auto second = commit(served, "data@master", "2");
  const auto third = commit(served, "data@master", "3");
  const auto foreign = commit(served, "data@other", "4");

  CHECK(list_from(served, first).ids == std::vector{third, second});
  CHECK(list_from(served, third).ids.empty());
  CHECK(list_from(served, third).status.ok());
  for (const auto& refused : {list_from(served, foreign), subscribe_from(served, "master", foreign)}) {
    CHECK(refused.status.error_code() == api::to_grpc(Code::kInvalid));
    CHECK(refused.ids.empty());
    CHECK(refused.status.error_message().find(foreign) != std::string::npos);
    CHECK(refused.status.error_message().find("data@master") != std::string::npos);
  }
  CHECK(subscribe_from(served, "none", first).status.error_code() ==
        api::to_grpc(Code::kNotFound));

  // nor does it have what HEAD was moved back from
  must(world.catalog().retarget(branch_ref("data@master"), commit_ref("data@" + first)));
  CHECK(list_from(served, third).status.error_code() == api::to_grpc(Code::kInvalid));
}

trigger::JobInfo job(char digit, const std::string& input, const std::string& pipeline,
                     trigger::JobState state) {
  trigger::JobInfo job;
  job.id = must(JobId::from_hex(std::string(32, digit)));
  job.pipeline = must(RepoName::parse(pipeline));
  job.state = state;
  job.inputs = {{branch_ref("data@master"), must(CommitId::from_hex(input)), std::nullopt}};
  return job;
}

TEST_CASE("a job that failed is forgiven once the pipeline's next job of the commit ended well",
          "[api]") {
  RecordedPipelines pipelines;
  Served served(&pipelines);
  served.world().make_branch("data@master");
  served.world().make_branch("edges@master");
  const auto input = commit(served, "data@master", "1");
  const auto output = commit(served, "edges@master", "2");
  const auto flush = [&] {
    v1::FlushCommitsRequest request;
    request.add_commits()->set_repo("data");
    request.mutable_commits(0)->set_ref("master");
    grpc::ClientContext context;
    bound(context);
    const auto stub = v1::CommitService::NewStub(served.channel());
    return read_all(*stub->FlushCommits(&context, request));
  };
  const auto progress = [&] {
    v1::InspectCommitRequest request;
    request.set_repo("data");
    request.set_ref(input);
    grpc::ClientContext context;
    bound(context);
    v1::CommitInfo info;
    const auto stub = v1::CommitService::NewStub(served.channel());
    CHECK(stub->InspectCommit(&context, request, &info).ok());
    return std::vector{info.progress().succeeded(), info.progress().pending(),
                       info.progress().failed()};
  };
  using Counts = std::vector<std::uint64_t>;

  pipelines.recorded_jobs = {job('3', input, "edges", trigger::JobState::kSuccess),
                             job('2', input, "edges", trigger::JobState::kKilled),
                             job('1', input, "edges", trigger::JobState::kFailure)};
  pipelines.recorded_jobs[0].output_commit = must(CommitId::from_hex(output));
  const auto done = flush();
  CHECK(done.status.ok());
  CHECK(done.ids == std::vector{output});
  CHECK(progress() == Counts{1, 0, 0});

  // another pipeline's success is no consolation
  pipelines.recorded_jobs[1].pipeline = must(RepoName::parse("other"));
  CHECK(flush().status.error_code() == api::to_grpc(Code::kInvalid));
  CHECK(progress() == Counts{1, 0, 1});

  // nor is an older one
  pipelines.recorded_jobs = {job('2', input, "edges", trigger::JobState::kFailure),
                             job('1', input, "edges", trigger::JobState::kSuccess)};
  CHECK(flush().status.error_code() == api::to_grpc(Code::kInvalid));
  CHECK(progress() == Counts{0, 0, 1});
}

}  // namespace
}  // namespace pfs::test
