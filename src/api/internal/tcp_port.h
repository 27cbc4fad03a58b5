#pragma once

#include <memory>

#include <grpcpp/security/server_credentials.h>

#include "api/tcp_options.h"
#include "base/result.h"

namespace pfs::api {

/// Reads the PEM files and checks that they go together, as gRPC would not say what is wrong.
/// Errors: kInvalid (no certificate or key in it, a key of another certificate, out of date),
/// kNotFound, kDenied, kIo.
Result<std::shared_ptr<grpc::ServerCredentials>> credentials_of(const TcpOptions& options);

/// Whether one could listen there. Errors: kBusy (something listens there already), kInvalid (no
/// address of this machine), kDenied (a port of root's), kIo.
Result<void> check_free(const HostPort& address);

}  // namespace pfs::api
