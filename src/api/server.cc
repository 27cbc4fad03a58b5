#include "api/server.h"

#include <chrono>
#include <optional>

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <spdlog/spdlog.h>

#include "api/admin_service.h"
#include "api/branch_service.h"
#include "api/commit_service.h"
#include "api/datum_service.h"
#include "api/file_service.h"
#include "api/internal/accept_loop.h"
#include "api/internal/call_watch.h"
#include "api/internal/callers.h"
#include "api/internal/listener.h"
#include "api/internal/tcp_port.h"
#include "api/job_service.h"
#include "api/mount_service.h"
#include "api/pipeline_service.h"
#include "api/repo_service.h"
#include "api/secret_service.h"
#include "api/transaction_service.h"
#include "api/wire/flow.h"
#include "store/store.h"

namespace pfs::api {
namespace {

/// Calls beyond this many at a time are refused; each has a thread while it runs, and a message in
/// memory.
constexpr int kMaxThreads = 256;
constexpr std::chrono::seconds kDrain{2};
/// Pings of clients that come more often are too many; ours sends one every 30 s.
constexpr int kMinPingIntervalMs = 10'000;

/// What gRPC has to say is about connections that clients made, so nothing of it is worse to us than
/// a warning.
void log_of_grpc(gpr_log_func_args* said) {
  const auto level = said->severity == GPR_LOG_SEVERITY_ERROR ? spdlog::level::warn
                                                              : spdlog::level::debug;
  spdlog::log(level, "grpc: {}", said->message);
}

/// Of a message that is none: its sender is told, and nobody fills our log with it.
void log_of_protobuf(google::protobuf::LogLevel, const char*, int, const std::string& said) {
  spdlog::debug("protobuf: {}", said);
}

class GrpcServer final : public Server {
 public:
  GrpcServer(const ServerOptions& options, Listener listener)
      : listener_(std::move(listener)),
        repos_(*options.store, callers_),
        branches_(*options.store, options.pipelines, callers_),
        commits_(*options.store, options.pipelines, callers_),
        files_(*options.store, callers_),
        pipelines_(options.pipelines, callers_),
        jobs_(options.pipelines),
        datums_(options.pipelines),
        secrets_(options.secrets),
        transactions_(*options.store, callers_),
        mounts_(options.part_mounter, callers_),
        admin_(*options.store, options.pipelines, options.version),
        version_(options.version),
        tcp_(options.tcp) {}
  ~GrpcServer() override { stop(); }

  Result<void> start() {
    gpr_set_log_function(log_of_grpc);
    google::protobuf::SetLogHandler(log_of_protobuf);
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    builder.RegisterService(&repos_);
    builder.RegisterService(&branches_);
    builder.RegisterService(&commits_);
    builder.RegisterService(&files_);
    builder.RegisterService(&pipelines_);
    builder.RegisterService(&jobs_);
    builder.RegisterService(&datums_);
    builder.RegisterService(&secrets_);
    builder.RegisterService(&transactions_);
    builder.RegisterService(&mounts_);
    builder.RegisterService(&admin_);
    builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
    builder.SetResourceQuota(grpc::ResourceQuota("pfs-api").SetMaxThreads(kMaxThreads));
    if (tcp_.addresses.empty()) {
      builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
      builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kWindowBytes);
    }
    builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
    builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
    std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> watches;
    watches.push_back(std::make_unique<CallWatch>(version_));
    builder.experimental().SetInterceptorCreators(std::move(watches));
    std::vector<int> ports(tcp_.addresses.size(), 0);
    PFS_TRY(add_ports(builder, ports));
    server_ = builder.BuildAndStart();
    if (!server_) return Error{Code::kUnavailable, "api: gRPC did not start; see the log"};
    for (std::size_t i = 0; i < ports.size(); ++i) {
      tcp_.addresses[i].port = static_cast<std::uint16_t>(ports[i]);
      probe_idle_clients(tcp_.addresses[i].port);
      spdlog::info("api: listening on {}{}", tcp_.addresses[i].str(), protection());
    }
    accept_loop_.emplace(*listener_, callers_, *server_);
    return accept_loop_->start();
  }

  const std::vector<HostPort>& tcp_addresses() const override { return tcp_.addresses; }

  void stop() override {
    if (!server_) return;
    if (accept_loop_) accept_loop_->stop();
    server_->Shutdown(std::chrono::system_clock::now() + kDrain);
    accept_loop_.reset();
    listener_.reset();
    server_.reset();
  }

 private:
  Result<void> add_ports(grpc::ServerBuilder& builder, std::vector<int>& ports) {
    if (tcp_.addresses.empty()) return {};
    PFS_TRY_ASSIGN(const auto credentials, credentials_of(tcp_));
    // else two daemons would share a port, and clients meet the one or the other
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    // The daemon sends none: a client that waits for its terminal or its stdin does not answer.
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                               kMinPingIntervalMs);
    // else a ping that meets the end of the last call counts as one too many
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    for (std::size_t i = 0; i < ports.size(); ++i) {
      PFS_TRY(check_free(tcp_.addresses[i]));
      builder.AddListeningPort(tcp_.addresses[i].str(), credentials, &ports[i]);
    }
    return {};
  }

  const char* protection() const {
    if (tcp_.certificate_path.empty()) return ", not encrypted, for anybody (--insecure)";
    return tcp_.client_ca_path.empty() ? ", TLS, for anybody (--insecure)"
                                       : ", TLS, for clients with a certificate";
  }

  // in the order of need: each is used by those below it
  std::optional<Listener> listener_;
  Callers callers_;
  RepoService repos_;
  BranchService branches_;
  CommitService commits_;
  FileService files_;
  PipelineService pipelines_;
  JobService jobs_;
  DatumService datums_;
  SecretService secrets_;
  TransactionService transactions_;
  MountService mounts_;
  AdminService admin_;
  const std::string version_;
  TcpOptions tcp_;
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
