#include "api/server.h"

#include <chrono>
#include <optional>

#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include "api/admin_service.h"
#include "api/branch_service.h"
#include "api/commit_service.h"
#include "api/file_service.h"
#include "api/internal/accept_loop.h"
#include "api/internal/callers.h"
#include "api/internal/listener.h"
#include "api/job_service.h"
#include "api/pipeline_service.h"
#include "api/repo_service.h"
#include "api/transaction_service.h"
#include "store/store.h"

namespace pfs::api {
namespace {

/// Calls beyond this many at a time are refused; each has a thread while it runs, and a message in
/// memory.
constexpr int kMaxThreads = 256;
constexpr std::chrono::seconds kDrain{2};

class GrpcServer final : public Server {
 public:
  GrpcServer(const ServerOptions& options, Listener listener)
      : listener_(std::move(listener)),
        repos_(*options.store, callers_),
        branches_(*options.store, callers_),
        commits_(*options.store, options.pipelines, callers_),
        files_(*options.store, callers_),
        pipelines_(options.pipelines),
        jobs_(options.pipelines),
        transactions_(*options.store, callers_),
        admin_(*options.store, options.pipelines, options.version) {}
  ~GrpcServer() override { stop(); }

  Result<void> start() {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::ServerBuilder builder;
    builder.RegisterService(&repos_);
    builder.RegisterService(&branches_);
    builder.RegisterService(&commits_);
    builder.RegisterService(&files_);
    builder.RegisterService(&pipelines_);
    builder.RegisterService(&jobs_);
    builder.RegisterService(&transactions_);
    builder.RegisterService(&admin_);
    builder.SetResourceQuota(grpc::ResourceQuota("pfs-api").SetMaxThreads(kMaxThreads));
    builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
    builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
    server_ = builder.BuildAndStart();
    if (!server_) return Error{Code::kUnavailable, "api: gRPC did not start"};
    accept_loop_.emplace(*listener_, callers_, *server_);
    return accept_loop_->start();
  }

  void stop() override {
    if (!server_) return;
    if (accept_loop_) accept_loop_->stop();
    server_->Shutdown(std::chrono::system_clock::now() + kDrain);
    accept_loop_.reset();
    listener_.reset();
    server_.reset();
  }

 private:
  // in the order of need: each is used by those below it
  std::optional<Listener> listener_;
  Callers callers_;
  RepoService repos_;
  BranchService branches_;
  CommitService commits_;
  FileService files_;
  PipelineService pipelines_;
  JobService jobs_;
  TransactionService transactions_;
  AdminService admin_;
  std::unique_ptr<grpc::Server> server_;
  std::optional<AcceptLoop> accept_loop_;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(const ServerOptions& options) {
  PFS_TRY_ASSIGN(auto listener, Listener::bind(options.socket_path, options.socket_mode));
  auto server = std::make_unique<GrpcServer>(options, std::move(listener));
  PFS_TRY(server->start());
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace pfs::api
