#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <unordered_map>

#include <grpcpp/server_context.h>

#include "base/result.h"
#include "base/sync.h"

namespace pfs::api {

/// Who is at the other end of a connection: of a unix socket as the kernel vouches for it, of TLS as
/// the authority does that signed the client's certificate.
/// Source: unix(7), SO_PEERCRED: the credentials at the time of connect(2).
struct Caller {
  /// Of a caller on the network these are the daemon's own, which then own what it puts.
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  pid_t pid = 0;         ///< 0 on the network
  std::string subject;  ///< on the network: the certificate's subject, or the address without one

  /// The author of commits: the subject, else the user's name, or `uid 1234` for one that has none.
  std::string name() const;
};

/// The callers of the connections that are open.
///
/// gRPC names a connection that it was handed as a descriptor `fd:N`, and keeps N open for as long
/// as a call on it lives; so N is not given to another connection while a handler may still ask for
/// it. Thread-safe.
class Callers {
 public:
  /// Before the connection is handed to gRPC; replaces what an earlier connection left under that
  /// number.
  void add(int fd, const Caller& caller) PFS_EXCLUDES(mutex_);
  /// Errors: kDenied (a descriptor that was not accepted by us).
  Result<Caller> of(const grpc::ServerContext& context) const PFS_EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_{LockRank::kLeaf};
  std::unordered_map<std::string, Caller> by_peer_
      PFS_GUARDED_BY(mutex_);  // at most one entry a descriptor
};

}  // namespace pfs::api
