#include "api/client/connection.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <grpcpp/create_channel_posix.h>

#include "api/client/internal/wire.h"
#include "api/wire/code.h"
#include "base/file.h"

namespace pfs::client {
namespace {

Error no_connection(const std::string& path, int error_number) {
  const auto object = fmt::format("daemon at unix:{}", path);
  switch (error_number) {
    case ENOENT:
      return {
          Code::kUnavailable,
          fmt::format("{}: is not running; start it with: pfsd --store DIR --mount DIR --socket {}",
                      object, path)};
    case ECONNREFUSED:
      return {Code::kUnavailable, fmt::format("{}: has ended without removing its socket; start it "
                                              "with: pfsd --store DIR --mount DIR --socket {}",
                                              object, path)};
    case EACCES:
      return {Code::kDenied,
              fmt::format("{}: you may not connect; ask for access to the socket", object)};
    default: return error_from_errno(error_number, object);
  }
}

Result<UniqueFd> connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Error{Code::kNameTooLong, fmt::format("socket {}: a path of over {} bytes", path,
                                                 sizeof address.sun_path - 1)};
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return error_from_errno(errno, "socket");
  // blocks while the backlog is full: a busy daemon is waited for
  while (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno != EINTR) return no_connection(path, errno);
  }
  if (fcntl(fd.get(), F_SETFL, O_NONBLOCK) != 0)
    return error_from_errno(errno, "fcntl");  // as gRPC wants it
  return fd;
}

}  // namespace

Connection::Connection(std::unique_ptr<Wire> wire) : wire_(std::move(wire)) {}
Connection::~Connection() = default;

void Connection::set_transaction(const std::string& id) { wire_->transaction = id; }

Result<std::unique_ptr<Connection>> Connection::to_socket(const std::string& path) {
  // connected here and not by gRPC: the errors are exact, and its resolver and back-off are not
  // waited for
  PFS_TRY_ASSIGN(auto fd, connect_to(path));
  auto wire = std::make_unique<Wire>();
  wire->address = "unix:" + path;
  wire->channel = grpc::CreateInsecureChannelFromFd("pfsd", fd.release());
  return std::unique_ptr<Connection>(new Connection(std::move(wire)));
}

Result<void> outcome_of(const grpc::Status& status, const grpc::ClientContext& context,
                        const Connection& connection) {
  if (status.ok()) return {};
  const auto& trailers = context.GetServerTrailingMetadata();
  if (const auto found = trailers.find(api::kCodeTrailer); found != trailers.end()) {
    const auto code = api::code_named({found->second.data(), found->second.size()});
    return Error{code.value_or(api::from_grpc(status.error_code())), status.error_message()};
  }
  // not the daemon's own answer, but gRPC's at either end
  const auto& address = connection.wire().address;
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
    return Error{Code::kUnavailable, fmt::format("daemon at {}: the connection was lost before it "
                                                 "answered ({}); see its log, and try again",
                                                 address, status.error_message())};
  }
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) {
    return Error{
        Code::kUnsupported,
        fmt::format("daemon at {}: does not know this call; it is of another version", address)};
  }
  return Error{api::from_grpc(status.error_code()),
               fmt::format("daemon at {}: {}", address, status.error_message())};
}

}  // namespace pfs::client
