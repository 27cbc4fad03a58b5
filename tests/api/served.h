#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include <catch2/catch.hpp>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include "api/server.h"
#include "support/store_world.h"

namespace pfs::test {

/// The API on a store of its own, on a unix socket and on TCP.
class Served {
 public:
  /// Both may be null, and must outlive it.
  explicit Served(trigger::Pipelines* pipelines = nullptr, trigger::Secrets* secrets = nullptr) {
    api::ServerOptions server;
    server.socket_path = socket();
    server.store = &world_.store();
    server.pipelines = pipelines;
    server.secrets = secrets;
    server.version = "9.9.9";
    server.tcp.addresses = {HostPort{"127.0.0.1", 0}};
    auto started = api::Server::start(server);
    REQUIRE(started);
    server_ = *std::move(started);
  }

  StoreWorld& world() { return world_; }
  std::string socket() const { return world_.path() + ".socket"; }
  std::uint16_t port() const { return server_->tcp_addresses().front().port; }
  std::shared_ptr<grpc::Channel> channel() const {
    return grpc::CreateChannel("127.0.0.1:" + std::to_string(port()),
                               grpc::InsecureChannelCredentials());
  }

 private:
  StoreWorld world_;
  std::unique_ptr<api::Server> server_;
};

/// No call of a test waits for longer.
inline void bound(grpc::ClientContext& context,
                  std::chrono::milliseconds patience = std::chrono::seconds(10)) {
  context.set_deadline(std::chrono::system_clock::now() + patience);
}

}  // namespace pfs::test
