#include "api/internal/answer.h"

#include <string>

#include <spdlog/spdlog.h>

#include "api/wire/code.h"

namespace pfs::api {
namespace {

spdlog::level::level_enum level_of(Code code) {
  switch (code) {
    case Code::kNotFound:
    case Code::kNoData:
    case Code::kCancelled: return spdlog::level::debug;
    case Code::kIo:
    case Code::kCorrupt:
    case Code::kNoSpace:
    case Code::kInternal: return spdlog::level::err;
    case Code::kExists:
    case Code::kInvalid:
    case Code::kNotDirectory:
    case Code::kIsDirectory:
    case Code::kNotEmpty:
    case Code::kReadOnly:
    case Code::kBusy:
    case Code::kNotPermitted:
    case Code::kDenied:
    case Code::kQuota:
    case Code::kStale:
    case Code::kCrossDevice:
    case Code::kTooManyLinks:
    case Code::kNameTooLong:
    case Code::kTooLarge:
    case Code::kConflict:
    case Code::kUnavailable:
    case Code::kUnsupported: return spdlog::level::info;
  }
  return spdlog::level::err;
}

/// A status travels in the headers, which gRPC refuses when they are over 8 KiB, percent signs of bytes that are not ASCII included.
std::string shortened(const std::string& message) {
  constexpr std::size_t kMost = 2048;
  if (message.size() <= kMost) return message;
  std::size_t end = kMost;
  while (end > 0 && (static_cast<unsigned char>(message[end]) & 0xC0U) == 0x80U) --end;  // within a character of UTF-8
  return message.substr(0, end) + "...";
}

}  // namespace

grpc::Status answer(grpc::ServerContext& context, const Result<void>& outcome) {
  if (outcome) return grpc::Status::OK;
  const Error& error = outcome.error();
  spdlog::log(level_of(error.code), "api: {} ({})", error.message, name_of(error.code));
  context.AddTrailingMetadata(kCodeTrailer, std::string(name_of(error.code)));
  return {to_grpc(error.code), shortened(error.message)};
}

}  // namespace pfs::api
