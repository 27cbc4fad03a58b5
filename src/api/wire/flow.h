#pragma once

namespace pfs::api {

/// How many bytes of a stream may be under way to who reads them slowly. Else gRPC measures the connection and lets it
/// grow: on a socket of this machine that costs tens of megabytes at both ends and gains nothing. Over a network, where a
/// window that does not grow would be the limit of its speed, gRPC's own way stays: at clients of TCP, and at both kinds of
/// socket of a daemon that listens on TCP.
/// Source: GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES and GRPC_ARG_HTTP2_BDP_PROBE in grpc_types.h.
inline constexpr int kWindowBytes = 2 << 20;

/// The longest message that a daemon takes: the specs of a whole directory are one, and gRPC's own limit of 4 MiB is little for
/// those. Each call may hold one in memory.
inline constexpr int kMaxMessageBytes = 64 << 20;

}  // namespace pfs::api
