#include "api/client/datums.h"

#include <utility>

#include "api/client/internal/wire.h"
#include "api/wire/time.h"
#include "pfs/v1/datum.grpc.pb.h"

namespace pfs::client {
namespace {

std::string word_of_datum(v1::DatumState state) {
  switch (state) {
    case v1::DATUM_STATE_UNSPECIFIED: return "-";
    case v1::DATUM_STATE_STARTING: return "starting";
    case v1::DATUM_STATE_SUCCESS: return "success";
    case v1::DATUM_STATE_SKIPPED: return "skipped";
    case v1::DATUM_STATE_FAILED: return "failed";
    case v1::DATUM_STATE_RECOVERED: return "recovered";
    case v1::DATUM_STATE_KILLED: return "killed";
    case v1::DATUM_STATE_NOT_BEGUN: return "not-begun";
    default: return "unknown";  // of a newer daemon
  }
}

Datum datum_of(const v1::DatumInfo& info) {
  Datum datum;
  datum.id = info.id();
  datum.job = info.job();
  datum.state = word_of_datum(info.state());
  for (const auto& file : info.files())
    datum.files.push_back({file.repo(), file.branch(), file.commit(), file.name(), file.path(), file.size()});
  datum.input_bytes = info.input_bytes();
  datum.output_bytes = info.output_bytes();
  datum.read_bytes = info.read_bytes();
  datum.written_bytes = info.written_bytes();
  datum.download_time = api::duration_of(info.download_time());
  datum.process_time = api::duration_of(info.process_time());
  datum.upload_time = api::duration_of(info.upload_time());
  return datum;
}

Result<void> list(const Connection& connection, v1::ListDatumsRequest request, const Datums::Page& page,
                  const Datums::Visit& visit) {
  request.set_first(page.first);
  if (page.most) request.set_most(*page.most);
  grpc::ClientContext context;
  const auto stub = v1::DatumService::NewStub(connection.wire().channel);
  const auto reader = stub->ListDatums(&context, request);
  return read_all<v1::DatumInfo>(*reader, context, connection,
                                 [&visit](const v1::DatumInfo& info) { return visit(datum_of(info)); });
}

}  // namespace

Result<void> Datums::list(const JobId& job, const Page& page, const Visit& visit) const {
  v1::ListDatumsRequest request;
  request.set_job(job.hex());
  return client::list(connection_, std::move(request), page, visit);
}

Result<void> Datums::plan(const std::string& spec_json, const Page& page, const Visit& visit) const {
  v1::ListDatumsRequest request;
  request.set_spec(spec_json);
  return client::list(connection_, std::move(request), page, visit);
}

Result<Datum> Datums::inspect(const JobId& job, const Digest& id) const {
  v1::InspectDatumRequest request;
  request.set_job(job.hex());
  request.set_id(id.hex());
  v1::DatumInfo response;
  grpc::ClientContext context;
  const auto stub = v1::DatumService::NewStub(connection_.wire().channel);
  PFS_TRY(outcome_of(stub->InspectDatum(&context, request, &response), context, connection_));
  return datum_of(response);
}

}  // namespace pfs::client
