#include "api/datum_service.h"

#include "api/internal/answer.h"
#include "api/internal/jobs.h"
#include "api/wire/time.h"

namespace pfs::api {
namespace {

v1::DatumState datum_state(const std::optional<trigger::DatumState>& state) {
  if (!state) return v1::DATUM_STATE_UNSPECIFIED;
  switch (*state) {
    case trigger::DatumState::kStarting: return v1::DATUM_STATE_STARTING;
    case trigger::DatumState::kSuccess: return v1::DATUM_STATE_SUCCESS;
    case trigger::DatumState::kSkipped: return v1::DATUM_STATE_SKIPPED;
    case trigger::DatumState::kFailed: return v1::DATUM_STATE_FAILED;
    case trigger::DatumState::kRecovered: return v1::DATUM_STATE_RECOVERED;
    case trigger::DatumState::kKilled: return v1::DATUM_STATE_KILLED;
    case trigger::DatumState::kNotBegun: return v1::DATUM_STATE_NOT_BEGUN;
  }
  return v1::DATUM_STATE_UNSPECIFIED;
}

v1::DatumInfo info_of(const trigger::DatumInfo& datum) {
  v1::DatumInfo info;
  if (datum.id) info.set_id(datum.id->hex());
  if (datum.job) info.set_job(datum.job->hex());
  info.set_state(datum_state(datum.state));
  for (const auto& file : datum.files) {
    auto* out = info.add_files();
    out->set_repo(file.branch.repo.str());
    out->set_branch(file.branch.branch.str());
    if (file.commit) out->set_commit(file.commit->hex());
    out->set_name(file.name.str());
    out->set_path(file.path.str());
    out->set_size(file.size);
  }
  info.set_input_bytes(datum.input_bytes);
  info.set_output_bytes(datum.output_bytes);
  info.set_read_bytes(datum.stats.downloaded_bytes);
  info.set_written_bytes(datum.stats.uploaded_bytes);
  set_duration(info.mutable_download_time(), datum.stats.download_time);
  set_duration(info.mutable_process_time(), datum.stats.process_time);
  set_duration(info.mutable_upload_time(), datum.stats.upload_time);
  return info;
}

}  // namespace

grpc::Status DatumService::ListDatums(grpc::ServerContext* context, const v1::ListDatumsRequest* request,
                                      grpc::ServerWriter<v1::DatumInfo>* writer) {
  return answer(*context, list(*request, *writer));
}

grpc::Status DatumService::InspectDatum(grpc::ServerContext* context, const v1::InspectDatumRequest* request,
                                        v1::DatumInfo* response) {
  return answer(*context, inspect(*request, *response));
}

Result<void> DatumService::list(const v1::ListDatumsRequest& request, grpc::ServerWriter<v1::DatumInfo>& writer) const {
  PFS_TRY(require(pipelines_));
  std::uint64_t number = 0;
  const auto send = [&](const trigger::DatumInfo& datum) {
    const std::uint64_t place = number++;
    if (place < request.first()) return true;
    if (request.has_most() && place - request.first() >= request.most()) return false;
    return writer.Write(info_of(datum));
  };
  if (request.job().empty()) return pipelines_->planned_datums(request.spec(), send);
  if (!request.spec().empty()) return Error{Code::kInvalid, "datums of a job, or of a spec: say one of the two"};
  PFS_TRY_ASSIGN(const auto job, JobId::from_hex(request.job()));
  return pipelines_->datums(job, send);
}

Result<void> DatumService::inspect(const v1::InspectDatumRequest& request, v1::DatumInfo& info) const {
  PFS_TRY(require(pipelines_));
  PFS_TRY_ASSIGN(const auto job, JobId::from_hex(request.job()));
  PFS_TRY_ASSIGN(const auto id, Digest::from_hex(request.id()));
  PFS_TRY_ASSIGN(const auto datum, pipelines_->datum(job, id));
  info = info_of(datum);
  return {};
}

}  // namespace pfs::api
