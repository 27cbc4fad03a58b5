#include "api/wire/code.h"

namespace pfs::api {

grpc::StatusCode to_grpc(Code code) {
  switch (code) {
    case Code::kNotFound: return grpc::StatusCode::NOT_FOUND;
    case Code::kExists: return grpc::StatusCode::ALREADY_EXISTS;
    case Code::kInvalid: return grpc::StatusCode::INVALID_ARGUMENT;
    case Code::kNotDirectory:
    case Code::kIsDirectory:
    case Code::kNotEmpty:
    case Code::kReadOnly:
    case Code::kBusy: return grpc::StatusCode::FAILED_PRECONDITION;
    case Code::kNotPermitted:
    case Code::kDenied: return grpc::StatusCode::PERMISSION_DENIED;
    case Code::kNoSpace:
    case Code::kQuota: return grpc::StatusCode::RESOURCE_EXHAUSTED;
    case Code::kStale: return grpc::StatusCode::ABORTED;
    case Code::kCrossDevice:
    case Code::kTooManyLinks: return grpc::StatusCode::FAILED_PRECONDITION;
    case Code::kNameTooLong: return grpc::StatusCode::INVALID_ARGUMENT;
    case Code::kTooLarge: return grpc::StatusCode::OUT_OF_RANGE;
    case Code::kNoData: return grpc::StatusCode::NOT_FOUND;
    case Code::kConflict: return grpc::StatusCode::ABORTED;
    case Code::kUnavailable: return grpc::StatusCode::UNAVAILABLE;
    case Code::kCancelled: return grpc::StatusCode::CANCELLED;
    case Code::kUnsupported: return grpc::StatusCode::UNIMPLEMENTED;
    case Code::kCorrupt: return grpc::StatusCode::DATA_LOSS;
    case Code::kIo:
    case Code::kInternal: return grpc::StatusCode::INTERNAL;
  }
  return grpc::StatusCode::INTERNAL;
}

Code from_grpc(grpc::StatusCode status) {
  switch (status) {
    case grpc::StatusCode::CANCELLED: return Code::kCancelled;
    case grpc::StatusCode::INVALID_ARGUMENT: return Code::kInvalid;
    case grpc::StatusCode::DEADLINE_EXCEEDED: return Code::kUnavailable;
    case grpc::StatusCode::NOT_FOUND: return Code::kNotFound;
    case grpc::StatusCode::ALREADY_EXISTS: return Code::kExists;
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::UNAUTHENTICATED: return Code::kDenied;
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return Code::kTooLarge;  // a message over gRPC's limit
    case grpc::StatusCode::FAILED_PRECONDITION: return Code::kBusy;
    case grpc::StatusCode::ABORTED: return Code::kConflict;
    case grpc::StatusCode::OUT_OF_RANGE: return Code::kTooLarge;
    case grpc::StatusCode::UNIMPLEMENTED: return Code::kUnsupported;
    case grpc::StatusCode::UNAVAILABLE: return Code::kUnavailable;
    case grpc::StatusCode::DATA_LOSS: return Code::kCorrupt;
    case grpc::StatusCode::OK:
    case grpc::StatusCode::UNKNOWN:
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::DO_NOT_USE: return Code::kInternal;
  }
  return Code::kInternal;
}

std::optional<Code> code_named(std::string_view name) {
  // kInternal is the last of the list
  for (int number = 0; number <= static_cast<int>(Code::kInternal); ++number) {
    const auto code = static_cast<Code>(number);
    if (name_of(code) == name) return code;
  }
  return std::nullopt;
}

}  // namespace pfs::api
