#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include "base/result.h"

namespace pfs::api {

/// What a handler returns to gRPC: the error's status, its Code in the trailer, its message as it
/// is. Logs a failure, once, here: nothing above this answers it again.
grpc::Status answer(grpc::ServerContext& context, const Result<void>& outcome);

}  // namespace pfs::api
