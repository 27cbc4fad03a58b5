#pragma once

#include "base/result.h"
#include "pfs/v1/secret.grpc.pb.h"
#include "trigger/secrets.h"

namespace pfs::api {

/// Secrets, over the wire. Thread-safe.
class SecretService final : public v1::SecretService::Service {
 public:
  /// nullptr: this daemon keeps none, which every call says (kUnavailable).
  explicit SecretService(trigger::Secrets* secrets) : secrets_(secrets) {}

  grpc::Status CreateSecret(grpc::ServerContext* context, const v1::CreateSecretRequest* request,
                            v1::SecretInfo* response) override;
  grpc::Status InspectSecret(grpc::ServerContext* context, const v1::InspectSecretRequest* request,
                             v1::SecretInfo* response) override;
  grpc::Status ListSecrets(grpc::ServerContext* context, const v1::ListSecretsRequest* request,
                           grpc::ServerWriter<v1::SecretInfo>* writer) override;
  grpc::Status DeleteSecret(grpc::ServerContext* context, const v1::DeleteSecretRequest* request,
                            v1::DeleteSecretResponse* response) override;

 private:
  Result<void> create(const grpc::ServerContext& context, const v1::CreateSecretRequest& request,
                      v1::SecretInfo& info);
  Result<void> inspect(const std::string& name, v1::SecretInfo& info);
  Result<void> list(grpc::ServerWriter<v1::SecretInfo>& writer);
  Result<void> remove(const grpc::ServerContext& context, const std::string& name);

  trigger::Secrets* secrets_;
};

}  // namespace pfs::api
