// What cannot be a part of a transaction is refused where a call names one, and does not happen.
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "api/served.h"
#include "api/wire/code.h"
#include "base/clock.h"
#include "cli/recorded_pipelines.h"
#include "pfs/v1/pipeline.grpc.pb.h"
#include "pfs/v1/secret.grpc.pb.h"
#include "support/must.h"
#include "support/temporary_directory.h"
#include "trigger/secrets.h"

namespace pfs::test {
namespace {

/// How a call ends that names a transaction.
template <class Stub, class Request, class Response>
grpc::StatusCode in_transaction(Stub& stub,
                                grpc::Status (Stub::*call)(grpc::ClientContext*, const Request&,
                                                           Response*),
                                const Request& request) {
  grpc::ClientContext context;
  bound(context);
  context.AddMetadata("pfs-transaction", "01234567-89ab-cdef-0123-456789abcdef");
  Response response;
  return (stub.*call)(&context, request, &response).error_code();
}

TEST_CASE("a call that changes pipelines is no part of a transaction", "[api]") {
  RecordedPipelines pipelines;
  pipelines.pipelines.emplace_back().name = must(RepoName::parse("edges"));
  const Served served(&pipelines);
  using Stub = v1::PipelineService::Stub;
  const auto stub = v1::PipelineService::NewStub(served.channel());
  const auto refused = api::to_grpc(Code::kUnsupported);

  v1::CreatePipelinesRequest create;
  create.set_specs("{}");
  CHECK(in_transaction(*stub, &Stub::CreatePipelines, create) == refused);
  CHECK(pipelines.created.empty());
  create.set_dry_run(true);  // which changes nothing
  CHECK(in_transaction(*stub, &Stub::CreatePipelines, create) == grpc::StatusCode::OK);

  v1::StopPipelineRequest stop;
  stop.set_name("edges");
  CHECK(in_transaction(*stub, &Stub::StopPipeline, stop) == refused);
  CHECK_FALSE(pipelines.pipelines.front().stopped);
  v1::StartPipelineRequest start;
  start.set_name("edges");
  CHECK(in_transaction(*stub, &Stub::StartPipeline, start) == refused);
  v1::RunPipelineRequest run;
  run.set_name("edges");
  CHECK(in_transaction(*stub, &Stub::RunPipeline, run) == refused);
  CHECK(pipelines.ran.empty());
  v1::DeletePipelineRequest remove;
  remove.set_name("edges");
  CHECK(in_transaction(*stub, &Stub::DeletePipeline, remove) == refused);
  CHECK(pipelines.removed.empty());
  v1::InspectPipelineRequest inspect;
  inspect.set_name("edges");
  CHECK(in_transaction(*stub, &Stub::InspectPipeline, inspect) == grpc::StatusCode::OK);
}

TEST_CASE("a call that changes secrets is no part of a transaction", "[api]") {
  const TemporaryDirectory directory;
  SystemClock clock;
  const auto secrets = must(trigger::Secrets::open(directory / "secrets", clock));
  const Served served(nullptr, secrets.get());
  using Stub = v1::SecretService::Stub;
  const auto stub = v1::SecretService::NewStub(served.channel());
  const auto refused = api::to_grpc(Code::kUnsupported);
  const std::string manifest = R"({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"},
                                   "stringData": {"word": "open"}})";

  v1::CreateSecretRequest create;
  create.set_manifest_json(manifest);
  CHECK(in_transaction(*stub, &Stub::CreateSecret, create) == refused);
  CHECK(must(secrets->list()).empty());
  must(secrets->create(manifest));
  v1::DeleteSecretRequest remove;
  remove.set_name("key");
  CHECK(in_transaction(*stub, &Stub::DeleteSecret, remove) == refused);
  CHECK(must(secrets->list()).size() == 1);
}

}  // namespace
}  // namespace pfs::test
