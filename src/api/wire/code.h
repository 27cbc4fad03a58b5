#pragma once

#include <optional>
#include <string_view>

#include <grpcpp/support/status_code_enum.h>

#include "base/error.h"

namespace pfs::api {

/// The trailer of a failed call that carries the name of its Code: a gRPC status is too coarse to
/// tell, say, a read-only branch from one that is in use.
inline constexpr char kCodeTrailer[] = "pfs-code";

/// What a client that knows nothing of kCodeTrailer is told.
/// Source: grpc/status.h, on which code means "try again" and which "never".
grpc::StatusCode to_grpc(Code code);

/// The nearest kind of error, for failures that come from gRPC itself. `status` is not OK.
Code from_grpc(grpc::StatusCode status);

/// The inverse of name_of(Code); nullopt for a name that this version does not know.
std::optional<Code> code_named(std::string_view name);

}  // namespace pfs::api
