#pragma once

#include <cstdint>
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

/// The kernel asks those that have said nothing for half a minute whether they are there: a client whose machine is gone keeps
/// no thread of ours. For our sockets that listen on that port, and what they accept from here on.
void probe_idle_clients(std::uint16_t port);

}  // namespace pfs::api
