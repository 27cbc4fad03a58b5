#include "api/admin_service.h"

#include "api/internal/answer.h"
#include "api/wire/time.h"
#include "base/process_name.h"

namespace pfs::api {
namespace {

void describe(const BranchRef& branch, const store::OpenCommit& open,
              v1::GetStatusResponse::OpenCommit& out) {
  out.set_repo(branch.repo.str());
  out.set_branch(branch.branch.str());
  out.set_id(open.id.hex());
  out.set_by_hand(open.by_hand);
  out.set_changed(open.changed);
  out.set_description(open.description);
  if (open.changed) set_time(out.mutable_last_change(), open.last_change);
  set_time(out.mutable_since(), open.since);
  out.set_policy(std::string(store::name_of(open.policy.when)));
  out.set_waits_for(store::waits_for(branch, open));
  for (const auto& [path, pid] : open.being_written) {
    auto& file = *out.add_being_written();
    file.set_path(path);
    file.set_pid(pid);
    if (pid != 0) file.set_process(name_of_process(pid));
  }
  if (open.finishing) out.set_finishing(open.finishing->hex());
}

}  // namespace

grpc::Status AdminService::GetVersion(grpc::ServerContext* context, const v1::GetVersionRequest*,
                                      v1::GetVersionResponse* response) {
  response->set_version(version_);
  response->set_store_id(store_.id());
  return answer(*context, {});
}

grpc::Status AdminService::GetStatus(grpc::ServerContext* context, const v1::GetStatusRequest*,
                                     v1::GetStatusResponse* response) {
  return answer(*context, status(*response));
}

grpc::Status AdminService::ProbeContainers(grpc::ServerContext* context, const v1::ProbeContainersRequest*,
                                           v1::ProbeContainersResponse* response) {
  if (pipelines_ == nullptr) return answer(*context, {});
  auto found = pipelines_->probe_runtime();
  if (!found) return answer(*context, std::move(found).error());
  response->set_found(*found);
  return answer(*context, {});
}

Result<void> AdminService::status(v1::GetStatusResponse& response) {
  response.set_version(version_);
  response.set_store_id(store_.id());
  PFS_TRY_ASSIGN(const auto space, store_.space());
  response.set_total_bytes(space.total_bytes);
  response.set_free_bytes(space.free_bytes);
  if (pipelines_ != nullptr) response.set_container_runtime(pipelines_->runtime_report());
  PFS_TRY_ASSIGN(const auto branches, store_.catalog().branches(std::nullopt));
  for (const auto& branch : branches) {
    PFS_TRY_ASSIGN(const auto open, store_.catalog().open_commit(branch.ref));
    if (open.by_hand || open.changed || open.finishing)
      describe(branch.ref, open, *response.add_open_commits());
  }
  return {};
}

}  // namespace pfs::api
