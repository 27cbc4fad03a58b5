#include "api/client/connection.h"

#include <random>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <grpc/support/log.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/create_channel_posix.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/client_interceptor.h>

#include "api/client/internal/socket.h"
#include "api/client/internal/wire.h"
#include "api/wire/flow.h"
#include "api/wire/metadata.h"

namespace pfs::client {
namespace {

using grpc::experimental::ClientInterceptorFactoryInterface;

// a peer that is gone without a word is noticed, also while neither end has anything to say; the
// server takes such pings every 10 s. Without TLS the connection is ours and has the kernel's.
constexpr int kKeepaliveMs = 30'000;
constexpr int kKeepaliveTimeoutMs = 20'000;

std::string random_id() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

/// Puts the id into every call's metadata.
class RequestIdSender final : public grpc::experimental::Interceptor {
 public:
  explicit RequestIdSender(const std::string& id) : id_(id) {}
  void Intercept(grpc::experimental::InterceptorBatchMethods* batch) override {
    if (batch->QueryInterceptionHookPoint(
            grpc::experimental::InterceptionHookPoints::PRE_SEND_INITIAL_METADATA))
      batch->GetSendInitialMetadata()->emplace(api::kRequestIdKey, id_);
    batch->Proceed();
  }

 private:
  const std::string& id_;
};

class RequestIdSenders final : public ClientInterceptorFactoryInterface {
 public:
  explicit RequestIdSenders(std::string id) : id_(std::move(id)) {}
  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo*) override {
    return new RequestIdSender(id_);  // gRPC's to delete
  }

 private:
  const std::string id_;
};

std::vector<std::unique_ptr<ClientInterceptorFactoryInterface>> interceptors(
    const std::string& id) {
  std::vector<std::unique_ptr<ClientInterceptorFactoryInterface>> all;
  all.push_back(std::make_unique<RequestIdSenders>(id));
  return all;
}

grpc::ChannelArguments arguments_of_all() {
  grpc::ChannelArguments arguments;
  // an answer tells what was done, and one about specs is longer than they are: no limit
  arguments.SetMaxReceiveMessageSize(-1);
  return arguments;
}

grpc::ChannelArguments arguments_of_tls() {
  auto arguments = arguments_of_all();
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // no limit
  return arguments;
}

grpc::ChannelArguments arguments_on_this_machine() {
  auto arguments = arguments_of_all();
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, api::kWindowBytes);
  return arguments;
}

std::shared_ptr<grpc::Channel> tls_channel(const Endpoint& endpoint, const std::string& id) {
  grpc::SslCredentialsOptions files;
  files.pem_root_certs = endpoint.tls->authorities;
  files.pem_cert_chain = endpoint.tls->certificate;
  files.pem_private_key = endpoint.tls->key;
  return grpc::experimental::CreateCustomChannelWithInterceptors(
      endpoint.host.str(), grpc::SslCredentials(files), arguments_of_tls(), interceptors(id));
}

}  // namespace

Connection::Connection(std::unique_ptr<Wire> wire) : wire_(std::move(wire)) {}
Connection::~Connection() = default;

const std::string& Connection::request_id() const { return wire_->request_id; }

void Connection::set_transaction(const std::string& id) { wire_->transaction = id; }

Result<std::unique_ptr<Connection>> Connection::open(const Endpoint& endpoint,
                                                     const Patience& patience) {
  // what fails is told in our own words, by outcome_of()
  gpr_set_log_function([](gpr_log_func_args*) {});
  bound_calls(patience.call);
  PFS_TRY_ASSIGN(auto fd, connect_to(endpoint, patience));
  auto wire = std::make_unique<Wire>();
  wire->endpoint = endpoint;
  wire->request_id = random_id();
  if (endpoint.tls) {
    fd.reset();  // somebody listens; gRPC makes TLS on a connection of its own
    wire->channel = tls_channel(endpoint, wire->request_id);
  } else {
    PFS_TRY(expect_greeting(fd, endpoint, patience));
    const auto arguments =
        endpoint.socket_path.empty() ? arguments_of_all() : arguments_on_this_machine();
    wire->channel = grpc::experimental::CreateCustomInsecureChannelWithInterceptorsFromFd(
        "pfsd", fd.release(), arguments, interceptors(wire->request_id));
  }
  return std::unique_ptr<Connection>(new Connection(std::move(wire)));
}

Result<std::unique_ptr<Connection>> Connection::to_socket(const std::string& path) {
  Endpoint endpoint;
  endpoint.socket_path = path;
  return open(endpoint);
}

}  // namespace pfs::client
