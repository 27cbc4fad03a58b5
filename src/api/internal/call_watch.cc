#include "api/internal/call_watch.h"

#include <algorithm>
#include <chrono>
#include <random>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "api/request_id.h"
#include "api/wire/metadata.h"
#include "base/request_id.h"

namespace pfs::api {
namespace {

using grpc::experimental::InterceptionHookPoints;
using Steady = std::chrono::steady_clock;

constexpr std::size_t kMaxId = 64;

/// A client may say what it likes; what is no plain word does not get into the log.
bool is_usable(std::string_view id) {
  return !id.empty() && id.size() <= kMaxId && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
  });
}

class CallObserver final : public grpc::experimental::Interceptor {
 public:
  CallObserver(const char* method, const std::string& version)
      : method_(method), version_(version) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* batch) override {
    if (batch->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_INITIAL_METADATA))
      begin(*batch);
    if (batch->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) end(*batch);
    batch->Proceed();
  }

 private:
  void begin(grpc::experimental::InterceptorBatchMethods& batch) {
    begun_ = Steady::now();
    if (const auto* metadata = batch.GetRecvInitialMetadata()) {
      if (const auto found = metadata->find(kRequestIdKey); found != metadata->end())
        id_.assign(found->second.data(), found->second.size());
    }
    if (!is_usable(id_)) id_ = new_request_id();
    set_current_request(id_);
  }

  void end(grpc::experimental::InterceptorBatchMethods& batch) {
    if (auto* trailers = batch.GetSendTrailingMetadata()) {
      trailers->emplace(kRequestIdKey, id_);
      trailers->emplace(kVersionKey, version_);
    }
    const std::chrono::duration<double, std::milli> took = Steady::now() - begun_;
    spdlog::debug("api: {}: status {}, {:.1f} ms", method_,
                  static_cast<int>(batch.GetSendStatus().error_code()), took.count());
    set_current_request("");
  }

  const char* const method_;
  const std::string& version_;
  std::string id_;
  Steady::time_point begun_;
};

}  // namespace

std::string new_request_id() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

grpc::experimental::Interceptor* CallWatch::CreateServerInterceptor(
    grpc::experimental::ServerRpcInfo* info) {
  return new CallObserver(info->method(), version_);  // gRPC's to delete
}

}  // namespace pfs::api
