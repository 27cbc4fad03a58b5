#pragma once

#include <thread>

#include <grpcpp/server.h>

#include "api/internal/callers.h"
#include "api/internal/listener.h"
#include "base/file.h"
#include "base/result.h"

namespace pfs::api {

/// Accepts connections, notes who made them and hands them to gRPC, whose own unix listener tells
/// no uid.
///
/// Owns its thread. The arguments must outlive it.
class AcceptLoop {
 public:
  AcceptLoop(const Listener& listener, Callers& callers, grpc::Server& server);
  ~AcceptLoop() { stop(); }
  AcceptLoop(const AcceptLoop&) = delete;
  AcceptLoop& operator=(const AcceptLoop&) = delete;

  /// Errors: kIo, kUnavailable (no descriptor or thread to be had).
  Result<void> start();
  /// No connection is accepted once it returns.
  void stop();

 private:
  void run();
  /// Waits for a connection, or for stop(); false: stop.
  bool wait_for_connection() const;
  /// Returns false when there was none to accept.
  bool accept_one();

  const Listener& listener_;
  Callers& callers_;
  grpc::Server& server_;
  UniqueFd wake_;  // an eventfd: readable once stop() was called
  std::thread thread_;
};

}  // namespace pfs::api
