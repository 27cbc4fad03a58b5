// A flush of a commit, while other inputs of the pipelines that read it are committed to.

#include <catch2/catch.hpp>

#include <atomic>
#include <chrono>
#include <string>

#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include "api/server.h"
#include "pfs/v1/commit.grpc.pb.h"
#include "support/job_fixture.h"

using namespace pfs;
using namespace pfs::test;
using namespace pfs::trigger;
using nlohmann::json;
using worker::CommandEnd;

namespace {

/// left -> quick; left x right -> both, whose program commits to right whenever it runs.
struct EndlessCross {
  static constexpr int kCommits = 5;

  EndlessCross() : fixture(directory.path(), [this](const ProgramCall& call) { return run(call); }) {
    fixture.open();
    for (const char* branch : {"left@master", "right@master"}) fixture.make_branch(branch);
    commit("right@master", "0");
    make("quick", input("left"));
    make("both", {{"cross", {input("left"), input("right")}}});
  }

  CommandEnd run(const ProgramCall& call) {
    if (call.request.arguments.front() == "quick") return {};
    const int number = ++runs;
    // the first goes on when the flush waits for it, the others when they are waited for no more
    JobFixture::until([&] { return (number == 1 ? looked : ended) || call.killed(); });
    if (number <= kCommits) commit("right@master", std::to_string(number));
    return {};
  }

  static json input(const std::string& repo) { return {{"pfs", {{"repo", repo}, {"glob", "/"}}}}; }
  void make(const std::string& name, const json& reads) {
    const json spec{{"pipeline", {{"name", name}}}, {"transform", {{"image", "image"}, {"cmd", {name}}}}, {"input", reads}};
    must(fixture.pipelines().create(spec.dump(), false, false));
  }
  CommitId commit(const std::string& branch, const std::string& text) {
    fixture.write(branch, "file", text);
    return fixture.finish(branch);
  }

  std::atomic<int> runs{0};
  std::atomic<bool> looked{false};  ///< the flush, at the jobs that there are
  std::atomic<bool> ended{false};   ///< the flush
  TemporaryDirectory directory;
  PipelineFixture fixture;
};

}  // namespace

TEST_CASE("a flush ends with the jobs that there are when it begins, whatever is committed to other inputs", "[api][trigger]") {
  EndlessCross cross;
  api::ServerOptions options;
  options.socket_path = cross.directory / "socket";
  options.store = &cross.fixture.store();
  options.pipelines = &cross.fixture.pipelines();
  options.tcp.addresses = {HostPort{"127.0.0.1", 0}};
  const auto server = must(api::Server::start(options));
  const std::string address = "127.0.0.1:" + std::to_string(server->tcp_addresses().front().port);
  const auto stub = v1::CommitService::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));

  const CommitId commit = cross.commit("left@master", "1");
  REQUIRE(cross.fixture.newest_job("quick").state == JobState::kSuccess);
  v1::FlushCommitsRequest request;
  request.add_commits()->set_repo("left");
  request.mutable_commits(0)->set_ref(commit.hex());
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  const auto reader = stub->FlushCommits(&context, request);
  v1::CommitInfo made;
  REQUIRE(reader->Read(&made));  // by quick: told at the first look
  CHECK(made.repo() == "quick");
  CHECK(cross.runs <= 1);
  cross.looked = true;
  REQUIRE(reader->Read(&made));
  CHECK(made.repo() == "both");
  CHECK_FALSE(reader->Read(&made));
  const grpc::Status status = reader->Finish();
  cross.ended = true;
  INFO(status.error_message());
  CHECK(status.ok());
  CHECK(cross.runs <= 2);  // the second job waits
}
