#include "api/client/admin.h"

#include "api/client/internal/wire.h"
#include "api/wire/time.h"
#include "pfs/v1/admin.grpc.pb.h"

namespace pfs::client {
namespace {

DaemonStatus::OpenCommit open_commit_of(const v1::GetStatusResponse::OpenCommit& info) {
  DaemonStatus::OpenCommit open;
  open.repo = info.repo();
  open.branch = info.branch();
  open.id = info.id();
  open.by_hand = info.by_hand();
  open.changed = info.changed();
  open.description = info.description();
  open.last_change = api::time_of(info.last_change());
  for (const auto& file : info.being_written()) {
    open.being_written.push_back({file.path(), file.pid(), file.process()});
  }
  open.since = api::time_of(info.since());
  open.policy = info.policy();
  open.waits_for = info.waits_for();
  open.finishing = info.finishing();
  return open;
}

Result<v1::GetVersionResponse> about(const Connection& connection) {
  v1::GetVersionResponse response;
  grpc::ClientContext context;
  const auto stub = v1::AdminService::NewStub(connection.wire().channel);
  PFS_TRY(outcome_of(stub->GetVersion(&context, v1::GetVersionRequest(), &response), context, connection));
  return response;
}

}  // namespace

Result<std::string> Admin::version() const {
  PFS_TRY_ASSIGN(const auto response, about(connection_));
  return response.version();
}

Result<std::string> Admin::store_id() const {
  PFS_TRY_ASSIGN(const auto response, about(connection_));
  return response.store_id();
}

Result<std::string> Admin::probe_containers() const {
  v1::ProbeContainersResponse response;
  grpc::ClientContext context;
  const auto stub = v1::AdminService::NewStub(connection_.wire().channel);
  PFS_TRY(outcome_of(stub->ProbeContainers(&context, v1::ProbeContainersRequest(), &response), context, connection_));
  return response.found();
}

Result<DaemonStatus> Admin::status() const {
  v1::GetStatusResponse response;
  grpc::ClientContext context;
  const auto stub = v1::AdminService::NewStub(connection_.wire().channel);
  PFS_TRY(outcome_of(stub->GetStatus(&context, v1::GetStatusRequest(), &response), context,
                     connection_));
  DaemonStatus status;
  status.version = response.version();
  status.store_id = response.store_id();
  status.total_bytes = response.total_bytes();
  status.free_bytes = response.free_bytes();
  status.container_runtime = response.container_runtime();
  for (const auto& open : response.open_commits())
    status.open_commits.push_back(open_commit_of(open));
  return status;
}

}  // namespace pfs::client
