#pragma once

#include <string>

#include <grpcpp/support/server_interceptor.h>

namespace pfs::api {

/// Sees every call come and go, whichever service answers it: gives it its request id (the
/// client's, or a new one), puts that id and the daemon's version into the trailers, and logs the
/// call at debug.
///
/// A handler runs on the thread on which its call was seen to come, so the id is that thread's.
/// Thread-safe.
class CallWatch final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit CallWatch(std::string version) : version_(std::move(version)) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override;

 private:
  const std::string version_;
};

}  // namespace pfs::api
