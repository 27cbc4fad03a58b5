#include "api/client/secrets.h"

#include "api/client/internal/wire.h"
#include "api/wire/time.h"
#include "pfs/v1/secret.grpc.pb.h"

namespace pfs::client {
namespace {

Secret secret_of(const v1::SecretInfo& info) {
  return {info.name(), info.type(), api::time_of(info.created()), {info.keys().begin(), info.keys().end()}};
}

}  // namespace

Result<Secret> Secrets::create(const std::string& manifest_json) const {
  v1::CreateSecretRequest request;
  request.set_manifest_json(manifest_json);
  v1::SecretInfo response;
  grpc::ClientContext context;
  const auto stub = v1::SecretService::NewStub(connection_.wire().channel);
  PFS_TRY(outcome_of(stub->CreateSecret(&context, request, &response), context, connection_));
  return secret_of(response);
}

Result<Secret> Secrets::inspect(const std::string& name) const {
  v1::InspectSecretRequest request;
  request.set_name(name);
  v1::SecretInfo response;
  grpc::ClientContext context;
  const auto stub = v1::SecretService::NewStub(connection_.wire().channel);
  PFS_TRY(outcome_of(stub->InspectSecret(&context, request, &response), context, connection_));
  return secret_of(response);
}

Result<std::vector<Secret>> Secrets::list() const {
  std::vector<Secret> secrets;
  grpc::ClientContext context;
  const auto stub = v1::SecretService::NewStub(connection_.wire().channel);
  const auto reader = stub->ListSecrets(&context, v1::ListSecretsRequest());
  PFS_TRY(read_all<v1::SecretInfo>(*reader, context, connection_, [&secrets](const v1::SecretInfo& info) {
    secrets.push_back(secret_of(info));
    return Result<void>();
  }));
  return secrets;
}

Result<void> Secrets::remove(const std::string& name) const {
  v1::DeleteSecretRequest request;
  request.set_name(name);
  v1::DeleteSecretResponse response;
  grpc::ClientContext context;
  const auto stub = v1::SecretService::NewStub(connection_.wire().channel);
  return outcome_of(stub->DeleteSecret(&context, request, &response), context, connection_);
}

}  // namespace pfs::client
