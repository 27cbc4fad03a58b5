#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/sync_stream.h>

#include "api/client/connection.h"
#include "base/result.h"

namespace pfs::client {

struct Connection::Wire {
  std::shared_ptr<grpc::Channel> channel;
  Endpoint endpoint;
  std::string request_id;
  std::string transaction;  ///< that changes are added to; empty: none
};

/// Makes the call a part of the connection's transaction, if it has one.
inline void join_transaction(grpc::ClientContext& context, const Connection& connection) {
  const auto& id = connection.wire().transaction;
  if (!id.empty()) context.AddMetadata("pfs-transaction", id);
}

/// Gives every call that is made from here on a deadline so far away; nullopt: none. Of the whole
/// process, as gRPC has no other way to reach the calls of all resources.
void bound_calls(std::optional<std::chrono::milliseconds> patience);

/// The outcome of a call: the daemon's error as it was there, or what became of the connection.
Result<void> outcome_of(const grpc::Status& status, const grpc::ClientContext& context,
                        const Connection& connection);

/// Reads a stream to its end; an error of `visit` ends it early and is the call's.
template <class Message, class Visit>
Result<void> read_all(grpc::ClientReader<Message>& reader, grpc::ClientContext& context,
                      const Connection& connection, Visit&& visit) {
  Message message;
  while (reader.Read(&message)) {
    if (Result<void> visited = visit(message); !visited) {
      context.TryCancel();
      (void)reader.Finish();  // what a cancelled call ends with says nothing
      return visited;
    }
  }
  return outcome_of(reader.Finish(), context, connection);
}

}  // namespace pfs::client
