#pragma once

#include <memory>
#include <string>

#include "api/client/endpoint.h"
#include "base/result.h"

namespace pfs::client {

/// A connection to a daemon. The classes beside it, one a resource, borrow it for their calls.
///
/// Nothing of gRPC or protobuf is seen from outside. Thread-safe.
class Connection {
 public:
  /// Connects, and fails at once when nobody answers or somebody else does.
  /// Errors: kUnavailable (no daemon, tells how to start one; no answer in time), kUnsupported (what
  /// answers is no pfsd, or speaks TLS where we do not), kDenied, kNameTooLong, kInvalid (an
  /// unknown host), kIo.
  static Result<std::unique_ptr<Connection>> open(const Endpoint& endpoint,
                                                  const Patience& patience = {});
  static Result<std::unique_ptr<Connection>> to_socket(const std::string& path);
  ~Connection();

  /// Has changes of repos, branches, commits and files added to a transaction from now on; empty: they are
  /// carried out at once. Not while calls are made.
  void set_transaction(const std::string& id);

  /// What the daemon's log lines of our calls are marked with.
  const std::string& request_id() const;

  /// What calls are made on; defined in api/client/internal/.
  struct Wire;
  const Wire& wire() const { return *wire_; }

 private:
  explicit Connection(std::unique_ptr<Wire> wire);
  std::unique_ptr<Wire> wire_;
};

}  // namespace pfs::client
