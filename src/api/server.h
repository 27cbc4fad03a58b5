#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/tcp_options.h"
#include "base/result.h"

namespace pfs::store {
class Store;
}
namespace pfs::trigger {
class Pipelines;
class Secrets;
}

namespace pfs::api {

class PartMounter;

struct ServerOptions {
  std::string socket_path;
  /// Who may connect is decided by the directory and this; who is asking is known by the peer's
  /// credentials.
  unsigned socket_mode = 0600;
  TcpOptions tcp;
  store::Store* store = nullptr;  ///< must outlive the server
  trigger::Pipelines* pipelines =
      nullptr;          ///< as `store`; nullptr: every call about pipelines is kUnavailable
  trigger::Secrets* secrets = nullptr;  ///< likewise
  PartMounter* part_mounter = nullptr;  ///< likewise
  std::string version;  ///< the daemon's, for `pfs version`
};

/// The daemon's gRPC services, with health and reflection, on a unix socket and, where it is asked
/// for, on TCP.
///
/// Owns its threads and the socket file. stop() and the destructor may be called from any one
/// thread.
class Server {
 public:
  /// Listens and answers from then on. A socket file that nobody answers on is replaced, and the
  /// directory that it is in is made if only that is missing. Errors: kBusy (another daemon answers
  /// there), kExists (a file that is no socket), kNameTooLong (108 bytes are the limit of unix(7)),
  /// kDenied, kIo; of TCP: kBusy (a port that something listens on), kInvalid (an address or a
  /// certificate that cannot be used).
  static Result<std::unique_ptr<Server>> start(const ServerOptions& options);
  virtual ~Server() = default;

  /// Where it listens on TCP, with the ports that were free where 0 was asked for.
  virtual const std::vector<HostPort>& tcp_addresses() const = 0;

  /// Ends the calls that are under way (clients see kCancelled or kUnavailable), then removes the
  /// socket. A second call does nothing.
  virtual void stop() = 0;
};

}  // namespace pfs::api
