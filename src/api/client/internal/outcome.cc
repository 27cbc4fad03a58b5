#include <atomic>
#include <cstdint>
#include <limits>

#include <fmt/format.h>

#include "api/client/internal/wire.h"
#include "api/wire/code.h"
#include "api/wire/metadata.h"
#include "pfs/v1/admin.grpc.pb.h"

namespace pfs::client {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kUnbounded = std::numeric_limits<std::int64_t>::max();

class Deadlines final : public grpc::ClientContext::GlobalCallbacks {
 public:
  void DefaultConstructor(grpc::ClientContext* context) override {
    const auto patience = patience_ms.load(std::memory_order_relaxed);
    if (patience != kUnbounded)
      context->set_deadline(std::chrono::system_clock::now() + milliseconds(patience));
  }
  void Destructor(grpc::ClientContext*) override {}

  std::atomic<std::int64_t> patience_ms{kUnbounded};  // read by each call, wherever it is made
};

Deadlines& deadlines() {
  static Deadlines the_only;
  // gRPC takes callbacks once in a process
  static const bool registered = [] {
    grpc::ClientContext::SetGlobalCallbacks(&the_only);
    return true;
  }();
  (void)registered;
  return the_only;
}

std::string trailer_of(const grpc::ClientContext& context, const char* key) {
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto found = trailers.find(key);
  return found == trailers.end() ? std::string()
                                 : std::string(found->second.data(), found->second.size());
}

/// gRPC itself, and no service of pfsd, said that it does not know the call.
Error unknown_call(const Connection& connection) {
  const auto& wire = connection.wire();
  grpc::ClientContext context;
  v1::GetVersionResponse response;
  const auto asked = v1::AdminService::NewStub(wire.channel)
                         ->GetVersion(&context, v1::GetVersionRequest(), &response);
  if (!asked.ok()) {
    return {Code::kUnsupported,
            fmt::format("daemon at {}: answers, but is no pfsd; check the address",
                        wire.endpoint.str())};
  }
  return {Code::kUnsupported, fmt::format("daemon at {}: is of version {} and does not know this "
                                          "call of pfs " PFS_VERSION "; bring both to one version",
                                          wire.endpoint.str(), response.version())};
}

Error lost(const grpc::Status& status, const Endpoint& endpoint) {
  const auto& said = status.error_message();
  const auto object = "daemon at " + endpoint.str();
  // in gRPC's words, as it has no code for it
  if (said.find("certificate verify failed") != said.npos ||
      said.find("CERTIFICATE_VERIFY_FAILED") != said.npos ||
      said.find("Peer name") != said.npos) {
    return {Code::kDenied, fmt::format("{}: its certificate is not trusted, or is for another "
                                       "name; set server_cas in the context or PFS_TLS_CA to its "
                                       "authority's file ({})",
                                       object, said)};
  }
  if (said.find("andshake failed") != said.npos) {
    return {Code::kUnsupported, fmt::format("{}: does not speak TLS; write grpc:// in its address "
                                            "if that is meant ({})",
                                            object, said)};
  }
  if (endpoint.tls && endpoint.tls->certificate.empty()) {
    return {Code::kUnavailable,
            fmt::format("{}: the connection was lost before it answered; it may want a client "
                        "certificate: set PFS_TLS_CERT and PFS_TLS_KEY ({})",
                        object, said)};
  }
  return {Code::kUnavailable, fmt::format("{}: the connection was lost before it answered ({}); "
                                          "see its log, and try again",
                                          object, said)};
}

}  // namespace

void bound_calls(std::optional<milliseconds> patience) {
  deadlines().patience_ms = patience ? patience->count() : kUnbounded;
}

Result<void> outcome_of(const grpc::Status& status, const grpc::ClientContext& context,
                        const Connection& connection) {
  if (status.ok()) return {};
  const auto& endpoint = connection.wire().endpoint;
  if (const auto name = trailer_of(context, api::kCodeTrailer); !name.empty()) {
    const auto code = api::code_named(name);
    // a call is cancelled at the other end where that stops; Ctrl-C here is not told by a status
    if (code == Code::kCancelled) {
      return Error{Code::kUnavailable, fmt::format("daemon at {}: ended the call ({}); it may be stopping, so try again",
                                                   endpoint.str(), status.error_message())};
    }
    if (code) return Error{*code, status.error_message()};
    return Error{api::from_grpc(status.error_code()),
                 fmt::format("{} (pfsd {} is newer than this pfs " PFS_VERSION ")",
                             status.error_message(), trailer_of(context, api::kVersionKey))};
  }
  // not the daemon's own answer, but gRPC's at either end
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE: return lost(status, endpoint);
    case grpc::StatusCode::UNIMPLEMENTED: return unknown_call(connection);
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return Error{Code::kUnavailable,
                   fmt::format("daemon at {}: has not answered in time; give it more with --timeout",
                               endpoint.str())};
    default:
      return Error{api::from_grpc(status.error_code()),
                   fmt::format("daemon at {}: {}", endpoint.str(), status.error_message())};
  }
}

}  // namespace pfs::client
