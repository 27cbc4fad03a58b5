#include "api/secret_service.h"

#include "api/internal/answer.h"
#include "api/internal/transactions.h"
#include "api/wire/time.h"

namespace pfs::api {
namespace {

Error none_kept() { return Error{Code::kUnavailable, "secrets: this daemon keeps none"}; }

void describe(const trigger::SecretInfo& secret, v1::SecretInfo& info) {
  info.set_name(secret.name.str());
  info.set_type(secret.type);
  set_time(info.mutable_created(), secret.created);
  for (const auto& key : secret.keys) info.add_keys(key);
}

}  // namespace

grpc::Status SecretService::CreateSecret(grpc::ServerContext* context, const v1::CreateSecretRequest* request,
                                         v1::SecretInfo* response) {
  return answer(*context, create(*context, *request, *response));
}

grpc::Status SecretService::InspectSecret(grpc::ServerContext* context, const v1::InspectSecretRequest* request,
                                          v1::SecretInfo* response) {
  return answer(*context, inspect(request->name(), *response));
}

grpc::Status SecretService::ListSecrets(grpc::ServerContext* context, const v1::ListSecretsRequest*,
                                        grpc::ServerWriter<v1::SecretInfo>* writer) {
  return answer(*context, list(*writer));
}

grpc::Status SecretService::DeleteSecret(grpc::ServerContext* context, const v1::DeleteSecretRequest* request,
                                         v1::DeleteSecretResponse*) {
  return answer(*context, remove(*context, request->name()));
}

Result<void> SecretService::create(const grpc::ServerContext& context,
                                   const v1::CreateSecretRequest& request, v1::SecretInfo& info) {
  if (secrets_ == nullptr) return none_kept();
  PFS_TRY(Transactions::refuse_part(context, "secrets"));
  PFS_TRY_ASSIGN(const auto made, secrets_->create(request.manifest_json()));
  describe(made, info);
  return {};
}

Result<void> SecretService::inspect(const std::string& name, v1::SecretInfo& info) {
  if (secrets_ == nullptr) return none_kept();
  PFS_TRY_ASSIGN(const auto checked, trigger::SecretName::parse(name));
  PFS_TRY_ASSIGN(const auto found, secrets_->get(checked));
  describe(found, info);
  return {};
}

Result<void> SecretService::list(grpc::ServerWriter<v1::SecretInfo>& writer) {
  if (secrets_ == nullptr) return none_kept();
  PFS_TRY_ASSIGN(const auto all, secrets_->list());
  for (const auto& secret : all) {
    v1::SecretInfo info;
    describe(secret, info);
    if (!writer.Write(info)) break;  // the client has hung up
  }
  return {};
}

Result<void> SecretService::remove(const grpc::ServerContext& context, const std::string& name) {
  if (secrets_ == nullptr) return none_kept();
  PFS_TRY(Transactions::refuse_part(context, "secrets"));
  PFS_TRY_ASSIGN(const auto checked, trigger::SecretName::parse(name));
  return secrets_->remove(checked);
}

}  // namespace pfs::api
