// pfs at a daemon of another version than its own, and at one that takes longer than it is given.
#include <memory>
#include <string>

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <catch2/catch.hpp>

#include "api/wire/code.h"
#include "api/wire/metadata.h"
#include "cli/pfs_session.h"
#include "pfs/v1/admin.grpc.pb.h"
#include "pfs/v1/repo.grpc.pb.h"

namespace pfs::test {
namespace {

/// Knows its version, and repos only in words that no client of today has.
class OtherDaemon final {
 public:
  OtherDaemon(const std::string& version, bool has_repos) : admin_(version), repos_(version) {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&admin_);
    if (has_repos) builder.RegisterService(&repos_);
    server_ = builder.BuildAndStart();
    address_ = "grpc://127.0.0.1:" + std::to_string(port);
  }
  ~OtherDaemon() { server_->Shutdown(); }

  const std::string& address() const { return address_; }

 private:
  class Admin final : public v1::AdminService::Service {
   public:
    explicit Admin(std::string version) : version_(std::move(version)) {}
    grpc::Status GetVersion(grpc::ServerContext*, const v1::GetVersionRequest*,
                            v1::GetVersionResponse* response) override {
      response->set_version(version_);
      return grpc::Status::OK;
    }

   private:
    const std::string version_;
  };
  class Repos final : public v1::RepoService::Service {
   public:
    explicit Repos(std::string version) : version_(std::move(version)) {}
    grpc::Status ListRepos(grpc::ServerContext* context, const v1::ListReposRequest*,
                           grpc::ServerWriter<v1::RepoInfo>*) override {
      context->AddTrailingMetadata(api::kCodeTrailer, "over_quota_of_2031");
      context->AddTrailingMetadata(api::kVersionKey, version_);
      return {grpc::StatusCode::RESOURCE_EXHAUSTED, "repo data: over its quota"};
    }

   private:
    const std::string version_;
  };

  Admin admin_;
  Repos repos_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

TEST_CASE("a call that a daemon of another version does not know is an error that names both",
          "[cli][session][network]") {
  PfsSession session;
  const OtherDaemon older("0.0.1", false);
  session.environment = {"PFS_ADDRESS=" + older.address()};
  const auto said = session.pfs({"list", "repo"});
  CHECK(said.status == 1);
  CHECK_THAT(said.err, Catch::Contains("is of version 0.0.1 and does not know this call of pfs"));
  CHECK_THAT(session.ok({"version"}), Catch::Contains("0.0.1"));
}

TEST_CASE("an error that only a newer daemon knows is told in its words",
          "[cli][session][network]") {
  PfsSession session;
  const OtherDaemon newer("31.0.0", true);
  session.environment = {"PFS_ADDRESS=" + newer.address()};
  const auto said = session.pfs({"list", "repo"});
  CHECK(said.status == 1);
  CHECK_THAT(said.err,
             Catch::Contains("repo data: over its quota (pfsd 31.0.0 is newer than this pfs"));
}

TEST_CASE("what takes longer than --timeout ends with an error, and nothing is changed",
          "[cli][session][network]") {
  PfsSession session;
  session.ok({"create", "repo", "data"});
  session.ok({"create", "branch", "data@master"});
  const auto said =
      session.pfs({"subscribe", "commit", "data@master", "--raw", "--timeout", "300ms"});
  CHECK(said.status == 1);
  CHECK(said.out.empty());
  CHECK_THAT(said.err, Catch::Contains("has not answered in time; give it more with --timeout"));
  CHECK(session.ok({"list", "commit", "data@master", "--raw"}).empty());
}

}  // namespace
}  // namespace pfs::test
